import { ProtocolViolation } from './violation.ts'

const FIRST_RESERVATION = 256

/** Writes one message or several; the buffer that `take` gives is the writer's own no more. */
export class Writer {
  #bytes: Buffer
  #at = 0
  #message = 0

  constructor(reservation = FIRST_RESERVATION) {
    this.#bytes = Buffer.allocUnsafe(reservation)
  }

  /** Begins a message; without a type, one of the packets that a connection begins with. */
  begin(type?: number): this {
    this.#reserve(5)
    if (type !== undefined) this.#bytes[this.#at++] = type
    this.#message = this.#at
    this.#at += 4
    return this
  }

  /** Ends the message that `begin` began. */
  finish(): this {
    this.#bytes.writeInt32BE(this.#at - this.#message, this.#message)
    return this
  }

  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#at)
    this.#bytes = Buffer.alloc(0)
    this.#at = 0
    return bytes
  }

  uint8(value: number): this {
    this.#reserve(1)
    this.#bytes[this.#at++] = value
    return this
  }

  int16(value: number): this {
    this.#reserve(2)
    this.#at = this.#bytes.writeInt16BE(value, this.#at)
    return this
  }

  /** Unsigned, as counts are. */
  uint16(value: number): this {
    this.#reserve(2)
    this.#at = this.#bytes.writeUInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#reserve(4)
    this.#at = this.#bytes.writeInt32BE(value, this.#at)
    return this
  }

  uint32(value: number): this {
    this.#reserve(4)
    this.#at = this.#bytes.writeUInt32BE(value, this.#at)
    return this
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
    return this
  }

  /** A value's length word and bytes; -1 for null. */
  value(value: Uint8Array | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).bytes(value)
  }

  /** A string and its NUL. A NUL within would end it early and make the rest another field. */
  string(text: string): this {
    if (text.includes('\0')) throw new ProtocolViolation('a string', 'it has a NUL within')
    const length = Buffer.byteLength(text)
    this.#reserve(length + 1)
    this.#at += this.#bytes.write(text, this.#at, length, 'utf8')
    this.#bytes[this.#at++] = 0
    return this
  }

  #reserve(bytes: number): void {
    const size = this.#at + bytes
    if (size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(size, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}
