import { isUtf8 } from 'node:buffer'
import { ProtocolViolation } from './violation.ts'

/** Shorter strings are searched and checked by hand, which is faster than a call into native code. */
const SHORT = 64

/** Names are mostly this short; putting them together costs less than a call into native code. */
const TINY = 12

function tiny(bytes: Buffer, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number)
  return text
}

/** Reads a message's body front to back. Every read is checked against the body's end; what is left over is a violation. */
export class BodyReader {
  readonly #bytes: Buffer
  readonly #end: number
  readonly #where: string
  at: number

  constructor(where: string, bytes: Buffer, start: number, end: number) {
    this.#where = where
    this.#bytes = bytes
    this.#end = end
    this.at = start
  }

  get left(): number {
    return this.#end - this.at
  }

  violation(what: string): ProtocolViolation {
    return new ProtocolViolation(this.#where, what)
  }

  uint8(what: string): number {
    return this.#bytes[this.#forward(1, what)] as number
  }

  /** Counts are unsigned: 65,535 parameters are possible. */
  uint16(what: string): number {
    const at = this.#forward(2, what)
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  int16(what: string): number {
    return (this.uint16(what) << 16) >> 16
  }

  int32(what: string): number {
    return this.#bytes.readInt32BE(this.#forward(4, what))
  }

  uint32(what: string): number {
    return this.#bytes.readUInt32BE(this.#forward(4, what))
  }

  /** A view, not a copy. */
  bytes(length: number, what: string): Buffer {
    const at = this.#forward(length, what)
    return this.#bytes.subarray(at, at + length)
  }

  /** A value's length word and bytes; null for -1. */
  value(what: string): Buffer | null {
    const length = this.int32(what)
    if (length === -1) return null
    if (length < 0) throw this.violation(`${what} with the impossible length ${length}`)
    return this.bytes(length, what)
  }

  /** As many 16-bit numbers as a count says; the count is checked against what is there before anything is made. */
  int16s(count: number, what: string): number[] {
    if (count * 2 > this.left) throw this.violation(`${count} of ${what} announced, and ${this.left} bytes left`)
    const numbers: number[] = []
    for (let index = 0; index < count; index++) numbers.push(this.int16(what))
    return numbers
  }

  uint32s(count: number, what: string): number[] {
    if (count * 4 > this.left) throw this.violation(`${count} of ${what} announced, and ${this.left} bytes left`)
    return Array.from({ length: count }, () => this.uint32(what))
  }

  /** A string that ends with NUL, strictly UTF-8. */
  string(what: string): string {
    const start = this.at
    const zero = this.#zero(start)
    if (zero === -1) throw this.violation(`${what} without its end`)
    this.at = zero + 1
    return this.#text(start, zero, what)
  }

  /** As `string`, but bytes that are no UTF-8 become U+FFFD: for what is shown and never judged. */
  shownString(what: string): string {
    const zero = this.#zero(this.at)
    if (zero === -1) throw this.violation(`${what} without its end`)
    const text = this.#bytes.toString('utf8', this.at, zero)
    this.at = zero + 1
    return text
  }

  /** The body must be used up. */
  end(): void {
    if (this.at !== this.#end) throw this.violation(`${this.left} bytes more than its fields`)
  }

  #forward(length: number, what: string): number {
    const at = this.at
    if (length > this.#end - at) throw this.violation(`${what} is cut off`)
    this.at = at + length
    return at
  }

  #zero(start: number): number {
    const bytes = this.#bytes
    const near = Math.min(this.#end, start + SHORT)
    for (let at = start; at < near; at++) if (bytes[at] === 0) return at
    const zero = near === this.#end ? -1 : bytes.indexOf(0, near)
    return zero === -1 || zero >= this.#end ? -1 : zero
  }

  #text(start: number, end: number, what: string): string {
    if (start === end) return ''
    const bytes = this.#bytes
    if (end - start <= SHORT) {
      let high = 0
      for (let at = start; at < end; at++) high |= bytes[at] as number
      if (high < 0x80) return end - start <= TINY ? tiny(bytes, start, end) : bytes.toString('latin1', start, end)
    }
    if (!isUtf8(bytes.subarray(start, end))) throw this.violation(`${what} is not UTF-8`)
    return bytes.toString('utf8', start, end)
  }
}
