/** node-postgres through the whole sidecar, beside node-postgres past it. */
import { readFileSync } from 'node:fs'
import pg from 'pg'
import t, { type Test } from 'tap'
import { type Address, rejects, same, startGated } from './gated.ts'
import { SSNS } from './shop.ts'

const gated = await startGated(t)

/** What clients of one test would fight over is pinned for both, so that only Sidegate makes a difference. */
const PINNED = '-c search_path=public,pg_temp'

async function open(t: Test, address: Address, more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...address, ...more })
  await client.connect()
  t.teardown(async () => await client.end())
  return client
}

async function pair(t: Test): Promise<readonly [past: pg.Client, through: pg.Client]> {
  return [await open(t, gated.direct, { options: PINNED }), await open(t, gated.agent)]
}

type Asked = pg.QueryConfig & { readonly binary?: boolean; readonly rows?: number }

/** All that a program can see of an answer. */
async function answer(client: pg.Client, query: Asked): Promise<unknown> {
  try {
    const result: unknown = await client.query(query)
    return (Array.isArray(result) ? result : [result]).map(({ command, rowCount, rows, fields }: pg.QueryResult) => {
      return {
        command,
        rowCount,
        rows,
        fields: fields.map(({ name, dataTypeID, format }) => [name, dataTypeID, format]),
      }
    })
  } catch (error) {
    const { code, severity, message, detail, hint, position, constraint, table, column } = error as pg.DatabaseError
    return { code, severity, message, detail, hint, position, constraint, table, column }
  }
}

const ORDERS = 'SELECT * FROM orders ORDER BY id'
const TYPES = `SELECT $1::int[] AS ints, $2::text[] AS texts, $3::jsonb AS json, $4::bytea AS bytes, $5::timestamptz AS at,
  $6::date AS day, $7::numeric AS number, $8::boolean AS yes, $9::float8 AS float, $10::uuid AS uuid, $11::int8 AS long,
  $12::interval AS span, $13::text AS nothing`
const VALUES = [
  [1, 2, 3],
  ['a', 'b "c"', ''],
  { a: [1, { b: null }], ü: '😀' },
  Buffer.from([0, 1, 255]),
  new Date('2026-02-03T04:05:06.789Z'),
  '2026-02-03',
  '123456789012345678901234567890.123456789',
  true,
  1.5e-7,
  '0b1e6a4e-5c1e-4a52-9a56-7a5cf3a2a8de',
  '9223372036854775807',
  '1 year 2 mons 3 days 04:05:06.7',
  null,
]

t.test('rows, types and errors are those that node-postgres has past the gate', async (t) => {
  const [past, through] = await pair(t)
  const asked: readonly Asked[] = [
    { text: ORDERS },
    { text: ORDERS, binary: true, values: [] },
    { text: `${ORDERS}; SELECT 1 AS one; SELECT 2 AS two WHERE false` },
    { text: 'SELECT * FROM orders WHERE id = $1', values: [101] },
    { text: 'SELECT * FROM orders WHERE id = ANY($1) ORDER BY id', values: [[101, 103]] },
    { text: 'SELECT * FROM orders WHERE extra @> $1', values: [{ gift: true }] },
    { text: TYPES, values: VALUES },
    { text: TYPES, values: VALUES, binary: true },
    { text: 'SELECT $1::int[] AS ints', values: [[1, null]] },
    { text: 'SELECT $1', values: ['untyped'] },
    { text: 'SELECT $1::text', values: ['x'.repeat(100_000)] },
    { name: 'one', text: 'SELECT id FROM orders WHERE customer_id = $1 ORDER BY id', values: [1] },
    { name: 'one', text: 'SELECT id FROM orders WHERE customer_id = $1 ORDER BY id', values: [2] },
    { text: 'SELECT id FROM orders ORDER BY id', rows: 2 },
    { text: 'SELECT g FROM generate_series(1, 1000) g', rows: 7 },
    { text: '' },
    { text: '-- nothing' },
    { text: 'SELECT 1/0' },
    { text: 'SELECT 1/$1::int', values: [0] },
    { text: 'SELECT nope FROM orders' },
    { text: 'SELECT $1::int', values: ['x'] },
    { text: 'SELECT $1::int, $2::int', values: [1] },
    { text: 'INSERT INTO orders (id, customer_id, total) VALUES (101, 1, 1)' },
    { text: 'INSERT INTO orders (id, customer_id, total) VALUES (900, 1, -1)' },
    { text: 'INSERT INTO orders (id, customer_id, total) VALUES (900, 1, $1)', values: [null] },
    { text: 'UPDATE orders SET total = -1 WHERE id = 101' },
    { text: 'UPDATE orders SET total = $1 WHERE id = $2', values: [-1, 101] },
    { text: 'COPY order_items FROM STDIN' },
    { text: 'SELECT count(*) FROM order_items' },
  ]
  for (const query of asked) {
    const what = `${query.text.slice(0, 60)} ${query.binary === true ? 'in binary' : ''}`
    same(t, await answer(through, query), await answer(past, query), what)
  }
})

t.test('masked columns are masked in text, in binary, by portals and by name', async (t) => {
  const client = await open(t, gated.agent)
  const text = 'SELECT id, name, email, ssn FROM customers ORDER BY id'
  const expected = ['Ada Palmer', 'Bao Tran', 'Chidi Eze'].map((name, at) => ({
    id: at + 1,
    name,
    email: '********.com',
    ssn: '[sidegate:masked]',
  }))
  const ways: readonly Asked[] = [
    { text },
    { text, values: [], binary: true },
    { text, rows: 1 },
    { text, name: 'masked' },
    { text, name: 'masked', rows: 2 },
  ]
  for (const query of ways) t.same((await client.query(query)).rows, expected)
  const one = { text: 'SELECT ssn FROM customers WHERE id = $1', values: [2], rowMode: 'array' as const }
  t.same((await client.query(one)).rows, [['[sidegate:masked]']])
})

