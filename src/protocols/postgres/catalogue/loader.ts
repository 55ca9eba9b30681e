/** Reads a database's catalogs into snapshots, and tells when they have changed. */
import { createHash } from 'node:crypto'
import type { Catalogue } from '../catalogue.ts'
import { builtinsOf } from './builtins.ts'
import { callsOf } from './calls.ts'
import * as queries from './queries.ts'
import { functionsOf, operatorsOf, relationsOf, type Rows, typesOf } from './rows.ts'
import { Snapshot } from './snapshot.ts'

/** Runs one statement, and gives its rows as text. Consecutive calls share one connection. */
export type Query = (sql: string) => Promise<(string | null)[][]>

const SYSTEM_SCHEMA = 'pg_catalog'

/** The revisions of one process are never used twice, whatever database they are of: caches may compare them. */
let revisions = 0

const PARTS = {
  relations: queries.RELATIONS,
  columns: queries.COLUMNS,
  inheritance: queries.INHERITANCE,
  ruleReads: queries.RULE_READS,
  ruled: queries.RULED,
  triggered: queries.TRIGGERED,
  eventTriggers: queries.EVENT_TRIGGERS,
  cascades: queries.CASCADES,
  computed: queries.COMPUTED,
  compared: queries.COMPARED,
  references: queries.REFERENCES,
  stores: queries.STORES,
  functions: queries.FUNCTIONS,
  operators: queries.OPERATORS,
  types: queries.TYPES,
  calls: queries.CALLS,
  casts: queries.CASTS,
  typeParts: queries.TYPE_PARTS,
} as const
type Part = keyof typeof PARTS

/** One for each database and role. */
export class CatalogueLoader {
  readonly #path: readonly string[]
  #current: Snapshot | null = null
  #horizon = ''
  /** What the probe said when `#current` was read. */
  #probe = ''
  #digest = ''

  /** @param path the pinned search path: schemas by name, which need not exist. */
  constructor(path: readonly string[]) {
    this.#path = path
  }

  /**
   * The catalogue as it is now: the same object as last time where nothing has changed. Rejects with the query's error;
   * the connection is then to be given up.
   */
  async load(query: Query): Promise<Catalogue> {
    if (this.#current !== null && (await this.#look(query)) === this.#probe) return this.#current
    await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const horizon = (await query(queries.HORIZON))[0]?.[0] ?? ''
    const probe = JSON.stringify(await query(queries.probe(this.#path, horizon)))
    const found = await this.#read(query)
    await query('COMMIT')
    this.#horizon = horizon
    this.#probe = probe
    return found
  }

  async #look(query: Query): Promise<string> {
    return JSON.stringify(await query(queries.probe(this.#path, this.#horizon)))
  }

  async #read(query: Query): Promise<Snapshot> {
    const path = JSON.stringify(await query(queries.searchPath(this.#path)))
    const version = JSON.stringify(await query(queries.VERSION))
    const hash = createHash('sha256').update(path).update(version)
    const rows: Partial<Record<Part, Rows>> = {}
    for (const part of Object.keys(PARTS) as Part[]) {
      const answer = await query(PARTS[part])
      for (const row of answer) hash.update(`${row.join('\t')}\n`)
      hash.update('\f')
      rows[part] = answer
    }
    const digest = hash.digest('base64')
    if (this.#current !== null && digest === this.#digest) return this.#current
    this.#digest = digest
    this.#current = snapshotOf(rows as Record<Part, Rows>, path, version)
    return this.#current
  }
}

function snapshotOf(rows: Record<Part, Rows>, path: string, version: string): Snapshot {
  const serverVersion = Number((JSON.parse(version) as string[][])[0]?.[0])
  const usable = JSON.parse((JSON.parse(path) as string[][])[0]?.[0] ?? '[]') as string[]
  const builtins = builtinsOf(serverVersion)
  const functions = functionsOf(rows.functions, builtins)
  const calls = callsOf(rows, functions, builtins)
  revisions += 1
  return new Snapshot({
    revision: revisions,
    serverVersion,
    searchPath: usable.includes(SYSTEM_SCHEMA) ? usable : [SYSTEM_SCHEMA, ...usable],
    builtins,
    relations: relationsOf(rows, builtins, calls),
    functions,
    operators: operatorsOf(rows.operators, functions, builtins),
    types: typesOf(rows.types),
    typeChecks: calls.typeChecks,
    typeParts: calls.typeParts,
    coercions: calls.coercions,
    eventTriggers: rows.eventTriggers.length > 0,
  })
}
