/** Where a refusal may fall, and what the agent and the server think afterwards. */
import t from 'tap'
import {
  encodeCopyData,
  encodeCopyDone,
  encodeFunctionCall,
  encodeQuery,
} from '../../../../src/protocols/postgres/messages.ts'
import { ALLOW, deny } from '../../../support/fakes.ts'
import { shown } from '../../../support/wire.ts'
import { ask, bind, errorOf, execute, parse, refusing, setting, sync, until, whole } from './setting.ts'

const LOG = 'CREATE TABLE log (n int)'
const DENIED = encodeQuery("SELECT 'forbidden'")

t.test('a refusal says what, by which code, and what to do instead', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = refusing('forbidden')
  const client = await connect()
  client.send(DENIED)
  t.same(errorOf(await client.ready()), {
    S: 'ERROR',
    V: 'ERROR',
    C: '42501',
    M: 'refused by test.refused',
    D: 'test.refused',
    H: 'do otherwise',
  })
})

t.test('a refused Query leaves the transaction as a failed statement would', async (t) => {
  const { policy, connect, sql } = await setting(t, LOG)
  policy.rule = refusing('forbidden')
  const client = await connect()
  t.equal(await ask(client, DENIED), 'E(42501) Z(I)', 'idle')
  await ask(client, encodeQuery('BEGIN'))
  await ask(client, encodeQuery('INSERT INTO log VALUES (1)'))
  t.equal(await ask(client, DENIED), 'E(42501) Z(E)', 'in a transaction')
  t.equal(await ask(client, DENIED), 'E(42501) Z(E)', 'in a failed transaction')
  t.equal(await ask(client, encodeQuery('COMMIT')), 'C(ROLLBACK) Z(I)')
  await ask(client, encodeQuery('BEGIN; SAVEPOINT here'))
  t.equal(await ask(client, DENIED), 'E(42501) Z(E)')
  t.equal(await ask(client, encodeQuery('ROLLBACK TO here')), 'C(ROLLBACK) Z(T)', 'a savepoint takes it back')
  await ask(client, encodeQuery('INSERT INTO log VALUES (2)'))
  t.equal(await ask(client, encodeQuery('COMMIT')), 'C(COMMIT) Z(I)')
  t.equal(
    await ask(client, encodeQuery("INSERT INTO log VALUES (3); SELECT 'forbidden'; INSERT INTO log VALUES (4)")),
    'E(42501) Z(I)',
    'one of several statements',
  )
  t.same(await sql('SELECT n FROM log'), [{ n: 2 }])
})

t.test('what came before a refusal in the same pipeline is rolled back, what comes behind it is skipped', async (t) => {
  const { policy, connect, sql } = await setting(t, LOG)
  policy.rule = ({ command: { shape, varying } }) => {
    if (shape.text.includes('at execute')) return varying['phase'] === 'execute' ? deny('test.refused') : ALLOW
    return shape.text.includes('forbidden') ? deny('test.refused') : ALLOW
  }
  const client = await connect()
  const insert = (n: number) => whole(`INSERT INTO log VALUES (${n})`)
  const inserted = '1 2 C(INSERT 0 1)'
  t.equal(await ask(client, insert(1), parse('', "SELECT 'forbidden'"), insert(2), sync()), `${inserted} E(42501) Z(I)`)
  t.equal(await ask(client, insert(3), whole("SELECT 'at execute'"), insert(4), sync()), `${inserted} 1 E(42501) Z(I)`)
  t.equal(
    await ask(client, insert(5), parse('', "SELECT 'at execute'"), bind(''), insert(6), sync()),
    `${inserted} 1 E(42501) Z(I)`,
    'a Bind without its Execute',
  )
  const call = encodeFunctionCall({ function: 1598, argumentFormats: [], arguments: [], resultFormat: 0 })
  t.equal(await ask(client, call), 'E(0A000) Z(I)', 'FunctionCall')
  client.send(insert(7), DENIED)
  t.equal(shown(await client.ready()), `${inserted} E(42501) Z(I)`, 'a Query ends the segment')
  client.send(insert(8), Buffer.from([0x48, 0, 0, 0, 4]))
  t.equal(
    shown(await client.until(({ type }) => type === 'C')),
    inserted,
    'nothing is under way, and nothing committed',
  )
  t.equal(await ask(client, DENIED), 'E(42501) Z(I)')
  t.equal(await ask(client, sync()), 'Z(I)')
  t.same(await sql('SELECT n FROM log'), [], 'nothing was committed')
})

