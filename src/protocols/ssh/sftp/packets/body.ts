import { ProtocolViolation } from './violation.ts'

/** Reads a packet's body front to back. Every read is checked against its end; what is left over is a violation. */
export class BodyReader {
  readonly #bytes: Buffer
  readonly #where: string
  #at: number

  constructor(where: string, bytes: Buffer, at: number) {
    this.#where = where
    this.#bytes = bytes
    this.#at = at
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  violation(what: string): ProtocolViolation {
    return new ProtocolViolation(this.#where, what)
  }

  uint32(what: string): number {
    return this.#bytes.readUInt32BE(this.#forward(4, what))
  }

  uint64(what: string): bigint {
    return this.#bytes.readBigUInt64BE(this.#forward(8, what))
  }

  /** A string's length and bytes, as a view. SFTP does not say what encoding a string has. */
  string(what: string, cap = Number.POSITIVE_INFINITY): Buffer {
    const length = this.uint32(what)
    if (length > cap) throw this.violation(`${what} of ${length} bytes, and ${cap} are permitted`)
    const at = this.#forward(length, what)
    return this.#bytes.subarray(at, at + length)
  }

  /** All that is left. */
  rest(): Buffer {
    const at = this.#at
    this.#at = this.#bytes.length
    return this.#bytes.subarray(at)
  }

  /** The body must be used up. */
  end(): void {
    if (this.left > 0) throw this.violation(`${this.left} bytes more than its fields`)
  }

  #forward(length: number, what: string): number {
    const at = this.#at
    if (length > this.left) throw this.violation(`${what} is cut off`)
    this.#at = at + length
    return at
  }
}
