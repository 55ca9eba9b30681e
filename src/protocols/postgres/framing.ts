/**
 * Splits a byte stream into PostgreSQL's frames: a type byte, a length that counts itself, a body.
 *
 * This is the hottest loop of the sidecar, so nothing is allocated for a frame that lies whole in its chunk: `next()`
 * moves the reader's own fields. Only what a chunk cuts off is copied, and no more memory is taken than bytes came.
 */
import { type FrameTable, LARGEST_FRAME } from './messages/types.ts'
import { ProtocolViolation } from './messages/violation.ts'

/** Nothing more until the next `feed`. */
export const NONE = 0
/** One whole frame: `type`, and `buffer` from `start` (its type byte) to `end`. */
export const FRAME = 1
/** `frames` whole frames of the type that `runOf` asks for, one after the other. */
export const RUN = 2
/** A part of one streamed frame; its first part begins with the header, `remaining` bytes of it follow. */
export const PIECE = 3
export type FrameKind = typeof NONE | typeof FRAME | typeof RUN | typeof PIECE

/** Type byte and length. */
export const HEADER = 5

/** Larger DataRow and CopyData frames are given in pieces: as much as one read of a socket gives. */
export const PIECE_ABOVE = 64 * 1024

/** The first reservation for a frame that was cut off; it doubles as bytes come. */
const FIRST_RESERVATION = 1024

const EMPTY = Buffer.alloc(0)

export class FrameReader {
  /** What the last `next()` found. The bytes are valid until the next call of `feed`. */
  type = 0
  buffer: Buffer = EMPTY
  start = 0
  end = 0
  /** After RUN: how many frames. */
  frames = 0
  /** After PIECE: how many bytes of the frame are still to come, and whether this is its first part. */
  remaining = 0
  first = false

  /** A streamed type whose adjacent whole frames come as one RUN; 0 for none. May change between calls of `next`. */
  runOf = 0
  /** Streamed frames with a larger length come in pieces. May change between calls of `next`. */
  pieceAbove = PIECE_ABOVE

  #table: FrameTable
  #chunk: Buffer = EMPTY
  #at = 0
  /** A frame that was cut off: what has come of it. */
  #part: Buffer = EMPTY
  #filled = 0
  /** Bytes given so far, for error messages. */
  #offset = 0

  constructor(table: FrameTable) {
    this.#table = table
  }

  /** Other types and caps hold from the next frame on. */
  expect(table: FrameTable): void {
    this.#table = table
  }

  /** Bytes that were fed and not given yet. */
  get buffered(): number {
    return this.#filled + this.#chunk.length - this.#at
  }

  /** The stream is between two frames, and nothing waits: the only place where it may rightly end. */
  get clean(): boolean {
    return this.buffered === 0 && this.remaining === 0
  }

  /**
   * Gives the reader a chunk, which it holds on to until `next()` has returned NONE. Whoever stops earlier and does not own
   * the chunk's memory calls `keep`.
   */
  feed(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk
    this.#at = 0
  }

  /** Copies what was not given yet, so that the memory of the last chunk may be used again. */
  keep(): void {
    if (this.#at === this.#chunk.length) return
    this.#chunk = Buffer.from(this.#chunk.subarray(this.#at))
    this.#at = 0
  }

  /** Moves on to the next frame, run or piece. Throws a {@link ProtocolViolation} that ends the stream. */
  next(): FrameKind {
    if (this.remaining > 0) return this.#piece(false)
    if (this.#filled > 0) return this.#join()
    const chunk = this.#chunk
    const at = this.#at
    if (chunk.length - at < HEADER) return this.#keep()
    const type = chunk[at] as number
    const length = lengthAt(chunk, at + 1)
    this.#check(type, length)
    const end = at + 1 + length
    this.type = type
    if (length > this.pieceAbove && this.#table.streamed[type] === 1) {
      this.remaining = length + 1
      return this.#piece(true)
    }
    if (end > chunk.length) return this.#keep()
    if (type === this.runOf) return this.#run(end)
    return this.#give(FRAME, end)
  }

  /** The untyped packet that a connection begins with: length, then body; `type` is 0. */
  nextPacket(cap: number): typeof NONE | typeof FRAME {
    const pending = this.#filled > 0 ? this.#joined() : this.#chunk.subarray(this.#at)
    if (pending.length < 4) return NONE
    const length = lengthAt(pending, 0)
    if (length < 8 || length > cap) {
      throw new ProtocolViolation('StartupMessage', `its length is ${length}, and 8 to ${cap} is possible`)
    }
    if (pending.length < length) return NONE
    this.type = 0
    this.buffer = pending
    this.start = 0
    this.end = length
    this.#filled = 0
    this.#offset += length
    this.#chunk = pending
    this.#at = length
    return FRAME
  }

  /** Many whole frames of one type at once. The first one ends at `end`. */
  #run(end: number): typeof RUN {
    const chunk = this.#chunk
    const type = this.type
    const limit = Math.min(this.pieceAbove, this.#table.caps[type] ?? 0)
    const last = chunk.length - HEADER
    let frames = 1
    while (end <= last && chunk[end] === type) {
      const length = lengthAt(chunk, end + 1)
      // Whatever is wrong or large or cut off is left to the next call.
      if (length < 4 || length > limit || length >= chunk.length - end) break
      end += length + 1
      frames++
    }
    this.frames = frames
    return this.#give(RUN, end)
  }

  #piece(first: boolean): typeof PIECE | typeof NONE {
    const available = this.#chunk.length - this.#at
    if (available === 0) return NONE
    const size = Math.min(available, this.remaining)
    this.first = first
    this.remaining -= size
    return this.#give(PIECE, this.#at + size)
  }

  #give<Kind extends FrameKind>(kind: Kind, end: number): Kind {
    this.buffer = this.#chunk
    this.start = this.#at
    this.end = end
    this.#offset += end - this.#at
    this.#at = end
    return kind
  }

