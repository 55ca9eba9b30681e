/** Statements and catalogues for tests of masks: real parse trees, and what a real server says of itself. */
import { loadModule, parseSync } from 'libpg-query'
import type pg from 'pg'
import type { Mask, MaskMethod } from '../../../../src/gate/decision.ts'
import type { Catalogue, FunctionClass, FunctionEntry, Relation } from '../../../../src/protocols/postgres/catalogue.ts'
import { CatalogueLoader } from '../../../../src/protocols/postgres/catalogue/loader.ts'
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

/** What the server says of itself, as Sidegate reads it. */
export async function catalogueFrom(client: pg.Client): Promise<Catalogue> {
  const types = { getTypeParser: () => String }
  return new CatalogueLoader(['public']).load(async (text) => {
    const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array', types })
    return rows
  })
}
