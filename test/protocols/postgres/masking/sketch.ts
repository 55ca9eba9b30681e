/** Statements and catalogues for tests of masks: real parse trees, and what a real server says of itself. */
import { loadModule, parseSync } from 'libpg-query'
import type pg from 'pg'
import type { Mask, MaskMethod } from '../../../../src/gate/decision.ts'
import type {
  Catalogue,
  Column,
  FunctionClass,
  FunctionEntry,
  Relation,
  RelationKind,
} from '../../../../src/protocols/postgres/catalogue.ts'
import type { Node, Role, Statement } from '../../../../src/protocols/postgres/statement.ts'

await loadModule()

export function statementOf(text: string, role: Role = { is: 'plain' }): Statement {
  const tree = parseSync(text).stmts?.[0]?.stmt as Node | undefined
  if (tree === undefined) throw new Error(`no statement: ${text}`)
  const shape = { protocol: 'postgres', action: 'select', text, detail: {} }
  return { shape, role, tree, readsOnly: /^(select|with|table|values)/i.test(text), parameters: 0 }
}

export function maskOf(column: string, method: MaskMethod = 'redact'): Mask {
  return { column, detector: null, path: null, with: method, policy: 'policy.test' }
}

export interface Sketch {
  readonly relations: readonly Relation[]
  readonly functions?: ReadonlyMap<string, readonly FunctionEntry[]>
  readonly operators?: ReadonlyMap<string, readonly FunctionEntry[]>
}

/** A catalogue whose search path is `pg_catalog, public`. */
export function catalogueOf({ relations, functions, operators }: Sketch): Catalogue {
  const byName = new Map(relations.map((relation) => [`${relation.schema}.${relation.name}`, relation]))
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const in_ = (schema: string | null) => (entry: FunctionEntry) => schema === null || entry.schema === schema
  return {
    revision: 1,
    serverVersion: 180_000,
    searchPath: ['pg_catalog', 'public'],
    relation: (schema, name) =>
      (schema === null ? ['pg_catalog', 'public'] : [schema]).flatMap((each) => byName.get(`${each}.${name}`) ?? [])[0],
    relationByOid: (oid) => byOid.get(oid),
    functions: (schema, name) => (functions?.get(name) ?? []).filter(in_(schema)),
    operators: (schema, name) => (operators?.get(name) ?? []).filter(in_(schema)),
    type: (_schema, name) => TYPES.get(name),
  }
}

const TYPES: ReadonlyMap<string, number> = new Map([
  ['int4', 23],
  ['text', 25],
])

export function relationOf(
  oid: number,
  name: string,
  columns: readonly string[],
  more: Partial<Relation> = {},
): Relation {
  return {
    oid,
    schema: 'public',
    name,
    kind: 'table',
    columns: columns.map((column, index) => ({ name: column, attnum: index + 1, typeOid: 25, baseTypeOid: 25 })),
    parents: [],
    children: [],
    reads: [],
    rules: false,
    triggers: false,
    ...more,
  }
}

export function functionOf(name: string, of: FunctionClass, more: Partial<FunctionEntry> = {}): FunctionEntry {
  return {
    oid: 1,
    schema: 'pg_catalog',
    name,
    arguments: [25],
    variadic: false,
    returnsSet: false,
    kind: 'function',
    class: of,
    ...more,
  }
}

const KINDS: Readonly<Record<string, RelationKind>> = {
  r: 'table',
  p: 'partitioned',
  v: 'view',
  m: 'materialized-view',
  S: 'sequence',
  i: 'index',
}

const RELATIONS = `
  select c.oid::int, n.nspname as schema, c.relname as name, c.relkind as kind,
    (select coalesce(json_agg(json_build_object('name', attname, 'attnum', attnum, 'typeOid', atttypid::int,
       'baseTypeOid', coalesce(nullif((select typbasetype::int from pg_type where oid = atttypid), 0), atttypid::int)) order by attnum), '[]')
       from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns,
    (select coalesce(json_agg(inhparent::int), '[]') from pg_inherits where inhrelid = c.oid) as parents,
    (select coalesce(json_agg(inhrelid::int), '[]') from pg_inherits where inhparent = c.oid) as children,
    (select coalesce(json_agg(distinct d.refobjid::int), '[]') from pg_rewrite r join pg_depend d
       on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
       and d.refobjid <> c.oid where r.ev_class = c.oid) as reads
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('public', 'pg_catalog') and c.relkind in ('r','p','v','m')`

/** Builtins that run SQL or read tables by name, as far as these tests call them. */
const READERS = /^(query_to|table_to|schema_to|database_to|cursor_to|ts_stat|pg_read|lo_)/
const VALUES: ReadonlySet<string> = new Set(['pg_statistic', 'pg_stats', 'pg_stat_activity'])

/** What the server's own catalogs say of the schemas public and pg_catalog. */
export async function catalogueFrom(client: pg.Client): Promise<Catalogue> {
  const { rows } = await client.query<Record<string, unknown>>(RELATIONS)
  const relations = rows.map((row): Relation => {
    const system = row['schema'] === 'pg_catalog' ? (VALUES.has(String(row['name'])) ? 'values' : 'open') : null
    return {
      oid: Number(row['oid']),
      schema: String(row['schema']),
      name: String(row['name']),
      kind: KINDS[String(row['kind'])] ?? 'foreign',
      columns: row['columns'] as Column[],
      parents: row['parents'] as number[],
      children: row['children'] as number[],
      reads: row['reads'] as number[],
      rules: false,
      triggers: false,
      ...(system === null ? {} : { system }),
    }
  })
  const found = await client.query<{ name: string; schema: string }>(
    `select proname as name, nspname as schema from pg_proc join pg_namespace n on n.oid = pronamespace`,
  )
  const functions = new Map<string, FunctionEntry[]>()
  for (const { name, schema } of found.rows) {
    const class_: FunctionClass = schema !== 'pg_catalog' ? 'unknown' : READERS.test(name) ? 'reads' : 'pure'
    functions.set(name, [...(functions.get(name) ?? []), functionOf(name, class_, { schema })])
  }
  return catalogueOf({ relations, functions })
}
