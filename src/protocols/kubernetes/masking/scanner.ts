/** Where a value ends whose bytes come in pieces. It only finds the end: what is in it is read when it is there. */
import { BACKSLASH, CLOSE_ARRAY, CLOSE_OBJECT, OPEN_ARRAY, OPEN_OBJECT, QUOTE } from './json.ts'

export class ValueScanner {
  #depth = 0
  #inString = false
  #escaped = false
  #started = false

  /** Behind the value's last byte; −1 where it goes on. A number or a literal goes on until something follows it. */
  feed(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length) {
      if (this.#inString) {
        at = this.#string(bytes, at)
        if (at === -1) return -1
        if (this.#depth === 0) return at
        continue
      }
      const byte = bytes[at++] as number
      if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth++
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        if (--this.#depth <= 0) return at
      } else if (this.#depth === 0 && this.#started && (byte === 0x2c || byte <= 0x20)) return at
      this.#started = true
    }
    return -1
  }

  #string(bytes: Buffer, from: number): number {
    let at = from
    if (this.#escaped) {
      this.#escaped = false
      at++
    }
    for (;;) {
      const quote = bytes.indexOf(QUOTE, at)
      const end = quote === -1 ? bytes.length : quote
      let before = end
      while (before > at && bytes[before - 1] === BACKSLASH) before--
      const odd = ((end - before) & 1) === 1
      if (quote === -1) {
        this.#escaped = odd
        return -1
      }
      if (!odd) {
        this.#inString = false
        return quote + 1
      }
      at = quote + 1
    }
  }
}
