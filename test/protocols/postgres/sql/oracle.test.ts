import fc from 'fast-check'
import pg from 'pg'
import t from 'tap'
import { CatalogueLoader } from '../../../../src/protocols/postgres/catalogue/loader.ts'
import type { Catalogue } from '../../../../src/protocols/postgres/catalogue.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { sharedPostgres } from '../../../support/postgres.ts'
import { textQuery } from '../catalogue/client.ts'
import { detailOf, LIMITS } from './fixture.ts'
import { query } from './queries.ts'

const TABLES = `
  CREATE TABLE customers (id text, name text, ssn text, email text);
  CREATE TABLE orders (id text, customer_id text, total text, note text);
  CREATE TABLE items (id text, order_id text, sku text, qty text);`

/** The columns that the server's own analyser finds: a view depends on each of them. */
const DEPENDENCIES = `
  SELECT DISTINCT c.relname || '.' || a.attname AS used
    FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
   WHERE r.ev_class = 'probe'::regclass AND d.refobjid <> r.ev_class`

async function used(client: pg.Client, sql: string): Promise<Set<string> | null> {
  await client.query('BEGIN')
  try {
    await client.query(`CREATE VIEW probe AS SELECT 1 AS one WHERE EXISTS (${sql})`)
    const { rows } = await client.query<{ used: string }>(DEPENDENCIES)
    return new Set(rows.map((row) => row.used))
  } catch {
    return null
  } finally {
    await client.query('ROLLBACK')
  }
}

function found(sql: string, catalogue: Catalogue): (column: string) => boolean {
  const analysis = analyse(sql, catalogue, LIMITS)
  if (analysis.kind === 'refused') throw new Error(`${analysis.refusal.message}: ${sql}`)
  const columns = new Set<string>()
  for (const statement of analysis.statements) {
    for (const relation of detailOf(statement).relations) {
      for (const column of relation.columns) columns.add(`${relation.name}.${column}`)
    }
  }
  return (column) => columns.has(column) || columns.has(`${column.slice(0, column.indexOf('.'))}.*`)
}

void t.test('every column that the server reads in a query is among the facts', async (t) => {
  const server = await sharedPostgres()
  const database = await server.createDatabase()
  const client = new pg.Client(server.connection(database))
  await client.connect()
  t.teardown(() => client.end())
  await client.query(TABLES)
  const catalogue = await new CatalogueLoader(['public']).load(textQuery(client))
  let understood = 0
  const check = fc.asyncProperty(query(), async (sql) => {
    const columns = await used(client, sql)
    if (columns === null) return
    understood += 1
    const known = found(sql, catalogue)
    for (const column of columns) if (!known(column)) throw new Error(`${column} of ${sql}`)
  })
  await fc.assert(check, { numRuns: 400, interruptAfterTimeLimit: 20_000 })
  t.ok(understood > 100, `the server understood ${understood} of them`)
})
