/** Much at once, large pieces, and parties that do not keep pace. */
import t from 'tap'
import { encodeCopyData, encodeCopyDone, encodeQuery } from '../../../../src/protocols/postgres/messages.ts'
import { shown } from '../../../support/wire.ts'
import { ask, bind, execute, parse, refusing, setting, sync, until, whole } from './setting.ts'

const MANY = 10_000
const MIB = 1024 ** 2

t.test('ten thousand pipelined messages are answered in their order', async (t) => {
  const { connect, record } = await setting(t)
  const client = await connect()
  await ask(client, parse('s', 'SELECT $1::int'), sync())
  const frames = Array.from({ length: MANY }, (_, index) =>
    Buffer.concat([bind('', 's', [String(index)]), execute(''), ...(index % 100 === 99 ? [sync()] : [])]),
  )
  client.send(...frames)
  const rows: string[] = []
  for (let ready = 0; ready < MANY / 100; ready++) {
    rows.push(...(await client.ready()).flatMap(({ values }) => values?.[0] ?? []))
  }
  t.equal(rows.length, MANY)
  t.ok(rows.every((value, index) => Number(value) === index))
  t.equal(record.outcomes.length, record.decisions.length, 'each is settled')
})

t.test('a value larger than anything that is held in memory passes in pieces', async (t) => {
  const { connect } = await setting(t)
  const client = await connect()
  const length = 20 * MIB
  let bytes = 0
  client.socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
  t.match(await ask(client, encodeQuery(`SELECT repeat('x', ${length})`)), /C\(SELECT 1\) Z\(I\)$/)
  t.ok(bytes > length)
  t.equal(await ask(client, encodeQuery('SELECT 1')), 'T D(1) C(SELECT 1) Z(I)')
})

t.test('an agent that does not read holds up the target, not the memory of the sidecar', async (t) => {
  const { connect } = await setting(t)
  const client = await connect()
  client.socket.pause()
  const before = process.memoryUsage().arrayBuffers
  client.send(encodeQuery("SELECT repeat('x', 8000) FROM generate_series(1, 10000)"))
  await new Promise((resolve) => setTimeout(resolve, 500))
  const grown = (process.memoryUsage().arrayBuffers - before) / MIB
  t.ok(grown < 40, `80 MB wait at the server, ${grown.toFixed(1)} MiB here`)
  client.socket.resume()
  t.match((await client.ready()).at(-2), { type: 'C', text: 'SELECT 10000' })
})

t.test('COPY data that waits for a slow journal holds up the agent, not the memory of the sidecar', async (t) => {
  const { connect, record, sql } = await setting(t, 'CREATE TABLE log (what text)')
  const client = await connect()
  client.send(encodeQuery('COPY log FROM STDIN'))
  await client.until(({ type }) => type === 'G')
  record.automatic = false
  const rows = encodeCopyData(Buffer.from(`${'x'.repeat(1023)}\n`.repeat(64)))
  let taken = 0
  for (let sent = 0; sent < 64 * MIB; sent += rows.length) {
    client.socket.write(rows, () => (taken += rows.length))
    if (sent % MIB === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.ok(taken < 32 * MIB, `${taken / MIB} MiB were taken of 64`)
  record.automatic = true
  record.flush()
  client.send(encodeCopyDone())
  t.match(shown(await client.ready()), /^C\(COPY 65536\) Z\(I\)$/, 'and goes on when the journal does')
  t.same(await sql('SELECT count(*)::int AS n FROM log'), [{ n: 65_536 }])
})

t.test('an agent that does not read its refusals is not asked for more of them', async (t) => {
  const { connect, policy, record } = await setting(t)
  policy.rule = refusing('forbidden')
  const client = await connect()
  client.socket.pause()
  const batch = Buffer.concat(Array.from({ length: 1000 }, () => encodeQuery("SELECT 'forbidden'")))
  let stuck = 0
  // Far more refusals than kernel and sidecar may hold together.
  for (let sent = 0; sent < 400 && stuck < 10; sent++) {
    const taken = record.records.length
    client.socket.write(batch)
    await new Promise((resolve) => setTimeout(resolve, 10))
    stuck = record.records.length === taken ? stuck + 1 : 0
  }
  t.ok(record.records.length < 200_000, `${record.records.length} were refused`)
  t.equal(stuck, 10, 'then nothing more is read')
  client.close()
})

t.test('what a large message is parsed for waits in its place, and those behind it wait', async (t) => {
  const { connect } = await setting(t)
  const client = await connect()
  const large = `SELECT 2 WHERE 'x' <> '${'y'.repeat(60_000)}'`
  client.send(
    encodeQuery('SELECT 1'),
    encodeQuery(large),
    encodeQuery('SELECT 3'),
    whole(large),
    whole('SELECT 4'),
    sync(),
  )
  const told: string[] = []
  for (let ready = 0; ready < 4; ready++)
    told.push(...(await client.ready()).flatMap(({ values }) => values?.[0] ?? []))
  t.same(told, ['1', '2', '3', '2', '4'])
  client.send(whole('SELECT 1/0'), whole(large), whole('SELECT 5'), sync(), encodeQuery('SELECT 6'))
  t.equal(shown(await client.ready()), '1 E(22012) Z(I)', 'and is skipped with them')
  t.equal(shown(await client.ready()), 'T D(6) C(SELECT 1) Z(I)')
})

t.test('a slow target holds up the agent, not the memory of the sidecar', async (t) => {
  const { connect } = await setting(t, 'CREATE TABLE bulk (v text)')
  const client = await connect()
  client.send(encodeQuery('SELECT pg_sleep(0.7)'), encodeQuery('COPY bulk FROM STDIN'))
  const row = Buffer.concat([Buffer.from('d'), Buffer.alloc(4), Buffer.alloc(MIB, 'x'), Buffer.from('\n')])
  row.writeInt32BE(row.length - 1, 1)
  const before = process.memoryUsage()
  for (let sent = 0; sent < 60; sent++) client.socket.write(row)
  const written = client.socket.writableLength
  await new Promise((resolve) => setTimeout(resolve, 300))
  const grown = (process.memoryUsage().arrayBuffers - before.arrayBuffers) / MIB
  t.ok(client.socket.writableLength > 30 * MIB, `${written / MIB} MiB wait at the agent`)
  t.ok(grown < 60, `${grown.toFixed(1)} MiB grew`)
  client.send(Buffer.from([0x63, 0, 0, 0, 4]))
  await client.ready()
  await until('it is done', () => client.answers.some(({ text }) => text === 'COPY 60'))
})
