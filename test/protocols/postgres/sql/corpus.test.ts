import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { Catalogue } from '../../../../src/protocols/postgres/catalogue.ts'
import { CatalogueLoader } from '../../../../src/protocols/postgres/catalogue/loader.ts'
import { analyse } from '../../../../src/protocols/postgres/sql/analyse.ts'
import { sharedPostgres } from '../../../support/postgres.ts'
import { textQuery } from '../catalogue/client.ts'
import { detailOf, LIMITS } from './fixture.ts'

const CORPUS = new URL('corpus/', import.meta.url)

const SCHEMA = `
  CREATE TYPE kind AS ENUM ('a'); CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
  CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name short);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, kind kind);
  CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts DEFAULT;
  CREATE VIEW shown AS SELECT name FROM customers; CREATE INDEX ON orders (kind) WHERE id > 5;`

interface Server {
  readonly client: pg.Client
  readonly catalogue: Catalogue
  readonly url: string
}

async function server(t: Test): Promise<Server> {
  const shared = await sharedPostgres()
  const database = await shared.createDatabase()
  const client = new pg.Client(shared.connection(database))
  await client.connect()
  t.teardown(() => client.end())
  await client.query(SCHEMA)
  const catalogue = await new CatalogueLoader(['public']).load(textQuery(client))
  return { client, catalogue, url: shared.url(database) }
}

/** Null where a read-only policy would let it pass; else what stands in its way. */
function obstacle(sql: string, catalogue: Catalogue): string | null {
  const analysis = analyse(sql, catalogue, LIMITS)
  if (analysis.kind === 'refused') return analysis.refusal.message
  for (const statement of analysis.statements) {
    const { effects, relations, functions } = detailOf(statement)
    const effect = effects.find((each) => !['select', 'session'].includes(each))
    if (effect !== undefined) return effect
    const relation = relations.find((each) => each.access !== 'read' || each.system !== 'open')
    if (relation !== undefined) return `${relation.access} of ${relation.schema}.${relation.name}: ${relation.system}`
    const called = functions.find((each) => each.class !== 'pure' && each.name !== 'set_config')
    if (called !== undefined) return `${called.schema}.${called.name}: ${called.class}`
  }
  return null
}

function statementsOf(text: string): string[] {
  return text
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

void t.test('what drivers and ORMs ask of the catalogs on their own is harmless reading', async (t) => {
  const { client, catalogue } = await server(t)
  for (const file of readdirSync(CORPUS).filter((name) => name.endsWith('.sql'))) {
    const statements = statementsOf(readFileSync(new URL(file, CORPUS), 'utf8'))
    t.ok(statements.length > 5, `${file}: ${statements.length} statements`)
    for (const sql of statements) {
      if (/^(SELECT|WITH)/.test(sql))
        await client.query(`PREPARE known AS ${sql}`).then(() => client.query('DEALLOCATE known'))
      t.equal(obstacle(sql, catalogue), null, `${file}: ${sql}`)
    }
  }
})

const COMMANDS = [
  'd',
  'd+',
  'd orders',
  'd+ customers',
  'd+ shown',
  'd parts',
  'dt',
  'dt+',
  'dv',
  'di+',
  'ds',
  'dn+',
  'df',
  'dT+',
  'du',
  'dp',
  'l',
  'dD',
  'do',
  'dC',
  'dx',
  'dRp',
  'dP+',
  'dO',
  'dy',
  'db',
  'dF',
  'dg',
  'ddp',
  'drds',
  'dc',
  'dE',
  'dL',
  'des',
  'sv shown',
  'encoding',
  'conninfo',
]
/** A user mapping has passwords, a subscription a connection string: these are meant to stand in the way. */
const SECRETIVE = ['deu', 'dRs']

/** The queries of one command. An older psql may fail on a newer server in what it does with the answers. */
async function asked(command: string, url: string): Promise<string[]> {
  const run = promisify(execFile)('psql', ['-X', '-E', url, '-c', `\\${command}`])
  const { stdout } = await run.catch((error: unknown) => error as { stdout: string })
  return [...stdout.matchAll(/\*{9} QUERY \*{10}\n([\s\S]*?)\*{26}/g)].map(([, sql = '']) => sql.trim())
}

void t.test('psql’s \\d family is harmless reading', async (t) => {
  const { catalogue, url } = await server(t)
  let queries = 0
  for (const command of COMMANDS) {
    for (const sql of await asked(command, url)) {
      queries += 1
      t.equal(obstacle(sql, catalogue), null, `\\${command}: ${sql}`)
    }
  }
  t.ok(queries > 40, `${queries} queries`)
  for (const command of SECRETIVE) {
    const obstacles = (await asked(command, url)).map((sql) => obstacle(sql, catalogue))
    t.ok(
      obstacles.some((each) => each?.includes('secret')),
      command,
    )
  }
})
