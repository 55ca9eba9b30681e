/** Rows of the catalogs as what the catalogue says of them. */
import type { Column, FunctionEntry, Relation, RelationKind, SystemClass } from '../catalogue.ts'
import type { Builtins } from './builtins.ts'
import type { Calls } from './calls.ts'
import { cascadesOf, columnsOf, domainsOf, referencesOf } from './columns.ts'
import { extensionClass } from './extensions.ts'

export type Rows = readonly (readonly (string | null)[])[]

const KINDS: ReadonlyMap<string, RelationKind> = new Map([
  ['r', 'table'],
  ['p', 'partitioned'],
  ['v', 'view'],
  ['m', 'materialized-view'],
  ['f', 'foreign'],
  ['S', 'sequence'],
  ['i', 'index'],
  ['I', 'index'],
  ['t', 'toast'],
  ['c', 'composite'],
])

const SYSTEM_SCHEMAS: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema'])

const NO_OIDS: readonly number[] = Object.freeze([])
const NO_COLUMNS: readonly Column[] = Object.freeze([])

interface RelationRows {
  readonly relations: Rows
  readonly columns: Rows
  readonly inheritance: Rows
  readonly ruleReads: Rows
  readonly ruled: Rows
  readonly triggered: Rows
  readonly cascades: Rows
  readonly computed: Rows
  readonly compared: Rows
  readonly references: Rows
  readonly stores: Rows
  readonly types: Rows
}

export function relationsOf(rows: RelationRows, builtins: Builtins, calls: Calls): Relation[] {
  const columns = columnsOf(rows.columns, domainsOf(rows.types), rows.computed)
  const parents = pairs(rows.inheritance, 0, 1)
  const children = pairs(rows.inheritance, 1, 0)
  const direct = merged(pairs(rows.ruleReads, 0, 1), pairs(rows.stores, 0, 1))
  const reads = closure(direct)
  const shown = shownSystems(rows.relations, direct, builtins)
  const cascades = cascadesOf(rows.cascades, columns)
  const compared = pairs(
    rows.compared.flatMap(([relation = null, attnums]) =>
      (attnums ?? '').split(' ').map((attnum) => [relation, attnum]),
    ),
    0,
    1,
  )
  const references = referencesOf(rows.references)
  const ruled = oids(rows.ruled)
  const triggered = oids(rows.triggered)
  return rows.relations.map(([oidText, schema, name, relkind]) => {
    const oid = Number(oidText)
    const kind = KINDS.get(relkind ?? '') ?? 'table'
    const system = shown.get(oid)
    const showing = [oid, ...(reads.get(oid) ?? [])].flatMap((each) => calls.showing.get(each) ?? [])
    const checking = calls.checking.get(oid)
    const writing = [...(calls.writing.get(oid) ?? []), ...(checking ?? [])]
    return Object.freeze({
      oid,
      schema: schema ?? '',
      name: name ?? '',
      kind,
      columns: columns.get(oid) ?? NO_COLUMNS,
      parents: parents.get(oid) ?? NO_OIDS,
      children: children.get(oid) ?? NO_OIDS,
      reads: reads.get(oid) ?? NO_OIDS,
      rules: ruled.has(oid),
      triggers: triggered.has(oid),
      ...(cascades.has(oid) ? { cascades: cascades.get(oid) ?? [] } : {}),
      ...(compared.has(oid) ? { compared: compared.get(oid) ?? NO_OIDS } : {}),
      ...(references.has(oid) ? { references: references.get(oid) ?? [] } : {}),
      ...(showing.length === 0 ? {} : { showing: Object.freeze(showing) }),
      ...(writing.length === 0 ? {} : { writing: Object.freeze(writing) }),
      ...(checking === undefined ? {} : { checking }),
      ...(system === undefined ? {} : { system }),
    })
  })
}

const CLASSES: readonly (SystemClass | undefined)[] = [undefined, 'open', 'values', 'secret']

/** A view of users shows what the system's relations show that it reads: `values` and `secret` ones, however deep. */
function shownSystems(
  relations: Rows,
  direct: ReadonlyMap<number, readonly number[]>,
  builtins: Builtins,
): ReadonlyMap<number, SystemClass> {
  const own = new Map<number, SystemClass>()
  for (const [oid, schema, name, relkind] of relations) {
    const system = systemOf(schema ?? '', name ?? '', KINDS.get(relkind ?? '') ?? 'table', builtins)
    if (system !== undefined) own.set(Number(oid), system)
  }
  const shown = new Map(own)
  for (const [oidText] of relations) {
    const seen = new Set([Number(oidText)])
    let worst: SystemClass | undefined
    for (const oid of seen) {
      const system = own.get(oid)
      if (CLASSES.indexOf(system) > CLASSES.indexOf(worst)) worst = system
      // What the system's own views make of what they read was judged with them.
      if (system === undefined) for (const next of direct.get(oid) ?? NO_OIDS) seen.add(next)
    }
    if (worst !== undefined && worst !== 'open') shown.set(Number(oidText), worst)
  }
  return shown
}

