/** The lines that were entered before, newest last. It lives as long as its shell. */

const LINES = 500
/** What 500 lines of usual length come to, many times over. */
const BYTES = 256 * 1024

export class History {
  #lines: string[] = []
  #bytes = 0
  /** Which line is looked at; the number of lines while it is a new one. */
  #at = 0
  /** The new line, while older ones are looked at. */
  #draft = ''

  get lines(): readonly string[] {
    return this.#lines
  }

  add(line: string): void {
    if (line.trim() !== '' && line !== this.#lines.at(-1)) {
      this.#lines.push(line)
      this.#bytes += Buffer.byteLength(line)
      while (this.#lines.length > LINES || this.#bytes > BYTES)
        this.#bytes -= Buffer.byteLength(this.#lines.shift() ?? '')
    }
    this.reset()
  }

  /** A new line is begun. */
  reset(): void {
    this.#at = this.#lines.length
    this.#draft = ''
  }

  /** @returns null where there is none */
  older(current: string): string | null {
    if (this.#at === 0) return null
    if (this.#at === this.#lines.length) this.#draft = current
    this.#at -= 1
    return this.#lines[this.#at] ?? null
  }

  newer(): string | null {
    if (this.#at >= this.#lines.length) return null
    this.#at += 1
    return this.#lines[this.#at] ?? this.#draft
  }
}
