/** Values that were masked in an object, looked for elsewhere in it. */
import { QUOTE, textAt } from './json.ts'

/** A shorter value is only hidden where it stands alone: it would be found in half of all texts by chance. */
const SHORTEST_CONTAINED = 4
/** The same for the base64 of a value. */
const SHORTEST_ENCODED = 8
/** Forms are made for all texts of up to so many bytes at once, and of up to the double each time that one is longer. */
const SHORTEST_MADE = 64
/** A line's end that a value has and a text does not. */
const LINE_END = 2
/** Bytes compared for one object. Beyond it, what would be compared is hidden without comparing. */
const WORK = 64 * 1024 ** 2

interface Masked {
  readonly source: Buffer
  readonly start: number
  readonly end: number
  readonly bytes: boolean
}

export class Scrub {
  readonly #masked: Masked[] = []
  /** Of the values that are short enough to be in a text of `#upTo` bytes. */
  #forms: Set<string> = new Set()
  #upTo = -1
  #work = 0

  get empty(): boolean {
    return this.#masked.length === 0
  }

  clear(): void {
    this.#masked.length = 0
    this.#upTo = -1
    this.#work = 0
  }

  /** A scalar that was masked, as it stands in JSON. */
  add(source: Buffer, start: number, end: number, bytes: boolean): void {
    this.#masked.push({ source, start, end, bytes })
    this.#upTo = -1
  }

  /** Whether a text says a masked value: is it, contains it, or is or contains the base64 of it. */
  finds(text: string): boolean {
    if (this.empty || text === '') return false
    const length = Buffer.byteLength(text)
    if (length > this.#upTo) this.#make(length)
    for (const form of this.#forms) {
      if (form === text) return true
      if (form.length < SHORTEST_CONTAINED || form.length >= text.length) continue
      this.#work += text.length
      if (this.#work > WORK || text.includes(form)) return true
    }
    return false
  }

  /** Of the values that a text of this length could hold: of longer ones, which most are, not even the form is made. */
  #make(length: number): void {
    let upTo = SHORTEST_MADE
    while (upTo < length) upTo *= 2
    this.#upTo = upTo
    this.#forms = new Set()
    for (const { source, start, end, bytes } of this.#masked) {
      const raw = end - start - 2
      // JSON has six bytes for a character that is escaped.
      const shortest = bytes ? (raw * 3) / 4 : raw / 6
      if (shortest - LINE_END > upTo) continue
      if (source[start] === QUOTE) this.#addText(textAt(source, start, end), bytes)
      else this.#forms.add(source.toString('latin1', start, end))
    }
    this.#forms.delete('')
  }

  #addText(text: string, bytes: boolean): void {
    const value = Buffer.from(text, bytes ? 'base64' : 'utf8')
    const plain = bytes ? value.toString() : text
    this.#forms.add(text)
    this.#forms.add(plain)
    this.#forms.add(plain.trim())
    const encoded = bytes ? text : value.toString('base64')
    const whole = encoded.slice(0, Math.floor(value.length / 3) * 4)
    // Of a longer text that begins with the value, only the last group of the base64 would differ.
    const form = whole.length >= SHORTEST_ENCODED ? whole : encoded
    this.#forms.add(form)
    if (/[+/]/.test(form)) this.#forms.add(form.replaceAll('+', '-').replaceAll('/', '_'))
  }
}
