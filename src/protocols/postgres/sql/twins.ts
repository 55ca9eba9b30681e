/**
 * Texts that differ in integers only mean the same, as far as policy judges them, and need not be parsed again.
 *
 * PostgreSQL's lexer is a deterministic automaton: two texts that are equal but for one run of digits are in the same
 * state where the run begins, and the run is one token in both when no character beside it can join it. Tokens of one kind are
 * all alike to the grammar. So the trees are equal but for the constant, and the facts are too where they do not hang on
 * the constant's value. That is checked on the text that was parsed: it only reads, and every run of digits that is
 * replaced is an integer constant that a column is compared with (`aid = 42`). Whatever else there is, `LIMIT 5`, digits in
 * a string or a comment, an UPDATE (whose WHERE may be true for every row with one constant and not with another), is
 * parsed each time.
 */
import type { Analysis, Statement } from '../statement.ts'

/** Longer texts are rarely sent again with other numbers, and their keys would cost what parsing them costs. */
const LONGEST_TEXT = 1024
const MOST_TEXTS = 1024
/**
 * Up to nine digits are always an int4. What may stand before and after them joins no number, no name, no parameter and
 * no string.
 */
const INTEGER = /(?<=[ \t\n=(])\d{1,9}(?=[ \t\n;)]|$)/g
/** Stands for a run in keys; no text that is parsed holds it. */
const HOLE = '\0'

export class Twins {
  #revision = -1
  readonly #known = new Map<string, Statement | null>()

  /** The analysis of a text of which only integers are new; undefined where it has to be parsed. */
  find(text: string, revision: number): Analysis | undefined {
    if (text.length > LONGEST_TEXT) return undefined
    if (revision !== this.#revision) {
      this.#known.clear()
      this.#revision = revision
    }
    const twin = this.#known.get(keyOf(text))
    if (twin === undefined || twin === null) return undefined
    return analysisOf(text, twin)
  }

  /** Remembers what a parsed text says of its twins. */
  learn(text: string, analysis: Analysis): void {
    if (text.length > LONGEST_TEXT || analysis.kind !== 'statements') return
    const [statement] = analysis.statements
    if (statement === undefined || analysis.statements.length !== 1 || text.includes(HOLE)) return
    const key = keyOf(text)
    if (key === text || this.#known.has(key)) return
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MOST_TEXTS && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, replaceable(text, statement) ? statement : null)
  }
}

function keyOf(text: string): string {
  return text.replaceAll(INTEGER, HOLE)
}

/** Shares facts, tree and role with its twin, by identity; only the text is its own. */
function analysisOf(text: string, twin: Statement): Analysis {
  const { protocol, action, detail } = twin.shape
  const shape = Object.freeze({ protocol, action, text, detail })
  const statement = Object.freeze({ ...twin, shape })
  return { kind: 'statements', statements: [statement] }
}

/** It only reads, and every run of digits is an integer constant that a column is compared with. */
function replaceable(text: string, { shape, role, tree, readsOnly }: Statement): boolean {
  const plainRead = readsOnly && role.is === 'plain' && shape.action === 'select' && shape.detail['where'] === null
  if (!plainRead || shape.recorded !== undefined || shape.text !== text) return false
  const places = new Set<number>()
  comparedIntegers(tree, places)
  // Locations are offsets in bytes: beyond ASCII they would not be those of the text.
  if (Buffer.byteLength(text) !== text.length) return false
  return [...text.matchAll(INTEGER)].every(({ index }) => places.has(index))
}

type Tree = Readonly<Record<string, unknown>>

function comparedIntegers(node: unknown, places: Set<number>): void {
  if (Array.isArray(node)) {
    for (const item of node) comparedIntegers(item, places)
    return
  }
  if (typeof node !== 'object' || node === null) return
  for (const [name, value] of Object.entries(node)) {
    if (name === 'A_Expr') compared(value as Tree, places)
    comparedIntegers(value, places)
  }
}

function compared({ kind, lexpr, rexpr }: Tree, places: Set<number>): void {
  const constant = (rexpr as Tree | undefined)?.['A_Const'] as Tree | undefined
  if (kind !== 'AEXPR_OP' || constant === undefined || (lexpr as Tree | undefined)?.['ColumnRef'] === undefined) return
  if (constant['ival'] !== undefined && typeof constant['location'] === 'number') places.add(constant['location'])
}
