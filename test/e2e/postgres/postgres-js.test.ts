/** postgres.js through the whole sidecar, beside postgres.js past it: it pipelines, prepares and fetches types by itself. */
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { type Address, rejects, same, startGated } from './gated.ts'

const gated = await startGated(t)

type Options = postgres.Options<Record<string, never>>

function open(t: Test, address: Address, more: Options = {}): postgres.Sql {
  const { user: username, ...rest } = address
  const sql = postgres({ ...rest, username, max: 1, onnotice: () => {}, ...more })
  t.teardown(async () => await sql.end({ timeout: 1 }))
  return sql
}

const PINNED: Options = { connection: { search_path: 'public,pg_temp' } }

/** All that a program can see of an answer. */
async function answer(asked: PromiseLike<unknown>): Promise<unknown> {
  try {
    const result = (await asked) as postgres.RowList<postgres.Row[]>
    const columns = result.columns.map(({ name, type, table, number }) => [name, type, table, number])
    return { rows: [...result], command: result.command, count: result.count, columns }
  } catch (error) {
    const { code, severity, message, detail, hint, position } = error as postgres.PostgresError
    return { code, severity, message, detail, hint, position }
  }
}

const ASKED: Readonly<Record<string, (sql: postgres.Sql) => PromiseLike<unknown>>> = {
  'rows of all types': (sql) => sql`SELECT * FROM orders ORDER BY id`,
  parameters: (sql) => sql`SELECT * FROM orders WHERE id = ${101} AND total > ${'1.5'} AND placed < ${new Date()}`,
  'the same again, prepared by then': (sql) =>
    sql`SELECT * FROM orders WHERE id = ${102} AND total > ${'1.5'} AND placed < ${new Date()}`,
  arrays: (sql) =>
    sql`SELECT ${sql.array([1, 2])}::int[] AS ints, ${sql.array(['a', 'b "c"'])} AS texts, tags FROM orders WHERE id = ANY(${[101, 103]}) ORDER BY id`,
  'JSON, bytes and dates': (sql) =>
    sql`SELECT ${sql.json({ a: [1, null] })}::jsonb AS j, ${Buffer.from([0, 255])}::bytea AS b, ${new Date(0)}::timestamptz AS d, now() > '2020-01-01' AS n`,
  'types that were fetched': (sql) =>
    sql`SELECT '{open,sent}'::status[] AS enums, '{1,2}'::int8[] AS longs, ARRAY[ROW('a', 'b')::address] AS composites`,
  'helpers for values and columns': (sql) =>
    sql`SELECT ${sql(['id', 'total'])} FROM ${sql('orders')} WHERE id IN ${sql([101, 102])} ORDER BY id`,
  'simple protocol': (sql) => sql.unsafe('SELECT 1 AS a'),
  'unprepared with parameters': (sql) => sql.unsafe('SELECT $1::int AS a', [1]),
  'a row written and taken back': (sql) =>
    sql.begin(async (on) => {
      await on`INSERT INTO orders ${sql({ id: 970, customer_id: 1, total: 1 })}`
      return await on`DELETE FROM orders WHERE id = ${970} RETURNING *`
    }),
  'the columns of a statement': async (sql) => {
    const { types, columns } = await sql`SELECT id, total FROM orders WHERE id = ${1}`.describe()
    return Object.assign([], { command: types, count: 0, columns })
  },
  'division by zero': (sql) => sql`SELECT 1 / ${0}::int`,
  'a column that does not exist': (sql) => sql`SELECT nope FROM orders`,
  'a parameter of another type': (sql) => sql`SELECT ${'x'}::int`,
}

t.test('rows, types and errors are those that postgres.js has past the gate', async (t) => {
  for (const more of [{}, { prepare: false }, { fetch_types: false }] satisfies Options[]) {
    const past = open(t, gated.direct, { ...PINNED, ...more })
    const through = open(t, gated.agent, more)
    for (const [what, ask] of Object.entries(ASKED)) {
      // Without fetched types arrays of the database's own types are left as text.
      same(t, await answer(ask(through)), await answer(ask(past)), `${what} ${JSON.stringify(more)}`)
    }
  }
})

t.test('hundreds of statements are pipelined, each answered in its place, refusals among them', async (t) => {
  const sql = open(t, gated.agent)
  const asked = Array.from({ length: 300 }, async (_, n) => {
    if (n % 10 === 3) return await sql`DELETE FROM orders`.catch(({ detail }: { detail: string }) => detail)
    if (n % 10 === 7) return await sql`SELECT 1 / (${n}::int - ${n}::int)`.catch(({ code }: { code: string }) => code)
    if (n % 10 === 9) return (await sql`SELECT ssn FROM customers WHERE id = ${1}`)[0]?.['ssn'] as string
    return (await sql`SELECT ${n}::int AS n`)[0]?.['n'] as number
  })
  const expected = Array.from({ length: 300 }, (_, n) => {
    return n % 10 === 3 ? 'writes.unbounded' : n % 10 === 7 ? '22012' : n % 10 === 9 ? '[sidegate:masked]' : n
  })
  t.same(await Promise.all(asked), expected)
})

