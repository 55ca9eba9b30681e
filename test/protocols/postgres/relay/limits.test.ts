/** Limits of rows, bytes and seconds that a policy sets. */
import t from 'tap'
import { encodeCopyData, encodeCopyDone, encodeQuery } from '../../../../src/protocols/postgres/messages.ts'
import { ALLOW } from '../../../support/fakes.ts'
import { shown } from '../../../support/wire.ts'
import { ask, bind, errorOf, execute, limited, parse, setting, sync, whole } from './setting.ts'

const five = 'SELECT generate_series(1, 5)'
const FIVE = encodeQuery(five)
const LOG = 'CREATE TABLE log (n int)'

t.test('a result that keeps to its limit of rows is whole, and one that does not is refused', async (t) => {
  const { policy, connect } = await setting(t)
  const client = await connect()
  policy.rule = () => limited({ rows: 5 })
  t.equal(await ask(client, FIVE), 'T D(1) D(2) D(3) D(4) D(5) C(SELECT 5) Z(I)', 'simple, exactly')
  t.equal(await ask(client, whole(five), sync()), '1 2 D(1) D(2) D(3) D(4) D(5) C(SELECT 5) Z(I)', 'extended, exactly')
  policy.rule = () => limited({ rows: 2 })
  client.send(FIVE)
  const told = await client.ready()
  t.equal(shown(told), 'T D(1) D(2) E(54000) Z(I)', 'simple')
  t.match(errorOf(told), { D: 'obligation.limit', M: 'the policy limits a result to 2 rows' })
  t.equal(await ask(client, whole(five), sync()), '1 2 D(1) D(2) E(54000) Z(I)', 'extended')
  t.equal(await ask(client, encodeQuery('SELECT 1')), 'T D(1) C(SELECT 1) Z(I)', 'the session goes on')
})

t.test('a portal that is read in parts has one limit for all of them', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = ({ command }) => (command.shape.text === five ? limited({ rows: 3 }) : ALLOW)
  const client = await connect()
  await ask(client, encodeQuery('BEGIN'))
  await ask(client, parse('s', five), sync())
  t.equal(await ask(client, bind('p', 's'), execute('p', 2), sync()), '2 D(1) D(2) s Z(T)')
  t.equal(await ask(client, execute('p', 2), sync()), 'D(3) E(54000) Z(E)', 'and the transaction has failed')
  t.equal(await ask(client, encodeQuery('ROLLBACK')), 'C(ROLLBACK) Z(I)')
})

t.test('a cursor that is fetched in parts has one limit for all of them', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = ({ command }) => (command.shape.text.startsWith('FETCH') ? limited({ rows: 3 }) : ALLOW)
  const client = await connect()
  await ask(client, encodeQuery(`BEGIN; DECLARE c CURSOR FOR ${five}`))
  t.equal(await ask(client, encodeQuery('FETCH 2 FROM c')), 'T D(1) D(2) C(FETCH 2) Z(T)')
  t.equal(await ask(client, encodeQuery('FETCH 2 FROM c')), 'T D(3) E(54000) Z(E)')
  await ask(client, encodeQuery('ROLLBACK'))
  await ask(client, encodeQuery(`BEGIN; DECLARE c CURSOR FOR ${five}`))
  t.equal(
    await ask(client, whole('FETCH 2 FROM c'), whole('SELECT 1'), sync()),
    '1 2 D(1) D(2) C(FETCH 2) 1 2 D(1) C(SELECT 1) Z(T)',
    'by the protocol, in a pipeline',
  )
  t.equal(
    await ask(client, whole('FETCH 2 FROM c'), sync()),
    '1 2 D(3) E(54000) Z(E)',
    'however often it is bound anew',
  )
})

t.test('a limit that is passed in a transaction fails it before anything behind it runs', async (t) => {
  const { policy, connect, sql } = await setting(t, LOG)
  policy.rule = ({ command }) => (command.shape.text === five ? limited({ rows: 2 }) : ALLOW)
  const client = await connect()
  const insert = (n: number) => `INSERT INTO log VALUES (${n})`
  await ask(client, encodeQuery('BEGIN'))
  client.send(FIVE, encodeQuery(insert(1)), encodeQuery('COMMIT'))
  t.equal(shown(await client.ready()), 'T D(1) D(2) E(54000) Z(E)')
  t.equal(shown(await client.ready()), 'E(25P02) Z(E)')
  t.equal(shown(await client.ready()), 'C(ROLLBACK) Z(I)')
  t.equal(
    await ask(client, whole(insert(2)), whole(five), whole(insert(3)), sync()),
    '1 2 C(INSERT 0 1) 1 2 D(1) D(2) E(54000) Z(I)',
    'in an implicit transaction as well',
  )
  t.same(await sql('SELECT n FROM log'), [])
})

