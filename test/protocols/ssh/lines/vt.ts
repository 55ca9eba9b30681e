/**
 * A terminal as small as a test needs it: it shows what is written, wraps as xterm does (a full row is left only by the
 * next character), and fails on every sequence that an editor of lines has no business to send.
 */
// oxlint-disable-next-line no-control-regex -- it is what sequences begin with
const SEQUENCE = /\x1b\[(?<parameters>[?0-9;]*)(?<final>[A-Za-z])/y

/** Of the characters that tests use. */
export function widthOf(character: string): number {
  if (/^\p{Mn}$/u.test(character)) return 0
  return /^[\p{Script=Han}\p{Script=Hangul}\p{Emoji_Presentation}]$/u.test(character) ? 2 : 1
}

export class Vt {
  columns: number
  rows: number
  /** Rows of cells; the second half of a wide character is ''. What has left the screen stands before `#top`. */
  #lines: string[][] = [[]]
  #top = 0
  row = 0
  column = 0
  #full = false
  bells = 0
  bracketed = false

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
  }

  resize(columns: number, rows: number): void {
    this.columns = columns
    this.rows = rows
    this.#lines = this.#lines.map((line) => line.slice(0, columns))
    this.column = Math.min(this.column, columns - 1)
    this.#full = false
  }

  /** All rows, those above the screen included, without blanks at their ends. */
  get text(): string[] {
    return this.#lines.map((line) => line.join('').trimEnd())
  }

  /** What is on the screen, down to the last row that was written. */
  get screen(): string[] {
    return this.text.slice(this.#top)
  }

  write(text: string): void {
    for (let at = 0; at < text.length;) {
      const character = String.fromCodePoint(text.codePointAt(at) ?? 0)
      if (character !== '\x1b') {
        this.#character(character)
        at += character.length
        continue
      }
      SEQUENCE.lastIndex = at
      const found = SEQUENCE.exec(text)
      if (found === null) throw new Error(`no sequence: ${JSON.stringify(text.slice(at, at + 8))}`)
      this.#sequence(found.groups?.['final'] ?? '', found.groups?.['parameters'] ?? '')
      at = SEQUENCE.lastIndex
    }
  }

  #sequence(final: string, parameters: string): void {
    const count = parameters === '' ? 1 : Number(parameters)
    if (final === 'A') this.#move(this.row - count, this.column)
    else if (final === 'B') this.#move(this.row + count, this.column)
    else if (final === 'C') this.#move(this.row, this.column + count)
    else if (final === 'H' && parameters === '') this.#move(0, 0)
    else if (final === 'J' && parameters === '') this.#erase()
    else if (final === 'J' && parameters === '2') this.#lines.length = this.#top
    else if (parameters === '?2004') this.bracketed = final === 'h'
    else throw new Error(`sequence ${parameters}${final}`)
  }

  #move(row: number, column: number): void {
    this.row = Math.max(0, Math.min(row, this.rows - 1))
    this.column = Math.max(0, Math.min(column, this.columns - 1))
    this.#full = false
  }

  #erase(): void {
    this.#lines.length = Math.min(this.#lines.length, this.#top + this.row + 1)
    this.#line().length = Math.min(this.#line().length, this.column)
  }

  #character(character: string): void {
    if (character === '\r') this.#move(this.row, 0)
    else if (character === '\n') this.#feed()
    else if (character === '\b') this.#move(this.row, this.column - 1)
    else if (character === '\x07') this.bells += 1
    else if (/\p{C}/u.test(character)) throw new Error(`control ${JSON.stringify(character)}`)
    else this.#print(character)
  }

  #feed(): void {
    this.#full = false
    if (this.row < this.rows - 1) this.row += 1
    else this.#top += 1
    this.#line()
  }

  #print(character: string): void {
    const width = widthOf(character)
    if (width === 0) return this.#combine(character)
    if (this.#full || this.column + width > this.columns) {
      this.column = 0
      this.#feed()
    }
    const line = this.#line()
    while (line.length < this.column) line.push(' ')
    line.splice(this.column, width, ...(width === 2 ? [character, ''] : [character]))
    this.column += width
    this.#full = this.column >= this.columns
    if (this.#full) this.column = this.columns - 1
  }

  #combine(mark: string): void {
    const line = this.#line()
    let at = this.#full ? line.length - 1 : this.column - 1
    if (line[at] === '') at -= 1
    if (at < 0) throw new Error('a mark on nothing')
    line[at] = `${line[at] ?? ' '}${mark}`
  }

  #line(): string[] {
    while (this.#lines.length <= this.#top + this.row) this.#lines.push([])
    return this.#lines[this.#top + this.row] as string[]
  }
}
