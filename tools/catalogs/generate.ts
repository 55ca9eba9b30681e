/**
 * Writes src/protocols/postgres/catalogue/builtins.json from the catalogs of the supported servers and review.yaml:
 *
 *   make postgres-all && node tools/catalogs/generate.ts
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { POSTGRES_VERSIONS, startPostgres } from '../../test/support/postgres.ts'
import { Review } from './review.ts'
import { FUNCTIONS, RELATIONS, type ServerFunction, type ServerRelation } from './servers.ts'

const TARGET = new URL('../../src/protocols/postgres/catalogue/builtins.json', import.meta.url)

/** OIDs above are given at initdb, and differ from one server to another. */
const FIRST_UNPINNED_OID = 10_000

/** The servers that have a row, as bits: 1 for the oldest. */
const rows = { functions: new Map<string, number>(), relations: new Map<string, number>() }

const review = new Review()
for (const [at, version] of POSTGRES_VERSIONS.entries()) {
  const server = await startPostgres({ version })
  try {
    for (const row of (await server.sql(FUNCTIONS)) as unknown as ServerFunction[]) {
      const oid = row.oid < FIRST_UNPINNED_OID ? row.oid : 0
      const flags = `${row.kind}${row.variadic ? 'v' : ''}${row.set ? 's' : ''}${row.defaults > 0 ? row.defaults : ''}`
      add(rows.functions, [row.schema, row.name, row.arguments, oid, flags, review.functionClass(row)], at)
    }
    for (const row of (await server.sql(RELATIONS)) as unknown as ServerRelation[]) {
      add(rows.relations, [row.schema, row.name, review.relationClass(row)], at)
    }
  } finally {
    await server.stop()
  }
}

const unused = review.unused()
if (unused.length > 0) throw new Error(`review.yaml judges what no server has: ${unused.join(', ')}`)

writeFileSync(
  TARGET,
  `{"versions":${JSON.stringify(POSTGRES_VERSIONS)},\n"functions":[\n${lines(rows.functions)}\n],\n"relations":[\n${lines(rows.relations)}\n]}\n`,
)
console.log(`${fileURLToPath(TARGET)}: ${rows.functions.size} functions, ${rows.relations.size} relations`)

function add(to: Map<string, number>, row: readonly (string | number)[], at: number): void {
  const key = JSON.stringify(row)
  to.set(key, (to.get(key) ?? 0) | (1 << at))
}

function lines(from: ReadonlyMap<string, number>): string {
  const written = [...from].map(([row, servers]) => `${row.slice(0, -1)},${servers}]`)
  return written.sort().join(',\n')
}