/** Toast tables hold values under names that no policy has; what the data does not know of the system's own is the worst. */
function systemOf(schema: string, name: string, kind: RelationKind, builtins: Builtins): SystemClass | undefined {
  if (kind === 'toast') return 'secret'
  return SYSTEM_SCHEMAS.has(schema) ? (builtins.relations.get(`${schema}.${name}`) ?? 'secret') : undefined
}

function oids(rows: Rows): ReadonlySet<number> {
  return new Set(rows.map(([oid]) => Number(oid)))
}

export function pairs(rows: Rows, key: 0 | 1, value: 0 | 1): Map<number, number[]> {
  const found = new Map<number, number[]>()
  for (const row of rows) {
    const of = Number(row[key])
    const list = found.get(of)
    if (list === undefined) found.set(of, [Number(row[value])])
    else list.push(Number(row[value]))
  }
  return found
}

function merged(into: Map<number, number[]>, more: ReadonlyMap<number, readonly number[]>): Map<number, number[]> {
  for (const [key, values] of more) into.set(key, [...(into.get(key) ?? []), ...values])
  return into
}

/** Everything that is reached, without what it started from. */
export function closure(direct: ReadonlyMap<number, readonly number[]>): ReadonlyMap<number, readonly number[]> {
  const all = new Map<number, readonly number[]>()
  for (const start of direct.keys()) {
    const seen = new Set<number>([start])
    for (const oid of seen) for (const next of direct.get(oid) ?? NO_OIDS) seen.add(next)
    seen.delete(start)
    all.set(start, Object.freeze([...seen]))
  }
  return all
}

const FUNCTION_KINDS: ReadonlyMap<string, FunctionEntry['kind']> = new Map([
  ['f', 'function'],
  ['a', 'aggregate'],
  ['w', 'window'],
  ['p', 'procedure'],
])

/** Functions of reviewed extensions have their classes; nobody has read what others of users do. */
export function functionsOf(rows: Rows, builtins?: Builtins): FunctionEntry[] {
  const entries = new Map(rows.map((row) => [Number(row[0]), functionOf(row)]))
  for (const row of rows) {
    const entry = entries.get(Number(row[0]))
    if (entry?.kind !== 'aggregate' || entry.class !== 'pure') continue
    // What an aggregate is made of are plain functions, whose classes stand.
    const pure = (row[PARTS] ?? '').split(' ').every((part) => {
      const oid = Number(part)
      return oid === 0 || (entries.get(oid) ?? builtins?.functionsByOid.get(oid))?.class === 'pure'
    })
    if (!pure) entries.set(entry.oid, { ...entry, class: 'unknown' })
  }
  return [...entries.values()].map((entry) => Object.freeze(entry))
}

/** The column of an aggregate's parts. */
const PARTS = 13

function functionOf(row: Rows[number]): FunctionEntry {
  const [oid, schema, name, types, defaults, variadic, set, kind] = row
  const [extension, volatility, definer, language, internal] = row.slice(8)
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    arguments: Object.freeze((types ?? '') === '' ? [] : (types ?? '').split(' ').map(Number)),
    variadic: variadic === 't',
    defaults: Number(defaults),
    returnsSet: set === 't',
    kind: FUNCTION_KINDS.get(kind ?? '') ?? 'function',
    class: extensionClass({
      name: name ?? '',
      extension: extension ?? null,
      volatility: volatility ?? '',
      definer: definer !== 'f',
      language: language ?? '',
      internal: internal === 't',
      aggregate: kind === 'a',
    }),
  }
}

/** An operator of users over one of the server's own functions is as good as that function. */
export function operatorsOf(
  rows: Rows,
  functions: readonly FunctionEntry[],
  builtins: Builtins,
): { schema: string; name: string; function: FunctionEntry }[] {
  const byOid = new Map(functions.map((entry) => [entry.oid, entry]))
  return rows.map(([schema, name, oid]) => ({
    schema: schema ?? '',
    name: name ?? '',
    function: byOid.get(Number(oid)) ?? builtins.functionsByOid.get(Number(oid)) ?? unknownFunction(Number(oid)),
  }))
}

export function unknownFunction(oid: number): FunctionEntry {
  return {
    oid,
    schema: 'pg_catalog',
    name: `oid ${oid}`,
    arguments: [],
    variadic: true,
    returnsSet: false,
    kind: 'function',
    class: 'unknown',
  }
}

export function typesOf(rows: Rows): { oid: number; schema: string; name: string }[] {
  return rows.map(([oid, schema, name]) => ({ oid: Number(oid), schema: schema ?? '', name: name ?? '' }))
}