t.test('cursors and rows one by one come as they are read, and masked', async (t) => {
  const sql = open(t, gated.agent)
  const seen: unknown[] = []
  for await (const rows of sql`SELECT id, ssn FROM customers ORDER BY id`.cursor(2))
    seen.push(rows.map(({ id, ssn }) => [id, ssn]))
  const masked = '[sidegate:masked]'
  t.same(seen, [
    [
      [1, masked],
      [2, masked],
    ],
    [[3, masked]],
  ])
  let sum = 0
  await sql`SELECT g FROM generate_series(1, 1000) g`.forEach(({ g }) => (sum += Number(g)))
  t.equal(sum, 500_500)
  let batches = 0
  await sql`SELECT g FROM generate_series(1, 1000) g`.cursor(100, (rows) => {
    batches += rows.length === 100 ? 1 : 0
    return batches === 4 ? sql.CLOSE : undefined
  })
  t.equal(batches, 4)
  t.same([...(await sql`SELECT 1 AS on`)], [{ on: 1 }])
})

t.test('rows are copied in and out by streams', async (t) => {
  const sql = open(t, gated.agent)
  const lines = Array.from({ length: 5_000 }, (_, n) => `103\t${n + 100}\tcopied\t${n}\n`)
  await pipeline(Readable.from(lines), await sql`COPY order_items FROM STDIN`.writable())
  t.same(
    [...(await sql`SELECT count(*)::int AS n, sum(quantity)::int AS q FROM order_items WHERE item = 'copied'`)],
    [{ n: 5_000, q: 12_497_500 }],
  )
  let copied = ''
  for await (const chunk of await sql`COPY (SELECT * FROM order_items WHERE item = 'copied' ORDER BY line) TO STDOUT`.readable())
    copied += String(chunk)
  t.equal(copied, lines.join(''))
  await sql`DELETE FROM order_items WHERE item = 'copied'`
  await rejects(t, async () => await sql`COPY customers TO STDOUT`.readable(), { detail: 'obligation.unsupported' })
  await rejects(t, async () => await sql`COPY customers FROM STDIN`.writable(), { detail: 'writes.table' })
  t.same([...(await sql`SELECT 1 AS on`)], [{ on: 1 }])
})

t.test('a transaction with a refused statement rolls back, and a savepoint brings it back', async (t) => {
  const sql = open(t, gated.agent)
  const add = (on: postgres.TransactionSql, id: number) =>
    on`INSERT INTO orders ${on({ id, customer_id: 1, total: 1 })}`
  const there = async () => (await sql`SELECT id FROM orders WHERE id >= 980 ORDER BY id`).map(({ id }) => id as number)
  await rejects(
    t,
    sql.begin(async (on) => {
      await add(on, 980)
      await on`DROP TABLE orders`
    }),
    { code: '42501', detail: 'schema.change' },
  )
  t.same(await there(), [])
  await sql.begin(async (on) => {
    await add(on, 980)
    const refused = on.savepoint(async (within) => {
      await add(within, 981)
      await within`UPDATE customers SET city = 'x' WHERE id = ${1}`
    })
    await rejects(t, refused, { detail: 'writes.table' })
    await add(on, 982)
  })
  t.same(await there(), [980, 982])
  await sql.begin((on) => [on`DELETE FROM orders WHERE id = ${980}`, on`DELETE FROM orders WHERE id = ${982}`])
  t.same(await there(), [])
})

t.test('a statement is cancelled with our own key, and the connection goes on', async (t) => {
  const sql = open(t, gated.agent)
  const long = sql`SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 30000) b`
  const ended = rejects(t, long.execute(), { code: '57014' })
  const active = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT count(*)%30000%' AND state = 'active'`
  while ((await gated.server.sql(active)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  long.cancel()
  await ended
  t.same([...(await sql`SELECT 1 AS on`)], [{ on: 1 }])
})

t.test('channels, large objects, replication and several statements with a bad one are refused', async (t) => {
  const sql = open(t, gated.agent)
  await rejects(
    t,
    sql.listen('x', () => {}),
    { detail: 'session.channel' },
  )
  await rejects(t, sql.notify('x', 'y'), { code: '42501' })
  await rejects(t, sql.largeObject(), { detail: 'writes.function' })
  await rejects(t, sql.unsafe('SELECT 1; UPDATE orders SET total = 0'), { detail: 'writes.unbounded' })
  const replicating = open(t, gated.agent, { connection: { replication: 'database' } })
  await rejects(t, replicating`SELECT 1`.execute(), { detail: 'target.forbidden' })
  t.same([...(await sql`SELECT 1 AS on`)], [{ on: 1 }])
})

t.test('TLS in its forms, and a password of its own', async (t) => {
  const ca = readFileSync(gated.ca, 'utf8')
  for (const ssl of ['require', 'prefer', 'allow', false, { ca }] as const) {
    const sql = open(t, gated.guarded, { ssl })
    t.same([...(await sql`SELECT 42 AS n`)], [{ n: 42 }], JSON.stringify(ssl))
  }
  await rejects(t, open(t, gated.guarded, { ssl: 'verify-full' })`SELECT 1`.execute(), /certificate/)
  await rejects(t, open(t, { ...gated.guarded, password: 'wrong' })`SELECT 1`.execute(), { code: '28P01' })
})

t.test('the records of all of postgres.js are whole and hold no secret', async (t) => await gated.check(t))