t.test('bytes are limited as rows are', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = () => limited({ bytes: 1000 })
  const client = await connect()
  t.match(await ask(client, encodeQuery("SELECT repeat('x', 500)")), /C\(SELECT 1\) Z\(I\)$/)
  t.equal(await ask(client, encodeQuery("SELECT repeat('x', 2000)")), 'T E(54000) Z(I)')
  t.equal(await ask(client, encodeQuery("SELECT repeat('x', 200000)")), 'T E(54000) Z(I)', 'in pieces')
  t.equal(await ask(client, whole("SELECT repeat('x', 200000)"), sync()), '1 2 E(54000) Z(I)')
  const parts = [
    parse('', "SELECT repeat('x', 400) FROM generate_series(1, 9)"),
    bind(''),
    execute('', 1),
    execute('', 1),
  ]
  t.match(
    await ask(client, ...parts, execute('', 1), sync()),
    /^1 2 D\(x+\) s D\(x+\) s E\(54000\) Z\(I\)$/,
    'in parts',
  )
})

t.test('what gives no rows runs under a limit of rows, and what cannot be stopped half-way is refused', async (t) => {
  const { policy, connect, sql } = await setting(t, LOG)
  policy.rule = () => limited({ rows: 1 })
  const client = await connect()
  t.equal(await ask(client, encodeQuery('INSERT INTO log VALUES (1), (2)')), 'C(INSERT 0 2) Z(I)')
  t.match(await ask(client, encodeQuery('INSERT INTO log VALUES (3) RETURNING n')), /^E\(42501\) Z\(I\)$/)
  await ask(client, encodeQuery('PREPARE i AS SELECT 1'))
  t.equal(
    await ask(client, encodeQuery('COPY log FROM STDIN'), encodeCopyData(Buffer.from('4\n5\n')), encodeCopyDone()),
    'G C(COPY 2) Z(I)',
  )
  t.equal(
    await ask(
      client,
      whole('COPY log FROM STDIN'),
      encodeCopyData(Buffer.from('6\n')),
      encodeCopyData(Buffer.from('7\n')),
      encodeCopyDone(),
      sync(),
    ),
    '1 2 G C(COPY 2) Z(I)',
  )
  policy.rule = ({ command }) => (command.shape.text.startsWith('EXECUTE') ? limited({ rows: 1 }) : ALLOW)
  await ask(client, encodeQuery('PREPARE r AS INSERT INTO log VALUES (8) RETURNING n'))
  t.equal(await ask(client, encodeQuery('EXECUTE r')), 'E(42501) Z(I)', 'by its name too')
  t.same(
    await sql('SELECT n FROM log ORDER BY n'),
    [1, 2, 4, 5, 6, 7].map((n) => ({ n })),
  )
})

t.test('a statement that runs too long is cancelled, and only that one', async (t) => {
  const { policy, connect } = await setting(t)
  policy.rule = ({ command }) => (command.shape.text.includes('limited') ? limited({ seconds: 1 }) : ALLOW)
  const client = await connect()
  client.send(encodeQuery("SELECT pg_sleep(5), 'limited'"), encodeQuery('SELECT 1'))
  const told = await client.ready()
  t.match(errorOf(told), { C: '54000', D: 'obligation.limit', M: 'the policy lets this run for 1 s' })
  t.match(shown(told), /Z\(I\)$/)
  t.equal(shown(await client.ready()), 'T D(1) C(SELECT 1) Z(I)', 'what comes behind it is not hit')

  const started = Date.now()
  client.send(encodeQuery('SELECT pg_sleep(1.5)'), encodeQuery("SELECT pg_sleep(0.1), 'limited'"))
  t.match(shown(await client.ready()), /C\(SELECT 1\) Z\(I\)$/, 'time spent behind another does not count')
  t.match(shown(await client.ready()), /C\(SELECT 1\) Z\(I\)$/)
  t.ok(Date.now() - started >= 1500)
})
