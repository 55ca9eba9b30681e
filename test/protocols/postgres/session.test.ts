/** How sessions are cancelled, how they end, and what they leave behind. */
import { once } from 'node:events'
import t from 'tap'
import {
  encodeBind,
  encodeCancelRequest,
  encodeExecute,
  encodeParse,
  encodeQuery,
  encodeSync,
  encodeTerminate,
} from '../../../src/protocols/postgres/messages.ts'
import { ALLOW, approve } from '../../support/fakes.ts'
import { shown, WireClient } from '../../support/wire.ts'
import { ask, errorOf, refusing, setting, until } from './relay/setting.ts'

const SLEEP = encodeQuery('SELECT pg_sleep(30)')
const ONE = encodeQuery('SELECT 1')

/** The key that the agent was given. */
function keyOf(client: WireClient): { processId: number; secret: Buffer } {
  const raw = client.answers.find(({ type }) => type === 'K')?.raw
  if (raw === undefined) throw new Error('there is no key')
  return { processId: raw.readInt32BE(5), secret: raw.subarray(9) }
}

async function cancel(port: number, processId: number, secret: Buffer): Promise<void> {
  const client = await WireClient.open(port)
  client.send(encodeCancelRequest(processId, secret))
  if (!client.ended) await once(client.socket, 'close')
}

t.test('an agent cancels by the key that it was given, and by no other', async (t) => {
  const { connect, target, sql } = await setting(t)
  const client = await connect()
  const { processId, secret } = keyOf(client)
  t.same(await ask(client, encodeQuery('SELECT pg_backend_pid()')), `T D(${processId}) C(SELECT 1) Z(I)`)
  const running = async () =>
    (await sql(`SELECT state FROM pg_stat_activity WHERE pid = ${processId}`))[0]?.['state'] === 'active'

  client.send(SLEEP)
  await until('it runs', running)
  await cancel(target.port, processId, Buffer.from(secret).fill(0))
  await cancel(target.port, processId + 1, secret)
  t.ok(await running(), 'a wrong key cancels nothing')
  await cancel(target.port, processId, secret)
  const told = await client.ready()
  t.equal(errorOf(told)['C'], '57014')
  t.equal(await ask(client, ONE), 'T D(1) C(SELECT 1) Z(I)', 'the session goes on')
})

t.test('an agent that leaves in the midst of a query has it cancelled', async (t) => {
  for (const leave of [
    (client: WireClient) => client.close(),
    (client: WireClient) => void client.socket.end(encodeTerminate()),
  ]) {
    const { connect, sql, record } = await setting(t)
    const client = await connect()
    const { processId } = keyOf(client)
    client.send(SLEEP)
    const left = async () => (await sql(`SELECT 1 FROM pg_stat_activity WHERE pid = ${processId}`)).length === 0
    await until('it runs', async () => {
      const rows = await sql(`SELECT 1 FROM pg_stat_activity WHERE pid = ${processId} AND state = 'active'`)
      return rows.length === 1
    })
    leave(client)
    await until('the server has stopped', left)
    await until('the end is on record', () => record.records.some(({ type }) => type === 'session-end'))
    t.same(
      record.outcomes.map(({ outcome }) => outcome.status),
      ['lost'],
    )
  }
})

t.test('an agent that cancels what waits for people takes it back, and goes on', async (t) => {
  const { connect, target, policy, approval } = await setting(t)
  policy.rule = ({ command }) => (command.shape.text.includes('held') ? approve('test.held') : ALLOW)
  const client = await connect()
  const { processId, secret } = keyOf(client)
  client.send(encodeQuery("SELECT 'held'"), ONE)
  const [notice] = await client.until(({ type }) => type === 'N')
  t.equal(notice?.fields?.get('M'), 'this waits for an approval (test.held)')
  const [hold] = approval.holds
  hold?.signal.addEventListener('abort', () => {
    hold.settle({ refusal: { code: 'approval.withdrawn', message: 'taken back', remedy: '', policy: '' } })
  })
  await cancel(target.port, processId, secret)
  const told = await client.ready()
  t.match(errorOf(told), { C: '57014', D: 'approval.withdrawn' })
  t.equal(shown(await client.ready()), 'T D(1) C(SELECT 1) Z(I)')
})

