/** Functions that no statement names: behind views, row security, defaults, checks, indexes, domains and casts. */
import type { FunctionEntry } from '../catalogue.ts'
import type { Builtins } from './builtins.ts'
import { closure, pairs, type Rows } from './rows.ts'

export interface Calls {
  /** By relation. */
  readonly showing: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly writing: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly checking: ReadonlyMap<number, readonly FunctionEntry[]>
  /** By type. */
  readonly typeChecks: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly typeCasts: ReadonlyMap<number, readonly FunctionEntry[]>
}

interface CallRows {
  readonly calls: Rows
  readonly typeParts: Rows
}

/** A serial column's default, which every table may have: it draws the row's own key. */
const OWN_KEY = 'nextval'

export function callsOf(rows: CallRows, functions: readonly FunctionEntry[], builtins: Builtins): Calls {
  const byOid = new Map(functions.map((entry) => [entry.oid, entry]))
  const entryOf = (oid: number) => byOid.get(oid) ?? builtins.functionsByOid.get(oid)
  const types = checksOf(rows, entryOf)
  const of = (place: string): ReadonlyMap<number, readonly FunctionEntry[]> => {
    const found = new Map<number, readonly FunctionEntry[]>()
    for (const [owner, entries] of placed(rows.calls, place, entryOf, types)) {
      const unseen = entries.filter((entry) => entry.class !== 'pure' && entry.name !== OWN_KEY)
      if (unseen.length > 0) found.set(owner, Object.freeze(unseen))
    }
    return found
  }
  return {
    showing: of('shows'),
    writing: of('writes'),
    checking: of('checks'),
    typeChecks: types,
    typeCasts: of('cast'),
  }
}

/** A type checks what the types check that its values are made of. */
function checksOf({ calls, typeParts }: CallRows, entryOf: EntryOf): ReadonlyMap<number, readonly FunctionEntry[]> {
  const own = placed(calls, 'type', entryOf, new Map())
  const parts = closure(pairs(typeParts, 0, 1))
  const all = new Map<number, readonly FunctionEntry[]>()
  for (const type of new Set([...own.keys(), ...parts.keys()])) {
    const entries = [type, ...(parts.get(type) ?? [])].flatMap((each) => own.get(each) ?? [])
    const unseen = entries.filter((entry) => entry.class !== 'pure')
    if (unseen.length > 0) all.set(type, Object.freeze(unseen))
  }
  return all
}

type EntryOf = (oid: number) => FunctionEntry | undefined

/** What initdb has made beside the pinned functions only serves information_schema; nothing else is without an entry. */
function placed(
  rows: Rows,
  place: string,
  entryOf: EntryOf,
  types: ReadonlyMap<number, readonly FunctionEntry[]>,
): ReadonlyMap<number, readonly FunctionEntry[]> {
  const found = new Map<number, FunctionEntry[]>()
  for (const [where, owner, isType, oid] of rows) {
    if (where !== place) continue
    const entry = entryOf(Number(oid))
    const entries = isType === 't' ? (types.get(Number(oid)) ?? []) : entry === undefined ? [] : [entry]
    const known = found.get(Number(owner))
    if (known === undefined) found.set(Number(owner), [...entries])
    else known.push(...entries)
  }
  return found
}
