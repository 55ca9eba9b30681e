/**
 * WebSocket frames as they come: RFC 6455, section 5.
 *
 * Data is handed on at once, whatever the size of its frame: nothing waits here but a frame's head and a control frame's 125
 * bytes. What breaks the protocol is an error with the code that a Close has for it.
 */
import { applyMask, CLOSE, FrameViolation, LENGTH_16, LENGTH_64, MASK_BYTES, OPCODE, type Opcode } from './frames.ts'

/** What an API server takes in one message (golang.org/x/net/websocket, DefaultMaxPayloadBytes). */
const LARGEST_FRAME = 32 * 1024 ** 2
/** Section 5.5. */
const LARGEST_CONTROL = 125
const EMPTY = Buffer.alloc(0)

export interface FrameEvents {
  /** A piece of a message, text or binary; `last` where the message ends with it. The bytes are the caller's. */
  data(bytes: Buffer, last: boolean): void
  ping(bytes: Buffer): void
  pong(bytes: Buffer): void
  /** The last frame of all. `code` is null where the peer gave none. */
  close(code: number | null): void
}

export class FrameDecoder {
  readonly #events: FrameEvents
  readonly #masked: boolean
  /** The head so far: up to two bytes, eight of length, four of mask. */
  readonly #head = Buffer.alloc(14)
  #headLength = 0
  #opcode: Opcode = OPCODE.CONTINUATION
  #last = false
  #mask: Buffer | null = null
  #maskAt = 0
  /** Bytes of the payload that are still to come; −1 while the head is read. */
  #left = -1
  #control = EMPTY
  /** A message has begun and not ended. */
  #within = false
  #closed = false

  /** `masked`: the peer is a client, and must mask what it sends; a server must not. */
  constructor(masked: boolean, events: FrameEvents) {
    this.#masked = masked
    this.#events = events
  }

  /** Throws {@link FrameViolation}. The chunk is changed in place, and its parts are handed on. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#closed) {
      if (this.#left === -1) {
        this.#head[this.#headLength++] = chunk[at++] as number
        if (this.#headLength === 2) this.#look()
        if (this.#headLength === this.#headSize()) this.#begin()
        continue
      }
      const part = chunk.subarray(at, at + this.#left)
      at += part.length
      this.#left -= part.length
      this.#unmask(part)
      this.#payload(part)
    }
    if (this.#closed && at < chunk.length) throw new FrameViolation('bytes follow the Close')
  }

  /** How long the head is, as far as it says so yet. */
  #headSize(): number {
    if (this.#headLength < 2) return 2
    const length = (this.#head[1] as number) & 0x7f
    const more = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0
    return 2 + more + (this.#masked ? MASK_BYTES : 0)
  }

  /** What the first two bytes say is judged at once: of a peer that does not mask, a mask would be waited for. */
  #look(): void {
    const [first = 0, second = 0] = this.#head
    this.#opcode = opcodeOf(first & 0x0f)
    this.#last = (first & 0x80) !== 0
    if ((first & 0x70) !== 0) throw new FrameViolation('a frame uses an extension')
    if (((second & 0x80) !== 0) !== this.#masked) {
      throw new FrameViolation(this.#masked ? 'a frame of a client is not masked' : 'a frame of a server is masked')
    }
  }

  #begin(): void {
    const length = this.#length((this.#head[1] as number) & 0x7f)
    this.#mask = this.#masked ? Buffer.from(this.#head.subarray(this.#headLength - MASK_BYTES, this.#headLength)) : null
    this.#maskAt = 0
    this.#headLength = 0
    this.#left = length
    if (this.#opcode >= OPCODE.CLOSE) this.#beginControl(length)
    else this.#beginData()
    if (length === 0) this.#payload(EMPTY)
  }

  #length(short: number): number {
    if (short < LENGTH_16) return short
    const long = short === LENGTH_16 ? this.#head.readUInt16BE(2) : this.#head.readBigUInt64BE(2)
    // Section 5.2: the shortest form only.
    if (long < (short === LENGTH_16 ? LENGTH_16 : 0x1_0000))
      throw new FrameViolation('a length is not in its shortest form')
    if (long > LARGEST_FRAME) throw new FrameViolation(`a frame is larger than ${LARGEST_FRAME} bytes`, CLOSE.TOO_LARGE)
    return Number(long)
  }

  #beginControl(length: number): void {
    if (!this.#last) throw new FrameViolation('a control frame is fragmented')
    if (length > LARGEST_CONTROL) throw new FrameViolation('a control frame is too long')
    this.#control = EMPTY
  }

  #beginData(): void {
    const continues = this.#opcode === OPCODE.CONTINUATION
    if (continues !== this.#within) {
      throw new FrameViolation(continues ? 'a continuation follows no message' : 'a message begins within another')
    }
    this.#within = true
  }

  #unmask(part: Buffer): void {
    if (this.#mask === null) return
    applyMask(part, this.#mask, this.#maskAt)
    this.#maskAt = (this.#maskAt + part.length) % MASK_BYTES
  }

  #payload(part: Buffer): void {
    const ends = this.#left === 0
    if (ends) this.#left = -1
    if (this.#opcode < OPCODE.CLOSE) {
      const last = ends && this.#last
      if (last) this.#within = false
      this.#events.data(part, last)
      return
    }
    this.#control = Buffer.concat([this.#control, part])
    if (ends) this.#ended(this.#control)
  }

  #ended(bytes: Buffer): void {
    if (this.#opcode === OPCODE.PING) return this.#events.ping(bytes)
    if (this.#opcode === OPCODE.PONG) return this.#events.pong(bytes)
    this.#closed = true
    this.#events.close(closeCodeOf(bytes))
  }
}

const OPCODES: ReadonlySet<number> = new Set(Object.values(OPCODE))

function opcodeOf(value: number): Opcode {
  if (!OPCODES.has(value)) throw new FrameViolation('a frame is of an unknown kind')
  return value as Opcode
}

function closeCodeOf(bytes: Buffer): number | null {
  if (bytes.length === 0) return null
  const code = bytes.length === 1 ? 0 : bytes.readUInt16BE(0)
  const known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)
  if (!known) throw new FrameViolation('a Close has no valid code')
  return code
}
