/** Functions that no statement names: behind views, row security, defaults, checks, indexes, domains, comparisons and casts. */
import { type Coercion, FIRST_USER_OID, type FunctionEntry } from '../catalogue.ts'
import type { Builtins } from './builtins.ts'
import { closure, pairs, type Rows, unknownFunction } from './rows.ts'

export interface Calls {
  /** By relation. */
  readonly showing: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly writing: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly checking: ReadonlyMap<number, readonly FunctionEntry[]>
  /** By type. */
  readonly typeChecks: ReadonlyMap<number, readonly FunctionEntry[]>
  readonly typeParts: ReadonlyMap<number, readonly number[]>
  readonly coercions: readonly Coercion[]
}

interface CallRows {
  readonly calls: Rows
  readonly casts: Rows
  readonly typeParts: Rows
}

type EntryOf = (oid: number) => FunctionEntry | undefined
type ByOwner = ReadonlyMap<number, readonly FunctionEntry[]>

/** `nextval`, a serial column's default, which every table may have: it draws the row's own key. */
const OWN_KEY = 1574
/** What initdb makes beside the server's own functions only serves information_schema. */
const FIRST_INITDB_OID = 10_000

export function callsOf(rows: CallRows, functions: readonly FunctionEntry[], builtins: Builtins): Calls {
  const byOid = new Map(functions.map((entry) => [entry.oid, entry]))
  const entryOf: EntryOf = (oid) => {
    const entry = byOid.get(oid) ?? builtins.functionsByOid.get(oid)
    // A function of a server that is newer than the data.
    return entry ?? (oid < FIRST_INITDB_OID || oid >= FIRST_USER_OID ? unknownFunction(oid) : undefined)
  }
  const parts = closure(pairs(rows.typeParts, 0, 1))
  const checks = throughParts(placed(rows.calls, 'type', entryOf, NOTHING), parts)
  const compares = throughParts(placed(rows.calls, 'compares', entryOf, NOTHING), parts)
  const of = (place: string, types: ByOwner = checks) => unseen(placed(rows.calls, place, entryOf, types))
  return {
    showing: both(of('shows'), of('checks', compares)),
    writing: unseen(placed(rows.calls, 'writes', entryOf, checks), OWN_KEY),
    checking: of('checks'),
    typeChecks: both(checks, compares),
    typeParts: parts,
    coercions: coercionsOf(rows.casts, parts, entryOf),
  }
}

const NOTHING: ByOwner = new Map()

/** A type does what the types do that its values are made of. */
function throughParts(own: ByOwner, parts: ReadonlyMap<number, readonly number[]>): ByOwner {
  const all = new Map<number, readonly FunctionEntry[]>()
  for (const type of new Set([...own.keys(), ...parts.keys()])) {
    all.set(
      type,
      [type, ...(parts.get(type) ?? [])].flatMap((each) => own.get(each) ?? []),
    )
  }
  return unseen(all)
}

/** What is not known to be pure. */
function unseen(all: ByOwner, except = 0): ByOwner {
  const found = new Map<number, readonly FunctionEntry[]>()
  for (const [owner, entries] of all) {
    const left = entries.filter((entry) => entry.class !== 'pure' && entry.oid !== except)
    if (left.length > 0) found.set(owner, Object.freeze(left))
  }
  return found
}

function both(a: ByOwner, b: ByOwner): ByOwner {
  const found = new Map(a)
  for (const [owner, entries] of b) found.set(owner, Object.freeze([...(found.get(owner) ?? []), ...entries]))
  return found
}

function placed(rows: Rows, place: string, entryOf: EntryOf, types: ByOwner): ByOwner {
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

const CONTEXTS: ReadonlyMap<string, Coercion['context']> = new Map([
  ['e', 'explicit'],
  ['a', 'assignment'],
])

function coercionsOf(rows: Rows, parts: ReadonlyMap<number, readonly number[]>, entryOf: EntryOf): readonly Coercion[] {
  const holding = (type: number): ReadonlySet<number> => {
    const holders = [...parts].flatMap(([whole, of]) => (of.includes(type) ? [whole] : []))
    return new Set([type, ...holders])
  }
  return rows.flatMap((row) => {
    const [source = 0, target = 0] = row.slice(0, 2).map(Number)
    const entry = entryOf(Number(row[3]))
    if (entry === undefined || entry.class === 'pure') return []
    const context = CONTEXTS.get(row[2] ?? '') ?? 'implicit'
    const held = { source: holding(source), target: holding(target) }
    return [Object.freeze({ source, target, context, function: entry, held })]
  })
}