t.test('what was granted does not run where the schema has changed meanwhile', async (t) => {
  const { connect, policy, approval, sql, record } = await setting(
    t,
    'CREATE TABLE log (n int); CREATE TABLE other (n int)',
  )
  policy.rule = ({ command, grant }) => {
    return command.shape.text.includes('INSERT') && grant === null ? approve('test.held') : ALLOW
  }
  const client = await connect()
  const grant = { by: ['someone'], at: new Date().toISOString(), codes: ['test.held'] }
  client.send(encodeQuery('INSERT INTO log VALUES (1)'))
  await until('somebody is asked', () => approval.holds.length === 1)
  await sql('ALTER TABLE log RENAME TO former; ALTER TABLE other RENAME TO log')
  // Another session's unknown name has the catalogs looked at.
  const witness = await connect()
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  await witness.query('SELECT * FROM nothing_of_that_name')
  approval.holds[0]?.settle({ grant })
  const told = await client.ready()
  t.match(errorOf(told), { D: 'approval.withdrawn', H: 'send it again' })
  t.same(await sql('SELECT n FROM log UNION ALL SELECT n FROM former'), [])
  t.match(record.decisions.at(-1)?.refusal, { code: 'approval.withdrawn' }, 'on record')
  client.send(encodeQuery('INSERT INTO log VALUES (2)'))
  await until('somebody is asked again', () => approval.holds.length === 2)
  approval.holds[1]?.settle({ grant })
  t.match(shown(await client.ready()), /C\(INSERT 0 1\) Z\(I\)$/)
})

t.test(
  'what waits for people in a pipeline runs in its place, and not at all where the pipeline has failed',
  async (t) => {
    const { connect, policy, approval, sql, record } = await setting(t, 'CREATE TABLE log (n int)')
    policy.rule = ({ command, grant }) => {
      return command.shape.text.includes('held') && grant === null ? approve('test.held') : ALLOW
    }
    const whole = (text: string) =>
      Buffer.concat([
        encodeParse('', text),
        encodeBind({
          portal: '',
          statement: '',
          parameterFormats: [],
          parameters: [],
          resultFormats: [],
        }),
        encodeExecute(''),
      ])
    const grant = { by: ['someone'], at: new Date().toISOString(), codes: ['test.held'] }
    const answer = async (count: number) => {
      await until('somebody is asked', () => approval.holds.length === count)
      await new Promise((resolve) => setTimeout(resolve, 100))
      approval.holds[count - 1]?.settle({ grant })
    }
    const client = await connect()
    client.send(whole('INSERT INTO log VALUES (1)'), whole('INSERT INTO log VALUES (2) /* held */'), encodeSync())
    for (const count of [1, 2]) await answer(count)
    const told = (await client.ready()).filter(({ type }) => type !== 'N')
    t.equal(shown(told), '1 2 C(INSERT 0 1) 1 2 C(INSERT 0 1) Z(I)')

    client.send(whole('SELECT 1/0'), whole('INSERT INTO log VALUES (3) /* held */'), encodeSync())
    await answer(3)
    const failed = (await client.ready()).filter(({ type }) => type !== 'N')
    t.equal(shown(failed), '1 E(22012) Z(I)')
    t.same(await sql('SELECT n FROM log ORDER BY n'), [{ n: 1 }, { n: 2 }])
    const open = record.decisions.filter(({ refusal }) => refusal === null).length - record.outcomes.length
    t.equal(open, 0, 'every permit is settled')
  },
)

t.test('a target that dies ends the session, and what ran is lost on record', async (t) => {
  const { connect, tap, record } = await setting(t)
  const client = await connect()
  client.send(SLEEP)
  await until('it is permitted', () => record.decisions.length > 0)
  tap.cut()
  await client.ready()
  t.ok(client.ended)
  await until('the end is on record', () => record.records.some(({ type }) => type === 'session-end'))
  t.same(
    record.outcomes.map(({ outcome }) => outcome.status),
    ['lost'],
  )
})

t.test('a FATAL of the server is read before the connection ends', async (t) => {
  const { connect, sql } = await setting(t)
  const client = await connect()
  const { processId } = keyOf(client)
  await sql(`SELECT pg_terminate_backend(${processId})`)
  t.match(errorOf(await client.ready()), { V: 'FATAL', C: '57P01' })
  t.ok(client.ended)
})