  /** Puts what the chunk cut off aside, so that the chunk need not be kept. */
  #keep(): typeof NONE {
    const rest = this.#chunk.length - this.#at
    if (rest > 0) this.#take(rest)
    this.#chunk = EMPTY
    this.#at = 0
    return NONE
  }

  #join(): FrameKind {
    if (!this.#fill(HEADER)) return NONE
    const type = this.#part[0] as number
    const length = lengthAt(this.#part, 1)
    this.#check(type, length)
    this.type = type
    if (length > this.pieceAbove && this.#table.streamed[type] === 1) return this.#cutPiece(length)
    if (!this.#fill(length + 1)) return NONE
    this.buffer = this.#part
    this.start = 0
    this.end = length + 1
    this.frames = 1
    this.#filled = 0
    this.#part = EMPTY
    this.#offset += length + 1
    return type === this.runOf ? RUN : FRAME
  }

  /** What was put aside is the beginning of a frame that comes in pieces. */
  #cutPiece(length: number): typeof PIECE {
    this.buffer = this.#part
    this.start = 0
    this.end = this.#filled
    this.first = true
    this.remaining = length + 1 - this.#filled
    this.#offset += this.#filled
    this.#part = EMPTY
    this.#filled = 0
    return PIECE
  }

  /** Completes what was put aside to `size` bytes, as far as the chunk goes. */
  #fill(size: number): boolean {
    const missing = size - this.#filled
    if (missing <= 0) return true
    const available = this.#chunk.length - this.#at
    this.#take(Math.min(missing, available))
    return available >= missing
  }

  #take(bytes: number): void {
    const size = this.#filled + bytes
    if (size > this.#part.length) {
      const larger = Buffer.allocUnsafe(Math.max(size, this.#part.length * 2, FIRST_RESERVATION))
      this.#part.copy(larger, 0, 0, this.#filled)
      this.#part = larger
    }
    this.#chunk.copy(this.#part, this.#filled, this.#at, this.#at + bytes)
    this.#filled = size
    this.#at += bytes
  }

  #joined(): Buffer {
    const whole = Buffer.concat([this.#part.subarray(0, this.#filled), this.#chunk.subarray(this.#at)])
    this.#part = EMPTY
    this.#filled = 0
    this.#chunk = whole
    this.#at = 0
    return whole
  }

  #check(type: number, length: number): void {
    const cap = this.#table.caps[type] as number
    if (length >= 4 && length <= cap) return
    const name = this.#table.names[type]
    const where = `byte ${this.#offset} of the stream`
    if (name === undefined) {
      throw new ProtocolViolation(where, `a message of the unknown type 0x${type.toString(16).padStart(2, '0')}`)
    }
    if (length < 4) throw new ProtocolViolation(where, `${name} with the impossible length ${length}`)
    throw new ProtocolViolation(where, `${name} of ${length} bytes, and ${Math.min(cap, LARGEST_FRAME)} are permitted`)
  }
}

/** An unsigned 32-bit integer; what PostgreSQL would read as negative is far above every cap. */
function lengthAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}
