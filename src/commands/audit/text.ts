/** Text that an agent wrote, made safe and honest for a terminal: one line, and nothing in it that is not seen. */

/** A piece of a line: as it is, or an escape that stands for what cannot be shown. */
export interface Piece {
  readonly text: string
  readonly escaped: boolean
}

/**
 * What would act on a terminal, or be there without being seen: controls, format characters (bidirectional overrides,
 * zero-width, tags), line and paragraph separators, private, unassigned and lone surrogates, spaces other than the one, variation
 * selectors, and letters that are drawn as nothing (the blank of Braille is the only one that Unicode does not list).
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u
/** Marks that pile up on one letter can be drawn over other lines. */
const MARK = /\p{M}/u
const MARKS_ON_ONE = 2
/** Drawn two columns wide. */
const WIDE =
  /[\u1100-\u115e\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
/** Where a comment ends is part of what a statement means, so a line's end is shown and not swallowed. */
const LINE_END = '↵'
const ELLIPSIS = '…'

/** Pieces of at most `width` columns together; null for as many as there are. With `layout` spaces stay as they are. */
export function visible(text: string, width: number | null, layout = false): Piece[] {
  const pieces: Piece[] = []
  let columns = 0
  let marks = 0
  for (const { text: piece, escaped } of layout ? each(text) : seen(text)) {
    const mark = !escaped && MARK.test(piece)
    marks = mark ? marks + 1 : 0
    const shown = marks > MARKS_ON_ONE ? escapeOf(piece) : piece
    const is = escaped || marks > MARKS_ON_ONE
    columns += mark && !is ? 0 : widthOf(shown)
    if (width !== null && columns > width) return shortened(pieces, width)
    pieces.push({ text: shown, escaped: is })
  }
  return merged(pieces)
}

/** The columns that a text without unseen characters takes. */
export function widthOf(text: string): number {
  let columns = 0
  for (const character of text) columns += MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return columns
}

/** As {@link visible}, without telling escapes apart. */
export function plain(text: string, width: number | null = null): string {
  return visible(text, width)
    .map((piece) => piece.text)
    .join('')
}

/** Text of several lines, each of them safe: messages of errors, which name files and quote what others said. */
export function lines(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      visible(line, null, true)
        .map((piece) => piece.text)
        .join(''),
    )
    .join('\n')
}

/** The same JSON, in which nothing acts on a terminal: what would is written as JSON escapes it. */
export function safeJson(json: string): string {
  return json.replaceAll(new RegExp(UNSEEN.source, 'gu'), (character) =>
    character === '\n' ? character : [...unitsOf(character)].join(''),
  )
}

function* unitsOf(character: string): Generator<string> {
  for (let at = 0; at < character.length; at++) yield `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
}

/** A value as it was parsed, with every text in it on one line and safe; its spaces stay. */
export function plainly<T>(value: T): T {
  if (typeof value === 'string') return lines(value).replaceAll('\n', ` ${LINE_END} `) as T
  if (Array.isArray(value)) return value.map((item: unknown) => plainly(item)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [plainly(key), plainly<unknown>(item)])) as T
}

function* seen(text: string): Generator<Piece> {
  // Indentation and line ends of a statement, whatever the system: one space, or one sign.
  for (const part of text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '').split(/((?:[ \t]*(?:\r\n|\n))+[ \t]*|[ \t]+)/)) {
    if (/^[ \t]+$/.test(part)) yield { text: ' ', escaped: false }
    else if (/^[ \t\r\n]+$/.test(part) && part.includes('\n')) yield { text: ` ${LINE_END} `, escaped: true }
    else {
      yield* each(part)
    }
  }
}

function* each(text: string): Generator<Piece> {
  for (const character of text) {
    const escaped = UNSEEN.test(character)
    yield { text: escaped ? escapeOf(character) : character, escaped }
  }
}

function escapeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

function shortened(pieces: readonly Piece[], width: number): Piece[] {
  const kept = [...pieces]
  let columns = kept.reduce((sum, piece) => sum + widthOf(piece.text), 0)
  for (let last = kept.at(-1); columns > width - 1 && last !== undefined; last = kept.at(-1)) {
    columns -= widthOf(last.text)
    kept.pop()
  }
  return width < 1 ? [] : merged([...kept, { text: ELLIPSIS, escaped: false }])
}

function merged(pieces: readonly Piece[]): Piece[] {
  const runs: { text: string; escaped: boolean }[] = []
  for (const { text, escaped } of pieces) {
    const last = runs.at(-1)
    if (last?.escaped === escaped) last.text += text
    else runs.push({ text, escaped })
  }
  return runs
}
