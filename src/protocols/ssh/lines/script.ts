/** Input without a terminal: lines, as they are. */

export type ScriptEvent = { readonly kind: 'line'; readonly text: string } | { readonly kind: 'too-long' }

export class ScriptReader {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #limit: number
  #text = ''
  #at = 0
  /** The rest of a line that was too long is passed over. */
  #overflowed = false

  /** @param limit bytes of a line in UTF-8 */
  constructor(limit: number) {
    this.#limit = limit
  }

  get waiting(): number {
    return this.#text.length - this.#at
  }

  push(chunk: Uint8Array): void {
    this.#add(this.#decoder.decode(chunk, { stream: true }))
  }

  /** Nothing follows: what has no line feed is a line, as it is to every shell. */
  end(): void {
    this.#add(this.#decoder.decode())
    if (this.waiting > 0 || this.#overflowed) this.#add('\n')
  }

  next(): ScriptEvent | null {
    const end = this.#text.indexOf('\n', this.#at)
    if (end < 0) {
      // Every character is a byte at least.
      if (this.waiting > this.#limit) this.#overflowed = true
      if (this.#overflowed) this.#at = this.#text.length
      return null
    }
    const text = this.#text.slice(this.#at, end)
    this.#at = end + 1
    const tooLong = this.#overflowed || Buffer.byteLength(text) > this.#limit
    this.#overflowed = false
    return tooLong ? { kind: 'too-long' } : { kind: 'line', text }
  }

  #add(text: string): void {
    this.#text = this.#text.slice(this.#at) + text
    this.#at = 0
  }
}