t.test('shutting down finishes what runs, then says so', async (t) => {
  const { connect, target, record } = await setting(t)
  const [idle, busy, open] = [await connect(), await connect(), await connect()]
  await ask(open, encodeQuery('BEGIN'))
  busy.send(encodeQuery('SELECT pg_sleep(0.5)'))
  await until('it is permitted', () => record.decisions.some(({ command }) => command.shape.text.includes('sleep')))
  const closed = target.close(1500)
  t.match(errorOf(await idle.ready()), { V: 'FATAL', C: '57P01' })
  const told = await busy.ready()
  t.match(shown(told), /^T D\(\) C\(SELECT 1\) Z\(I\)$/)
  t.match(errorOf(await busy.ready()), { V: 'FATAL', C: '57P01' })
  const started = Date.now()
  t.equal(await ask(open, encodeQuery('COMMIT')), 'C(COMMIT) Z(I)', 'an open transaction may still end')
  t.match(errorOf(await open.ready()), { V: 'FATAL', C: '57P01' })
  await closed
  t.ok(Date.now() - started < 1500)
})

t.test('a pinned setting that changes in spite of all ends the session', async (t) => {
  const { connect } = await setting(t)
  for (const [name, value] of [
    ['client_encoding', 'LATIN1'],
    ['standard_conforming_strings', 'off'],
    ['search_path', 'pg_catalog'],
  ] as const) {
    const client = await connect()
    // Opaque code, which a policy may permit.
    client.send(encodeQuery(`DO $$ BEGIN PERFORM set_config('${name}', '${value}', false); END $$`))
    const told = await client.ready()
    t.match(errorOf(told), { V: 'FATAL', D: 'command.unsupported' }, name)
  }
})

t.test('notices and notifications arrive wherever the server puts them', async (t) => {
  const { connect, sql, policy } = await setting(t)
  policy.rule = refusing('forbidden')
  const client = await connect()
  await ask(client, encodeQuery('LISTEN channel'))
  await sql("NOTIFY channel, 'while idle'")
  const [notified] = await client.until(({ type }) => type === 'A')
  t.ok(notified?.raw.includes('while idle'))
  t.equal(
    await ask(client, encodeQuery("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")),
    'N(00000) N(01000) C(DO) Z(I)',
  )
  t.equal(await ask(client, encodeQuery("SELECT 'forbidden'")), 'E(42501) Z(I)')
})

t.test('a new table is known to the statements behind the one that makes it', async (t) => {
  const { connect, policy } = await setting(t)
  const seen: string[] = []
  policy.rule = ({ command }) => {
    seen.push(JSON.stringify(command.shape.detail['relations']))
    return ALLOW
  }
  const client = await connect()
  await ask(client, encodeQuery('SELECT 1'))
  client.send(encodeQuery('CREATE TABLE made_now (n int, m int)'))
  await client.ready()
  t.equal(await ask(client, encodeQuery('SELECT m FROM made_now')), 'T C(SELECT 0) Z(I)')
  t.match(seen.at(-1) ?? '', '"schema":"public","name":"made_now"')
})

t.test(
  'an operator ends a session: what runs, waits for people, copies or idles is over, and the agent is told',
  async (t) => {
    const begin: Readonly<Record<string, (client: WireClient) => void>> = {
      idle: () => {},
      running: (client) => client.send(SLEEP),
      held: (client) => client.send(encodeQuery("SELECT 'held'")),
      copying: (client) => client.send(encodeQuery('COPY log FROM STDIN')),
      open: (client) => client.send(encodeQuery('BEGIN')),
    }
    for (const [name, start] of Object.entries(begin)) {
      const { connect, target, policy, approval, record, sql } = await setting(t, 'CREATE TABLE log (n int)')
      policy.rule = ({ command }) => (command.shape.text.includes('held') ? approve('test.held') : ALLOW)
      const client = await connect()
      const { processId } = keyOf(client)
      start(client)
      if (name !== 'idle') await until('it is judged', () => record.decisions.length + approval.holds.length > 0)
      if (name === 'copying') await client.until(({ type }) => type === 'G')
      const [session] = target.gate.sessions
      t.ok(target.gate.end(session?.id ?? '', 'no longer wanted'), name)
      const told = await client.until(({ type }) => type === 'E')
      t.match(errorOf(told), { V: 'FATAL', C: '57P01', D: 'session.ended', M: 'an operator ended the session' }, name)
      if (!client.ended) await once(client.socket, 'close')
      await until('the server has stopped', async () => {
        return (await sql(`SELECT 1 FROM pg_stat_activity WHERE pid = ${processId}`)).length === 0
      })
      await until('the end is on record', () => record.records.some(({ type }) => type === 'session-end'))
      t.match(
        record.records.filter(({ type }) => type === 'session-end'),
        [{ reason: 'session.ended: no longer wanted' }],
        name,
      )
      const permitted = record.decisions.filter(({ refusal }) => refusal === null).length
      t.equal(record.outcomes.length, permitted, `every permit is settled: ${name}`)
      t.same(target.gate.sessions, [], name)
    }
  },
)
