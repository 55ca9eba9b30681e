/** Puts a line on a terminal, and keeps to what is there already. */
import type { Cell } from './cells.ts'

/** What is to be seen: the prompt, and the line behind it. */
export interface Scene {
  readonly prompt: readonly Cell[]
  readonly line: readonly Cell[]
  /** Of the line. */
  readonly cursor: number
}

/** What differs from what was drawn last: nothing but the cursor's place, cells at the end from this one on, or anything. */
export type Change = 'cursor' | number | 'all'

export interface Display {
  draw(scene: Scene, change: Change): string
  /** The line is entered: all of it is shown, and the cursor stands on the row below. */
  finish(scene: Scene): string
  /** Whatever is written next begins a new line. */
  forget(): void
  clearScreen(): string
  resize(columns: number, rows: number): void
}

/** Where clients do not say, as terminals have been for fifty years. */
const COLUMNS = 80
const ROWS = 24
/** Beyond this a number is a mistake, or meant to harm. */
const LARGEST = 10_000

export class ScreenDisplay implements Display {
  #columns = COLUMNS
  #rows = ROWS
  /** Which row of the layout is the first on the screen. */
  #top = 0
  /** The cursor's place, from the first row that is drawn. */
  #row = 0
  #column = 0
  /** The cursor is behind the last cell, and all rows are on the screen. */
  #atEnd = false
  /** Nothing of the line is on the screen yet. */
  #fresh = true

  constructor(columns: number, rows: number) {
    this.resize(columns, rows)
  }

  resize(columns: number, rows: number): void {
    this.#columns = sane(columns, COLUMNS)
    this.#rows = sane(rows, ROWS)
    this.#atEnd = false
  }

  forget(): void {
    this.#top = 0
    this.#row = 0
    this.#column = 0
    this.#atEnd = false
    this.#fresh = true
  }

  clearScreen(): string {
    this.forget()
    return '\x1b[H\x1b[2J'
  }

  draw(scene: Scene, change: Change): string {
    if (typeof change === 'number' && this.#atEnd && scene.cursor === scene.line.length) {
      const appended = this.#append(scene.line, change)
      if (appended !== null) return appended
    }
    const { rows, row, column } = layout(scene, this.#columns)
    const top = this.#window(rows.length, row)
    const kept = change === 'cursor' && top === this.#top
    const last = Math.min(rows.length, top + this.#rows)
    const text = kept ? '' : `${this.#home()}${rows.slice(top, last).join('\r\n')}`
    const from = kept ? this.#row : last - 1 - top
    const behind = scene.cursor === scene.line.length && !kept
    this.#fresh = false
    this.#top = top
    this.#row = row - top
    this.#column = column
    this.#atEnd = scene.cursor === scene.line.length && rows.length <= this.#rows
    if (behind) return text
    return `${text}${vertical(this.#row - from)}\r${column > 0 ? `\x1b[${column}C` : ''}`
  }

  finish(scene: Scene): string {
    const { rows } = layout({ ...scene, cursor: scene.line.length }, this.#columns)
    const whole = rows.length <= this.#rows && this.#top === 0
    const text = whole ? vertical(rows.length - 1 - this.#row) : `${this.#home()}${rows.join('\r\n')}`
    this.forget()
    // A row that is full has another one below it already.
    return `${text}\r${rows.length > 1 && rows.at(-1) === '' ? '' : '\n'}`
  }

  /** @returns null where that is not enough */
  #append(cells: readonly Cell[], from: number): string | null {
    let text = ''
    let [row, column] = [this.#row, this.#column]
    for (let index = from; index < cells.length; index += 1) {
      for (const glyph of glyphs(cells[index], this.#columns)) {
        if (column + glyph.width > this.#columns) {
          text += '\r\n'
          row += 1
          column = 0
        }
        text += glyph.shown
        column += glyph.width
        if (column < this.#columns) continue
        text += '\r\n'
        row += 1
        column = 0
      }
    }
    if (row >= this.#rows) return null
    this.#row = row
    this.#column = column
    return text
  }

  /** To the first row that is drawn, with nothing on the screen from there on. */
  #home(): string {
    return this.#fresh ? '' : `${vertical(-this.#row)}\r\x1b[J`
  }

  /** Of a line with more rows than the screen, those around the cursor. */
  #window(rows: number, row: number): number {
    if (rows <= this.#rows) return 0
    const lowest = Math.max(0, row - this.#rows + 1)
    return Math.min(Math.max(this.#top, lowest), row, rows - this.#rows)
  }
}

/** For terminals that know no sequences: it only goes on, and back by single steps. The cursor is always at the end. */
export class PlainDisplay implements Display {
  #drawn: readonly Cell[] = []

  draw({ prompt, line }: Scene): string {
    const cells = [...prompt, ...line]
    let same = 0
    while (same < cells.length && this.#drawn[same]?.shown === cells[same]?.shown) same += 1
    const gone = this.#drawn.slice(same).reduce((width, cell) => width + cell.width, 0)
    this.#drawn = cells
    return `${erased(gone)}${cells
      .slice(same)
      .map((cell) => cell.shown)
      .join('')}`
  }

  finish(scene: Scene): string {
    const text = this.draw(scene)
    this.forget()
    return `${text}\r\n`
  }

  forget(): void {
    this.#drawn = []
  }

  clearScreen(): string {
    return ''
  }

  resize(): void {}
}

/** Takes back this many columns. */
export function erased(width: number): string {
  return '\b \b'.repeat(width)
}

function layout({ prompt, line, cursor }: Scene, columns: number): { rows: string[]; row: number; column: number } {
  const rows: string[] = []
  let current = ''
  let column = 0
  let place = { row: 0, column: 0 }
  const breakRow = (): void => {
    rows.push(current)
    current = ''
    column = 0
  }
  const cells = [...prompt, ...line]
  for (const [index, cell] of cells.entries()) {
    for (const [part, glyph] of glyphs(cell, columns).entries()) {
      if (column + glyph.width > columns) breakRow()
      if (part === 0 && index === prompt.length + cursor) place = { row: rows.length, column }
      current += glyph.shown
      column += glyph.width
    }
  }
  if (column >= columns) breakRow()
  rows.push(current)
  return cursor >= line.length ? { rows, row: rows.length - 1, column } : { rows, ...place }
}

function glyphs(
  cell: Cell | undefined,
  columns: number,
): readonly { readonly shown: string; readonly width: number }[] {
  if (cell === undefined) return []
  if (cell.named) return [...cell.shown].map((shown) => ({ shown, width: 1 }))
  return cell.width > columns ? [{ shown: '?', width: columns }] : [cell]
}

function vertical(rows: number): string {
  if (rows === 0) return ''
  return rows > 0 ? `\x1b[${rows}B` : `\x1b[${-rows}A`
}

function sane(size: number, otherwise: number): number {
  return Number.isInteger(size) && size > 0 && size <= LARGEST ? size : otherwise
}
