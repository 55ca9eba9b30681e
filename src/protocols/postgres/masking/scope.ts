/** What names mean inside a query: the server's own rules, and where they leave a doubt, the answer that hides more. */
import type { Relation } from '../catalogue.ts'
import type { ColumnMask } from './compile.ts'

/** A bare column of a base table, carried through untouched. */
export interface Origin {
  readonly table: number
  readonly attnum: number
  readonly mask: ColumnMask | null
}

/** One column of a query, a table, a join. Its origin is null where it is an expression, in which no masked column takes part. */
export interface ScopeColumn {
  /** null: the server makes up a name that is not predicted. */
  readonly name: string | null
  readonly origin: Origin | null
  /** The server has made up the name: it is looked up by it, and not checked for it. */
  readonly made?: boolean
}

/** Columns in order. Open: there are others, at unknown places and of unknown names; none of these is masked. */
export interface Columns {
  readonly list: readonly ScopeColumn[]
  readonly open: boolean
}

export const NO_COLUMNS: Columns = Object.freeze({ list: Object.freeze([]), open: false })

/** What a name before the dot may stand for: a table or its alias, a subquery, a join's alias. */
export interface Range {
  readonly name: string
  /** The relation, where it has no alias and may so be named with its schema. */
  readonly relation: Relation | null
  readonly columns: Columns
}

/** One item of FROM: what it shows without a qualifier (and by `*`), and what it shows by name. */
export interface FromItem {
  readonly columns: Columns
  readonly ranges: readonly Range[]
}

export function itemOf(range: Range): FromItem {
  return { columns: range.columns, ranges: [range] }
}

/** One level of a query, inside those around it. */
export interface Scope {
  readonly items: readonly FromItem[]
  readonly parent: Scope | null
}

/** What a reference means. `unknown`: to the server an error, or something newer than the catalogue. */
export type Meaning =
  | { readonly is: 'column'; readonly origin: Origin | null; readonly certain: boolean }
  | { readonly is: 'row'; readonly columns: Columns }
  | { readonly is: 'unknown' }

/** Columns that every table has. */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

const EXPRESSION: Meaning = Object.freeze({ is: 'column', origin: null, certain: true })
const UNKNOWN: Meaning = Object.freeze({ is: 'unknown' })

export function maskedColumn(columns: Columns): ColumnMask | null {
  for (const { origin } of columns.list) if (origin?.mask) return origin.mask
  return null
}

/** A masked column that any level shows, whatever its name. */
export function maskedInSight(scope: Scope | null): ColumnMask | null {
  for (let level = scope; level !== null; level = level.parent) {
    for (const item of level.items) {
      for (const columns of [item.columns, ...item.ranges.map((range) => range.columns)]) {
        const mask = maskedColumn(columns)
        if (mask !== null) return mask
      }
    }
  }
  return null
}

/** Several candidates are an error to the server; here the masked one is meant. */
function among(hits: readonly ScopeColumn[], certain: boolean): Meaning {
  const hit = hits.find((column) => column.origin?.mask) ?? hits[0]
  return { is: 'column', origin: hit?.origin ?? null, certain: certain && hits.length === 1 }
}

/** A name without a qualifier: the innermost column, else a whole row. */
export function unqualified(scope: Scope, name: string): Meaning {
  let open = false
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const hits = level.items.flatMap((item) => item.columns.list.filter((column) => column.name === name))
    if (hits.length > 0) return among(hits, !open)
    open ||= level.items.some(({ columns }) => columns.open || columns.list.some((column) => column.name === null))
  }
  const ranges = rangesNamed(scope, name)
  if (ranges.length > 0) return { is: 'row', columns: together(ranges) }
  return open || SYSTEM_COLUMNS.has(name) ? EXPRESSION : UNKNOWN
}

/** `range.column`; what is no column of the range is a function of its whole row. */
export function qualified(ranges: readonly Range[], name: string): Meaning {
  if (ranges.length === 0) return UNKNOWN
  const columns = together(ranges)
  const hits = columns.list.filter((column) => column.name === name)
  if (hits.length > 0) return among(hits, true)
  if (SYSTEM_COLUMNS.has(name)) return EXPRESSION
  return { is: 'row', columns }
}

/** The ranges of that name at the innermost level that has any. */
export function rangesNamed(scope: Scope, name: string): readonly Range[] {
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const ranges = level.items.flatMap((item) => item.ranges.filter((range) => range.name === name))
    if (ranges.length > 0) return ranges
  }
  return []
}

/** Tables without an alias, named with their schema. */
export function rangesOf(scope: Scope, schema: string, name: string): readonly Range[] {
  const ranges: Range[] = []
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    for (const item of level.items) {
      ranges.push(...item.ranges.filter(({ relation }) => relation?.schema === schema && relation.name === name))
    }
  }
  return ranges
}

export function together(parts: readonly { readonly columns: Columns }[]): Columns {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only.columns
  return {
    list: parts.flatMap((part) => part.columns.list),
    open: parts.some((part) => part.columns.open),
  }
}
