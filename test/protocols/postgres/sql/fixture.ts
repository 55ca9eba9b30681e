/** A catalogue for tests of statements: four tables, a view, what surrounds them, and the real builtins. */
import type { Catalogue, Column, Relation } from '../../../../src/protocols/postgres/catalogue.ts'
import { builtinsOf } from '../../../../src/protocols/postgres/catalogue/builtins.ts'
import { functionsOf } from '../../../../src/protocols/postgres/catalogue/rows.ts'
import { Snapshot } from '../../../../src/protocols/postgres/catalogue/snapshot.ts'
import type { Analysis, Statement } from '../../../../src/protocols/postgres/statement.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { loadParser } from '../../../../src/protocols/postgres/sql/parse.ts'

export const LIMITS = { statement: 256 * 1024, statements: 50, nodes: 50_000, depth: 500, parse: 5_000 }

const TEXT = 25

function columns(names: string): readonly Column[] {
  return names.split(' ').map((name, at) => ({ name, attnum: at + 1, typeOid: TEXT, baseTypeOid: TEXT }))
}

function relation(oid: number, name: string, names: string, more: Partial<Relation> = {}): Relation {
  return {
    oid,
    schema: 'public',
    name,
    kind: 'table',
    columns: columns(names),
    parents: [],
    children: [],
    reads: [],
    rules: false,
    triggers: false,
    ...more,
  }
}

const builtins = builtinsOf(180_000)

const system = [...builtins.relations].map(([path, its], at) => {
  const [schema = '', name = ''] = path.split('.')
  return relation(1_000 + at, name, 'oid', { schema, kind: 'view', system: its })
})

/** Text that every function of users returns is nobody's business here. */
const functions = functionsOf([
  ['50001', 'public', 'lower', '23', '0', 'f', 'f', 'f'],
  ['50002', 'public', 'mine', '25', '1', 'f', 'f', 'f'],
  ['50003', 'app', 'hidden', '', '0', 'f', 'f', 'f'],
  ['50004', 'public', 'secret_of', '20001', '0', 'f', 'f', 'f'],
  ['50005', 'public', 'text_same', '25 25', '0', 'f', 'f', 'f'],
])
const [, , , , same] = functions

/** The same names on another server. */
export function catalogueOf(serverVersion: number): Catalogue {
  return new Snapshot({ ...PARTS, serverVersion, builtins: builtinsOf(serverVersion) })
}

const PARTS = {
  revision: 1,
  searchPath: ['pg_catalog', 'public'],
  relations: [
    ...system,
    relation(20_001, 'customers', 'id name ssn email'),
    relation(20_002, 'orders', 'id customer_id total note'),
    relation(20_003, 'audited', 'id note', { triggers: true }),
    relation(20_004, 'ruled', 'id note', { rules: true }),
    relation(20_005, 'people', 'id ssn', { kind: 'view', reads: [20_001] }),
    relation(20_006, 'measures', 'at value', { kind: 'partitioned', children: [20_007, 20_015] }),
    relation(20_007, 'measures_2024', 'at value', { parents: [20_006], triggers: true }),
    relation(20_008, 'settings_view', 'name setting', { kind: 'view', reads: [oidOf('pg_settings')] }),
    relation(20_009, 'ids', 'last_value', { kind: 'sequence' }),
    relation(20_010, 'private', 'id', { schema: 'app' }),
    relation(20_011, 'customers', 'id hidden', { schema: 'app' }),
    relation(20_012, 'parents', 'id code name', {
      cascades: [
        { oid: 20_013, onDelete: 'delete', onUpdate: ['code'] },
        { oid: 20_012, onDelete: 'update', onUpdate: [] },
      ],
    }),
    relation(20_014, 'people_kept', 'ssn', { kind: 'materialized-view', reads: [20_005, 20_001] }),
    relation(20_015, 'measures_of_others', 'at value', { parents: [20_006, 20_002] }),
    relation(20_016, 'measured', 'at', { kind: 'view', reads: [20_006, 99_999] }),
    relation(20_013, 'offspring', 'id parent', { cascades: [{ oid: 20_003, onDelete: 'update', onUpdate: [] }] }),
  ],
  functions,
  operators: same === undefined ? [] : [{ schema: 'public', name: '===', function: same }],
  types: [{ oid: TEXT, schema: 'pg_catalog', name: 'text' }],
}

export const catalogue = catalogueOf(180_000)

function oidOf(name: string): number {
  return system.find((each) => each.name === name)?.oid ?? 0
}

await loadParser()

export function analysed(text: string): Analysis {
  return analyse(text, catalogue, LIMITS)
}

/** The one statement of a text; fails the test where it is refused. */
export function statement(text: string): Statement {
  const analysis = analysed(text)
  if (analysis.kind === 'refused') throw new Error(`${text}: ${analysis.refusal.message}`)
  const [only, ...more] = analysis.statements
  if (only === undefined || more.length > 0) throw new Error(`${text}: ${analysis.statements.length} statements`)
  return only
}

/** The code of a refusal; null where it is not refused. */
export function refusalOf(text: string): string | null {
  const analysis = analysed(text)
  return analysis.kind === 'refused' ? analysis.refusal.code : null
}

export interface RelationFact {
  readonly schema: string | null
  readonly name: string
  readonly access: string
  readonly columns: readonly string[]
  readonly system: string | null
  readonly kind: string
  readonly behind: readonly string[]
}

export interface Detail {
  readonly effects: readonly string[]
  readonly relations: readonly RelationFact[]
  readonly functions: readonly { readonly schema: string | null; readonly name: string; readonly class: string }[]
  readonly settings: readonly { readonly name: string; readonly value: string | null; readonly scope: string }[]
  readonly where: boolean | null
  readonly limit: number | null
  readonly role: string | null
  readonly readsOnly: boolean
}

export function detailOf({ shape }: Statement): Detail {
  return shape.detail as unknown as Detail
}

export function facts(text: string): Detail {
  return detailOf(statement(text))
}

/** `schema.name access column,column`, sorted. */
export function relations(text: string): string[] {
  return facts(text)
    .relations.map((each) => `${each.schema ?? '?'}.${each.name} ${each.access} ${each.columns.join(',')}`.trim())
    .sort()
}

/** What is behind the only relation. */
export function behind(text: string): readonly string[] {
  const [only, ...more] = facts(text).relations
  if (only === undefined || more.length > 0) throw new Error(`${text}: ${more.length + 1} relations`)
  return only.behind
}

/** `schema.name class`, sorted. */
export function functionsIn(text: string): string[] {
  return facts(text)
    .functions.map((each) => `${each.schema ?? '?'}.${each.name} ${each.class}`)
    .sort()
}
