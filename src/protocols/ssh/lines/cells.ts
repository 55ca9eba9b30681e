/**
 * How characters are shown: nothing that an agent typed reaches a terminal but what prints. Controls, and characters
 * that print nothing or turn the text around, stay in the text and are shown by their names.
 */

/** One place of a line: a character with the marks that stand on it. */
export interface Cell {
  readonly text: string
  /** Where `named`, ASCII that may be broken anywhere; else one glyph. */
  readonly shown: string
  readonly width: number
  readonly named: boolean
}

/** Stands on the character before it. */
const MARK = /^[\p{Mn}\p{Me}\u1160-\u11ff]$/u
/** Prints nothing of its own, or is not assigned: no two terminals agree on it, and some of these reorder the text. */
const UNSEEN = /^[\p{C}\p{Zl}\p{Zp}\u115f\u3164\uffa0\ufffd]$/u
const PICTURE = /^\p{Emoji_Presentation}$/u

/** First and last characters of what East Asian fonts, and terminals, give two columns (Unicode's East_Asian_Width W and F). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115e],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6b],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f200, 0x1f265],
  [0x20000, 0x3fffd],
]

export function isMark(character: string): boolean {
  return character.charCodeAt(0) >= 0x300 && MARK.test(character)
}

export function cellOf(character: string): Cell {
  const code = character.codePointAt(0) ?? 0
  if (code >= 0x20 && code < 0x7f) return { text: character, shown: character, width: 1, named: false }
  if (code < 0x20 || code === 0x7f) return named(character, `^${String.fromCharCode(code ^ 0x40)}`)
  if (UNSEEN.test(character) || isMark(character)) {
    return named(character, `<${code.toString(16).toUpperCase().padStart(4, '0')}>`)
  }
  return { text: character, shown: character, width: isWide(character, code) ? 2 : 1, named: false }
}

/** @returns null where the mark has nothing to stand on */
export function marked(cell: Cell | undefined, mark: string): Cell | null {
  if (cell === undefined || cell.named) return null
  return { ...cell, text: cell.text + mark, shown: cell.shown + mark }
}

/** A text as it may be shown. */
export function cellsOf(text: string): Cell[] {
  const cells: Cell[] = []
  for (const character of text) {
    const whole = isMark(character) ? marked(cells.at(-1), character) : null
    if (whole === null) cells.push(cellOf(character))
    else cells[cells.length - 1] = whole
  }
  return cells
}

/** A text of whatever origin, harmless on one line of a terminal. */
export function visible(text: string): string {
  return cellsOf(text.replaceAll(/\s+/g, ' '))
    .map((cell) => cell.shown)
    .join('')
}

function named(text: string, shown: string): Cell {
  return { text, shown, width: shown.length, named: true }
}

function isWide(character: string, code: number): boolean {
  if (code < 0x1100) return false
  return PICTURE.test(character) || WIDE.some(([first, last]) => code >= first && code <= last)
}
