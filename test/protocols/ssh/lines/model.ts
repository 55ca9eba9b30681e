/** What an editor of lines is, without a terminal: words for keys, and a list with a place in it. */
import fc from 'fast-check'
import { widthOf } from './vt.ts'

export const ALPHABET = ['a', 'b', ' ', "'", '|', 'é', '漢', '한', '😀', '\u0301', '\u0308']
const KEYS = {
  left: ['\x1b[D', '\x1bOD', '\x02'],
  right: ['\x1b[C', '\x1bOC', '\x06'],
  home: ['\x01', '\x1b[H', '\x1bOH', '\x1b[1~', '\x1b[7~'],
  end: ['\x05', '\x1b[F', '\x1bOF', '\x1b[4~', '\x1b[8~'],
  backspace: ['\x7f', '\b'],
  delete: ['\x1b[3~'],
  'kill-to-end': ['\x0b'],
  'kill-to-start': ['\x15'],
  'kill-word': ['\x17'],
  'clear-screen': ['\x0c'],
  nothing: ['\t', '\x1b[99~', '\x1b[1;5C', '\x1bx', '\x1b]11;rgb:0/0/0\x07', '\x1bP1$r\x1b\\', '\x00', '\x1a'],
  interrupt: ['\x03'],
  enter: ['\r', '\n', '\r\n'],
  up: ['\x1b[A', '\x10'],
  down: ['\x1b[B', '\x0e'],
} as const
export type Act = keyof typeof KEYS

export type Typing =
  | { readonly kind: 'text'; readonly text: string; readonly bytes: string }
  | { readonly kind: Act; readonly bytes: string }

const text = fc
  .array(fc.constantFrom(...ALPHABET), { minLength: 1, maxLength: 12, size: 'max' })
  .map((characters) => characters.join(''))

export function typing(acts: readonly Act[]): fc.Arbitrary<Typing> {
  return fc.oneof(
    { weight: 2, arbitrary: text.map((text): Typing => ({ kind: 'text', text, bytes: text })) },
    {
      weight: 1,
      arbitrary: text.map((text): Typing => ({ kind: 'text', text, bytes: `\x1b[200~${text}\x1b[201~` })),
    },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(...acts)
        .chain((kind) => fc.constantFrom(...KEYS[kind]).map((bytes): Typing => ({ kind, bytes }))),
    },
  )
}
export const EDITING: readonly Act[] = [
  ...(['left', 'right', 'home', 'end', 'backspace', 'delete', 'kill-to-end', 'kill-to-start', 'kill-word'] as const),
  ...(['clear-screen', 'nothing'] as const),
]
export const ALL = Object.keys(KEYS) as Act[]

/** A mark that has nothing to stand on is a place of its own, and shown by its number. */
export class Model {
  places: string[] = []
  cursor = 0
  entered: string[] = []
  interrupts = 0

  get line(): string {
    return this.places.join('')
  }

  apply(typing: Typing): void {
    if (typing.kind === 'text') for (const character of typing.text) this.#insert(character)
    else this.#act(typing.kind)
  }

  #insert(character: string): void {
    const before = this.places[this.cursor - 1]
    if (widthOf(character) === 0 && before !== undefined && widthOf(before[0] ?? '') !== 0) {
      this.places[this.cursor - 1] = before + character
    } else this.places.splice(this.cursor++, 0, character)
  }

  #act(act: Act): void {
    const before = this.places.slice(0, this.cursor)
    switch (act) {
      case 'left':
        this.cursor = Math.max(0, this.cursor - 1)
        break
      case 'right':
        this.cursor = Math.min(this.places.length, this.cursor + 1)
        break
      case 'home':
        this.cursor = 0
        break
      case 'end':
        this.cursor = this.places.length
        break
      case 'backspace':
        this.#keep(before.slice(0, -1))
        break
      case 'delete':
        this.places.splice(this.cursor, 1)
        break
      case 'kill-to-end':
        this.places.length = this.cursor
        break
      case 'kill-to-start':
        this.#keep([])
        break
      case 'kill-word':
        while (before.at(-1) === ' ') before.pop()
        while (before.length > 0 && before.at(-1) !== ' ') before.pop()
        this.#keep(before)
        break
      case 'interrupt':
        this.interrupts += 1
        this.#anew()
        break
      case 'enter':
        this.entered.push(this.line)
        this.#anew()
        break
      default:
        break
    }
  }

  #keep(before: string[]): void {
    this.places = [...before, ...this.places.slice(this.cursor)]
    this.cursor = before.length
  }

  #anew(): void {
    this.places = []
    this.cursor = 0
  }

  /** What a terminal of that width shows, and where its cursor is. */
  shown(prompt: string, columns: number): { rows: string[]; row: number; column: number } {
    const rows: string[] = ['']
    let column = 0
    let cursor = { row: 0, column: 0 }
    const parts = [
      ...prompt,
      ...this.places.flatMap((place) => (widthOf(place[0] ?? '') === 0 ? glyphsOf(place) : [place])),
    ]
    const before =
      prompt.length +
      this.places
        .slice(0, this.cursor)
        .reduce((sum, place) => sum + (widthOf(place[0] ?? '') === 0 ? glyphsOf(place).length : 1), 0)
    for (const [index, part] of [...parts, ''].entries()) {
      const width =
        part === '' ? 1 : widthOf(part[0] === undefined ? '' : String.fromCodePoint(part.codePointAt(0) ?? 0))
      if (column + width > columns) {
        rows.push('')
        column = 0
      }
      if (index === before) cursor = { row: rows.length - 1, column }
      if (part === '') continue
      rows[rows.length - 1] = `${rows.at(-1)}${part}`
      column += width
    }
    return { rows: rows.map((row) => row.trimEnd()), ...cursor }
  }
}

function glyphsOf(mark: string): string[] {
  return [...`<${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`]
}
