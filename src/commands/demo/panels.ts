/** Text in boxes, side by side where the terminal is wide enough. */
import { stripVTControlCharacters } from 'node:util'
import type { Paint } from '../../config/printout.ts'

/** Narrower than this, boxes stand one above the other. */
const SIDE_BY_SIDE = 96
const NARROWEST = 40
const WIDEST = 132

export interface Panel {
  readonly title: string
  readonly lines: readonly string[]
}

/** How wide to print; what is not a terminal gets a page. */
export function pageWidth(columns: number | undefined): number {
  return Math.min(WIDEST, Math.max(NARROWEST, columns ?? 112))
}

export function sideBySide(left: Panel, right: Panel, width: number, paint: Paint): string[] {
  if (width < SIDE_BY_SIDE) return [...box(left, width - 2, 0, paint), ...box(right, width - 2, 0, paint)].map(indent)
  const [leftWidth, rightWidth] = [Math.floor((width - 4) / 2), Math.ceil((width - 4) / 2)]
  const height = Math.max(wrapAll(left, leftWidth).length, wrapAll(right, rightWidth).length)
  const one = box(left, leftWidth, height, paint)
  const other = box(right, rightWidth, height, paint)
  return one.map((line, index) => indent(`${line}  ${other[index] ?? ''}`))
}

/** A result set in columns; long values are cut, and so are many rows. */
export function table(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  most: number,
  paint: Paint,
): string[] {
  const shown = rows.slice(0, most)
  const widths = columns.map((column, index) => Math.max(column.length, ...shown.map((row) => row[index]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd()
  const rest = rows.length > most ? [paint.dim(`… ${rows.length - most} more`)] : []
  return [paint.dim(line(columns)), ...shown.map(line), ...rest]
}

/** Splits a text into lines of at most `width`, at blanks where there are any. Colours do not count, and are not cut. */
export function wrap(text: string, width: number): string[] {
  const plain = stripVTControlCharacters(text)
  if (plain.length <= width) return [text]
  // What is too long is seldom coloured; where it is, it loses its colours rather than be cut within one.
  const lines: string[] = []
  let rest = plain
  // What goes on stands under where it began, behind a label such as `HINT    `.
  const hanging = ' '.repeat(Math.min(/^(?:\S+ {2,}| *)/.exec(plain)?.[0].length ?? 0, width >> 1))
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width)
    const at = blank > hanging.length ? blank : width
    lines.push(rest.slice(0, at).trimEnd())
    rest = hanging + rest.slice(at).trimStart()
  }
  return [...lines, rest]
}

function wrapAll(panel: Panel, width: number): string[] {
  return panel.lines.flatMap((line) => wrap(line, width - 4))
}

function box(panel: Panel, width: number, height: number, paint: Paint): string[] {
  const lines = wrapAll(panel, width)
  while (lines.length < height) lines.push('')
  const title = ` ${panel.title} `
  const side = paint.dim('│')
  const pad = (line: string) => line + ' '.repeat(Math.max(0, width - 4 - stripVTControlCharacters(line).length))
  return [
    `${paint.dim('┌─')}${paint.dim(title)}${paint.dim(`${'─'.repeat(Math.max(0, width - 3 - title.length))}┐`)}`,
    ...lines.map((line) => `${side} ${pad(line)} ${side}`),
    paint.dim(`└${'─'.repeat(width - 2)}┘`),
  ]
}

function indent(line: string): string {
  return `  ${line}`
}
