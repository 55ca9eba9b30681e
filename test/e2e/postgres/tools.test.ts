/** What tools send on their own works under the starter policy: each query as text and prepared, with the rows that it has past the gate. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { run } from '../../support/process.ts'
import { permitted } from '../records.ts'
import { type Address, same, startGated } from './gated.ts'
import { STARTS } from './starts.ts'

/** Introspection, one file for each tool; statements end with a semicolon at a line's end, `$n` are bound. */
const CORPUS = join(import.meta.dirname, '../../protocols/postgres/sql/corpus')

/** Debian's pg_dump is of this version, and serves no newer server. */
const gated = await startGated(t, { version: 15 })

/** What Sidegate pins, spelled as Sidegate does, so that only Sidegate makes a difference. */
const PINNED = '-c search_path="public",\\ "pg_temp"'

async function open(t: Test, address: Address, more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...address, ...more })
  await client.connect()
  t.teardown(async () => await client.end())
  return client
}

/** How many were asked, and how many both sides answered with the same error: a value that fits the type alone. */
const asked = { all: 0, failed: 0 }

/** Says of the backend itself, which is another one. */
const OF_ITSELF = /pg_backend_pid|inet_client|application_name/

interface Said {
  readonly error?: string | undefined
  readonly results?: unknown
}

async function said(client: pg.Client, query: pg.QueryConfig): Promise<Said> {
  try {
    const result: unknown = await client.query(query)
    return {
      results: (Array.isArray(result) ? result : [result]).map(({ command, rows }: pg.QueryResult) => [command, rows]),
    }
  } catch (error) {
    const { code, message, detail } = error as pg.DatabaseError
    return { error: `${code} ${message} ${detail}` }
  }
}

/** The query with its values, as a driver that binds would send it and as one that writes them into the text. */
async function ways(past: pg.Client, text: string): Promise<readonly pg.QueryConfig[]> {
  const types = await parameterTypes(past, text)
  if (types.length === 0) return [{ text }, { text, values: [] }]
  const values = types.map((type) => valueOf(type))
  const written = text.replaceAll(/\$(\d+)/g, (_, n: string) => pg.escapeLiteral(values[Number(n) - 1] ?? ''))
  return [{ text: written }, { text, values }]
}

async function parameterTypes(past: pg.Client, text: string): Promise<readonly string[]> {
  if (!text.includes('$1')) return []
  await past.query(`PREPARE asked AS ${text}`)
  const { rows } = await past.query<{ types: string }>(
    "SELECT parameter_types::text AS types FROM pg_prepared_statements WHERE name = 'asked'",
  )
  await past.query('DEALLOCATE asked')
  return (rows[0]?.types ?? '{}')
    .slice(1, -1)
    .split(',')
    .map((type) => type.replaceAll('"', ''))
}

/** Something that is there, for each type of parameter; names match by LIKE as well. */
function valueOf(type: string): string {
  if (type === 'oid' || type === 'bigint' || type === 'integer') return '1259'
  if (type === 'oid[]' || type === 'integer[]' || type === 'bigint[]') return '{23,25,1259}'
  if (type.endsWith('[]')) return '{public,orders}'
  if (type === 'boolean') return 'true'
  return 'public'
}

async function asksTheSame(t: Test, statements: readonly string[]): Promise<void> {
  const [past, through] = [await open(t, gated.direct, { options: PINNED }), await open(t, gated.agent)]
  for (const text of statements) {
    for (const query of await ways(past, text)) {
      const [wanted, found] = [await said(past, query), await said(through, query)]
      const what = `${query.values === undefined ? 'as text' : 'prepared'}: ${text.replaceAll(/\s+/g, ' ').slice(0, 100)}`
      if (OF_ITSELF.test(text)) t.equal(found.error, wanted.error, what)
      else same(t, found, wanted, what)
      asked.all++
      if (wanted.error !== undefined) asked.failed++
    }
  }
}

t.test(
  'what drivers and frameworks send when they connect, and when a connection goes back to its pool, works',
  async (t) => {
    for (const [tool, statements] of Object.entries(STARTS))
      await t.test(tool, async (t) => await asksTheSame(t, statements))
  },
)

t.test('what tools ask of the catalogs gives the rows that it gives past the gate', async (t) => {
  const files = readdirSync(CORPUS).filter((name) => name.endsWith('.sql'))
  t.ok(files.length >= 6, 'the corpus is there')
  for (const file of files) {
    const text = readFileSync(join(CORPUS, file), 'utf8').replaceAll(/^--.*$/gm, '')
    const statements = text.split(/;\s*$/m).map((statement) => statement.trim())
    await t.test(
      file,
      async (t) =>
        await asksTheSame(
          t,
          statements.filter((statement) => statement !== ''),
        ),
    )
  }
})

t.test('nothing of all that was refused', async (t) => {
  t.ok(asked.failed < asked.all / 20, `${asked.failed} of ${asked.all} failed`)
  const refused = (await gated.recorded()).filter(({ decision }) => !permitted(decision))
  t.same(
    refused.map(({ decision }) => [decision.input.command.text, decision.custom.refusal?.code]),
    [],
  )
})

t.test('drivers may say when they connect how values should look, and get it', async (t) => {
  const options = '-c DateStyle=German -c extra_float_digits=0 -c search_path=public -c statement_timeout=7s'
  const client = await open(t, gated.agent, { options, application_name: 'a tool', client_encoding: 'utf-8' })
  const { rows } = await client.query(
    `SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS timeout,
      date '2026-02-01'::text AS day, (0.1::float8 + 0.2)::text AS sum`,
  )
  t.same(rows, [{ name: 'a tool', timeout: '7s', day: '01.02.2026', sum: '0.3' }])
})

async function dump(args: readonly string[]) {
  const { host, port, user, database } = gated.agent
  const where = ['-h', host, '-p', String(port), '-U', user, '-d', database, '--no-password']
  return await run('pg_dump', [...where, ...args], { ms: 20_000 })
}

t.test(
  'pg_dump is refused with a clear reason: it empties the search path, by which every name is judged',
  async (t) => {
    for (const args of [['--schema-only'], ['--data-only'], ['--table=orders']]) {
      const { code, stdout, stderr } = await dump(args)
      t.equal(code, 1)
      t.equal(stdout, '')
      t.match(
        stderr,
        /ERROR: {2}the setting search_path is fixed for the whole session\n.*DETAIL: {2}command\.unsupported\n.*HINT: /s,
      )
    }
  },
)

t.test('the records of all tools are whole and hold no secret', async (t) => await gated.check(t))