t.test('a refusal comes as an error with code, detail and hint, and the connection goes on', async (t) => {
  const client = await open(t, gated.agent)
  const refused: readonly (readonly [query: Asked, expected: object])[] = [
    [{ text: 'DROP TABLE orders' }, { code: '42501', detail: 'schema.change', hint: /migration/, severity: 'ERROR' }],
    [
      { text: 'DELETE FROM orders', values: [] },
      { code: '42501', detail: 'writes.unbounded', hint: /WHERE/ },
    ],
    [
      { name: 'sleeper', text: 'SELECT pg_sleep($1)', values: [1] },
      { code: '42501', detail: 'reads.wait' },
    ],
    [{ text: 'LISTEN x' }, { code: '42501', detail: 'session.channel' }],
    [{ text: 'SELECT name FROM customers WHERE ssn = $1', values: [SSNS[0]] }, { detail: 'obligation.unsupported' }],
    [{ text: 'SELECT 1; DROP TABLE orders; SELECT 2' }, { code: '42501', detail: 'schema.change' }],
    [
      { text: 'SELECT * FROM nowhere WHERE id = $1', values: [1] },
      { code: '42501', detail: 'names.unknown' },
    ],
    [{ text: 'SELEC 1' }, { code: '42601', detail: 'command.unparsable' }],
  ]
  for (const [query, expected] of refused) {
    t.match(await answer(client, query), expected, query.text)
    t.same((await client.query('SELECT $1::int AS on', [1])).rows, [{ on: 1 }])
  }
})

t.test(
  'a transaction with a refused statement is as failed as the server says, and savepoints bring it back',
  async (t) => {
    const client = await open(t, gated.agent)
    const count = async () => (await client.query('SELECT count(*)::int AS n FROM orders')).rows
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (id, customer_id, total) VALUES ($1, $2, $3)', [950, 1, 1])
    await rejects(t, client.query('DELETE FROM orders'), { detail: 'writes.unbounded' })
    await rejects(t, client.query('SELECT 1'), { code: '25P02' })
    t.equal((await client.query('COMMIT')).command, 'ROLLBACK')
    t.same(await count(), [{ n: 3 }])
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (id, customer_id, total) VALUES ($1, $2, $3)', [950, 1, 1])
    await client.query('SAVEPOINT s')
    await rejects(t, client.query('UPDATE customers SET city = $1', ['x']), { detail: 'writes.table' })
    await client.query('ROLLBACK TO SAVEPOINT s')
    t.same(await count(), [{ n: 4 }])
    await client.query('DELETE FROM orders WHERE id = $1', [950])
    t.equal((await client.query('COMMIT')).command, 'COMMIT')
    t.same(await count(), [{ n: 3 }])
  },
)

t.test('a pool serves many at once', async (t) => {
  const pool = new pg.Pool({ ...gated.agent, max: 8 })
  const asked = Array.from({ length: 200 }, async (_, n) => {
    const text = n % 3 === 0 ? 'SELECT $1::int AS n' : 'SELECT id, $1::int AS n FROM orders WHERE id = 101'
    return (await pool.query({ text, values: [n], ...(n % 2 === 0 ? { name: `of ${text}` } : {}) })).rows[0].n
  })
  t.same(
    await Promise.all(asked),
    Array.from({ length: 200 }, (_, n) => n),
  )
  await pool.end()
})

t.test('TLS is asked for or begun directly, and verified', async (t) => {
  const ssl = { ca: readFileSync(gated.ca, 'utf8') }
  for (const sslnegotiation of ['postgres', 'direct'] as const) {
    const client = await open(t, gated.guarded, { ssl, sslnegotiation })
    t.same((await client.query('SELECT 42 AS n')).rows, [{ n: 42 }], sslnegotiation)
  }
  const channel = await open(t, gated.guarded, { ssl, enableChannelBinding: true })
  t.same((await channel.query('SELECT 42 AS n')).rows, [{ n: 42 }], 'bound to the channel')
  const plain = await open(t, gated.guarded)
  t.same((await plain.query('SELECT 42 AS n')).rows, [{ n: 42 }], 'without TLS, on loopback')
  const untrusting = new pg.Client({ ...gated.guarded, ssl: true })
  await rejects(t, untrusting.connect(), /certificate/)
  const wrong = new pg.Client({ ...gated.guarded, password: 'wrong', ssl })
  await rejects(t, wrong.connect(), { code: '28P01' })
})

t.test('a client that vanishes takes what it was doing with it', async (t) => {
  const client = new pg.Client({ ...gated.agent })
  client.on('error', () => {})
  await client.connect()
  const text = 'SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 20000) b'
  const lost = client.query(text).catch(() => 'lost')
  const active = `SELECT 1 FROM pg_stat_activity WHERE query = '${text}' AND state = 'active'`
  while ((await gated.server.sql(active)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
  t.equal(await lost, 'lost')
  t.equal(await gated.connections(), 0)
  for (let attempt = 0; attempt < 100 && (await gated.server.sql(active)).length > 0; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.same(await gated.server.sql(active), [])
})

t.test('the records of all of node-postgres are whole and hold no secret', async (t) => await gated.check(t))
