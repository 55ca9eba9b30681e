/** The line that is being written: its cells, and the place where the next one goes. */
import { type Cell, cellOf, cellsOf, isMark, marked } from './cells.ts'

export class LineBuffer {
  readonly #limit: number
  #cells: Cell[] = []
  #cursor = 0
  #bytes = 0
  /** Something did not fit: what is here is not the line that was meant, and must not run. */
  overflowed = false

  /** @param limit bytes in UTF-8 */
  constructor(limit: number) {
    this.#limit = limit
  }

  get cells(): readonly Cell[] {
    return this.#cells
  }

  get cursor(): number {
    return this.#cursor
  }

  get text(): string {
    return this.#cells.map((cell) => cell.text).join('')
  }

  get empty(): boolean {
    return this.#cells.length === 0
  }

  /** @returns from which cell on the line is another than before */
  insert(text: string): number {
    const behind = this.#cells.splice(this.#cursor)
    let changed = this.#cells.length
    for (const character of text) {
      const size = Buffer.byteLength(character)
      if (this.#bytes + size > this.#limit) this.overflowed = true
      if (this.overflowed) break
      this.#bytes += size
      const whole = isMark(character) ? marked(this.#cells.at(-1), character) : null
      if (whole === null) {
        this.#cells.push(cellOf(character))
        continue
      }
      this.#cells[this.#cells.length - 1] = whole
      changed = Math.min(changed, this.#cells.length - 1)
    }
    this.#cursor = this.#cells.length
    for (const cell of behind) this.#cells.push(cell)
    return changed
  }

  /** Another line, such as one of the history. */
  set(text: string): void {
    this.#cells = cellsOf(text)
    this.#bytes = Buffer.byteLength(text)
    this.#cursor = this.#cells.length
    this.overflowed = this.#bytes > this.#limit
  }

  clear(): void {
    this.set('')
  }

  move(to: number): boolean {
    const cursor = Math.max(0, Math.min(to, this.#cells.length))
    if (cursor === this.#cursor) return false
    this.#cursor = cursor
    return true
  }

  /** Removes the cells from one place up to another. */
  remove(from: number, to: number): boolean {
    const gone = this.#cells.splice(Math.max(0, from), to - Math.max(0, from))
    if (gone.length === 0) return false
    for (const cell of gone) this.#bytes -= Buffer.byteLength(cell.text)
    if (from < this.#cursor) this.#cursor = Math.max(0, from)
    // Only a line that was begun anew is known to be what was meant.
    if (this.empty) this.overflowed = false
    return true
  }

  /** Where the word before the cursor begins: words are what stands between blanks, as for ^W of terminals. */
  wordBefore(): number {
    let at = this.#cursor
    while (at > 0 && isBlank(this.#cells[at - 1])) at -= 1
    while (at > 0 && !isBlank(this.#cells[at - 1])) at -= 1
    return at
  }
}

function isBlank(cell: Cell | undefined): boolean {
  return cell?.text === ' ' || cell?.text === '\t'
}
