/** Named members of an object, each of which is there at most once. */
import { malformed, Members, OPEN_ARRAY, OPEN_OBJECT, QUOTE, skipValue, textAt } from './json.ts'

/** Where a value lies. */
export interface Span {
  readonly start: number
  readonly end: number
}

interface Found {
  /** In the order of the names; null for those that are not there. */
  readonly spans: readonly (Span | null)[]
  /** There are others than those that were looked for. */
  readonly others: boolean
  readonly end: number
}

/** Throws {@link Incomplete}, and what refuses two of one name: clients read one or the other. */
export function find(bytes: Buffer, from: number, end: number, names: readonly Buffer[]): Found {
  const spans: (Span | null)[] = names.map(() => null)
  if (bytes[from] !== OPEN_OBJECT) throw malformed()
  let others = false
  const members = new Members(bytes, from, end)
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    const index = names.findIndex((name) => members.is(name))
    if (index === -1) others = true
    else if (spans[index] !== null) throw malformed()
    else spans[index] = { start: value, end: members.at }
  }
  return { spans, others, end: members.at }
}

const IDENTITY = ['kind', 'apiVersion', 'items', 'rows'].map((name) => Buffer.from(name))

export interface Identity {
  readonly kind: string
  readonly apiVersion: string
  /** Where the arrays begin; −1 without. */
  readonly items: number
  readonly rows: number
}

export function identityOf(bytes: Buffer, from: number, end: number): Identity {
  const [kind, apiVersion, items, rows] = find(bytes, from, end, IDENTITY).spans
  return {
    kind: textOf(bytes, kind),
    apiVersion: textOf(bytes, apiVersion),
    items: arrayAt(bytes, items),
    rows: arrayAt(bytes, rows),
  }
}

const NAMES = ['name', 'namespace'].map((name) => Buffer.from(name))

/** Of the metadata at `from`. */
export function namesOf(bytes: Buffer, from: number, end: number): { name: string; namespace: string } {
  if (from === -1 || bytes[from] !== OPEN_OBJECT) return { name: '', namespace: '' }
  const [name, namespace] = find(bytes, from, end, NAMES).spans
  return { name: textOf(bytes, name), namespace: textOf(bytes, namespace) }
}

/** Empty where it is no text. */
export function textOf(bytes: Buffer, span: Span | null | undefined): string {
  return span == null || bytes[span.start] !== QUOTE ? '' : textAt(bytes, span.start, span.end)
}

function arrayAt(bytes: Buffer, span: Span | null | undefined): number {
  return span == null || bytes[span.start] !== OPEN_ARRAY ? -1 : span.start
}
