/**
 * Splits a channel's bytes into SFTP packets: a length that does not count itself, a type byte, a body.
 *
 * A packet that lies whole in its chunk is given as a view of it. What a chunk cuts off is copied together, one packet at
 * most, and only small packets are given memory before their bytes come. Packets are given whole: only then can each be checked,
 * counted, refused or put behind another without leaving half of one on the wire.
 */
import type { PacketTable } from './packets/types.ts'
import { ProtocolViolation } from './packets/violation.ts'

/** Length and type byte. */
export const HEADER = 5
/** The length word, which the length does not count. */
const LENGTH = 4

/** A packet that was cut off gets its memory at once up to this size, which is common; larger ones as their bytes come. */
const RESERVED_WHOLE = 40 * 1024

const EMPTY = Buffer.alloc(0)

export class PacketReader {
  /** Of the packet that the last `next()` gave. */
  type = 0

  readonly #table: PacketTable
  readonly #chunks: Buffer[] = []
  #chunk: Buffer = EMPTY
  #at = 0
  #waiting = 0
  /** A packet that was cut off: what has come of it. */
  #part: Buffer = EMPTY
  #filled = 0
  /** Bytes given so far, for error messages. */
  #offset = 0

  constructor(table: PacketTable) {
    this.#table = table
  }

  /** Bytes that were fed and not given yet. */
  get buffered(): number {
    return this.#filled + this.#chunk.length - this.#at + this.#waiting
  }

  /** Takes a chunk, whose memory nobody writes to any more: packets are views of it. */
  feed(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
  }

  /** The next whole packet, its length word included; null when more bytes are needed. Throws a {@link ProtocolViolation}. */
  next(): Buffer | null {
    for (;;) {
      if (this.#at < this.#chunk.length) {
        const packet = this.#filled > 0 ? this.#join() : this.#whole()
        if (packet !== null) {
          this.#offset += packet.length
          return packet
        }
      }
      const chunk = this.#chunks.shift()
      if (chunk === undefined) return null
      this.#waiting -= chunk.length
      this.#chunk = chunk
      this.#at = 0
    }
  }

  #whole(): Buffer | null {
    const chunk = this.#chunk
    const at = this.#at
    const available = chunk.length - at
    if (available < HEADER) {
      this.#take(available, HEADER)
      return null
    }
    const size = LENGTH + this.#check(chunk, at)
    if (size > available) {
      this.#take(available, size)
      return null
    }
    this.#at = at + size
    return chunk.subarray(at, at + size)
  }

  #join(): Buffer | null {
    if (!this.#fill(HEADER)) return null
    const size = LENGTH + this.#check(this.#part, 0)
    if (!this.#fill(size)) return null
    const packet = this.#part.subarray(0, size)
    this.#part = EMPTY
    this.#filled = 0
    return packet
  }

  /** Completes what was put aside to `size` bytes, as far as the chunk goes. */
  #fill(size: number): boolean {
    const missing = size - this.#filled
    if (missing <= 0) return true
    const available = this.#chunk.length - this.#at
    this.#take(Math.min(missing, available), size)
    return available >= missing
  }

  /** Puts bytes of the chunk aside, of a packet (or its header) of the `expected` size. */
  #take(bytes: number, expected: number): void {
    const size = this.#filled + bytes
    if (size > this.#part.length) {
      const reserved = expected <= RESERVED_WHOLE ? expected : Math.min(expected, size * 2)
      const larger = Buffer.allocUnsafeSlow(reserved)
      this.#part.copy(larger, 0, 0, this.#filled)
      this.#part = larger
    }
    this.#chunk.copy(this.#part, this.#filled, this.#at, this.#at + bytes)
    this.#filled = size
    this.#at += bytes
  }

  /** The length that a header announces, once it is possible for its type. */
  #check(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at)
    const type = bytes[at + LENGTH] as number
    const cap = this.#table.caps[type] as number
    this.type = type
    if (length >= 1 && length <= cap) return length
    const name = this.#table.names[type]
    const where = `byte ${this.#offset} of the stream`
    if (length === 0) throw new ProtocolViolation(where, 'a packet without a type')
    if (name === undefined) throw new ProtocolViolation(where, `a packet of the unknown type ${type}`)
    throw new ProtocolViolation(where, `${name} of ${length} bytes, and ${cap} are permitted`)
  }
}