t.test('the unnamed statement is gone after a refused Parse and a refused Query', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = refusing('forbidden')
  const client = await connect()
  await ask(client, parse('', 'SELECT 1'), sync())
  t.equal(await ask(client, parse('', "SELECT 'forbidden'"), sync()), 'E(42501) Z(I)')
  t.equal(await ask(client, bind(''), execute(''), sync()), 'E(26000) Z(I)')
  await ask(client, parse('', 'SELECT 1'), sync())
  t.equal(await ask(client, DENIED), 'E(42501) Z(I)')
  t.equal(await ask(client, bind(''), execute(''), sync()), 'E(26000) Z(I)')
})

t.test('an open portal goes on only as far as the policy of now lets it', async (t) => {
  const { policy, connect } = await setting(t)
  const client = await connect()
  await ask(client, encodeQuery('BEGIN'))
  t.equal(
    await ask(client, parse('s', 'SELECT generate_series(1, 5)'), bind('p', 's'), execute('p', 1), sync()),
    '1 2 D(1) s Z(T)',
  )
  policy.change(() => deny('test.refused'))
  t.equal(await ask(client, execute('p', 1), sync()), 'E(42501) Z(E)')
})

t.test('a change of policy ends a COPY that it no longer permits, and nothing of it is kept', async (t) => {
  for (const [what, begins, ends] of [
    ['simple', [encodeQuery('COPY log FROM STDIN')], 'Z'],
    ['extended', [parse('', 'COPY log FROM STDIN'), bind(''), execute('')], 'E'],
  ] as const) {
    const { policy, connect, sql, record } = await setting(t, LOG)
    const client = await connect()
    client.send(...begins, encodeCopyData(Buffer.from('1\n')))
    await client.until(({ type }) => type === 'G')
    await until('the data is on its way', () => record.decisions.length > 0)
    policy.change(() => deny('test.refused'))
    const told = await client.until(({ type }) => type === ends)
    t.equal(errorOf(told)['D'], 'policy.revoked', what)
    client.send(encodeCopyData(Buffer.from('2\n')), encodeCopyDone())
    policy.change(() => ALLOW)
    t.match(await ask(client, ...(what === 'extended' ? [sync()] : []), encodeQuery('SELECT 1')), /Z\(I\)$/)
    t.same(await sql('SELECT n FROM log'), [], what)
    t.equal(record.outcomes.find(({ outcome }) => outcome.status === 'refused')?.outcome.status, 'refused')
  }
})

t.test('a Sync within COPY data counts only where the COPY failed', async (t) => {
  const { connect, sql } = await setting(t, 'CREATE TABLE log (n int CHECK (n > 0))')
  const client = await connect()
  const copy = [parse('', 'COPY log FROM STDIN'), bind(''), execute('')]
  const row = (text: string) => encodeCopyData(Buffer.from(text))
  t.equal(await ask(client, ...copy, sync(), row('1\n'), sync(), encodeCopyDone(), sync()), '1 2 G C(COPY 1) Z(I)')
  t.equal(await ask(client, encodeQuery('SELECT 1')), 'T D(1) C(SELECT 1) Z(I)')
  t.equal(await ask(client, ...copy, row('-1\n'), encodeCopyDone(), sync()), '1 2 G E(23514) Z(I)')
  client.send(...copy, row('x\n'))
  await client.until(({ type }) => type === 'E')
  t.equal(await ask(client, sync()), 'Z(I)', 'without CopyDone')
  t.same(await sql('SELECT n FROM log'), [{ n: 1 }])
})

t.test('rows of a COPY may be larger than anything that is held in memory', async (t) => {
  const { connect, sql } = await setting(t, 'CREATE TABLE large (v text)')
  const client = await connect()
  const value = 'v'.repeat(3 * 1024 ** 2)
  t.equal(
    await ask(
      client,
      encodeQuery('COPY large FROM STDIN'),
      encodeCopyData(Buffer.from(`${value}\n`)),
      encodeCopyDone(),
    ),
    'G C(COPY 1) Z(I)',
  )
  t.same(await sql('SELECT length(v) FROM large'), [{ length: value.length }])
})
