/** What is judged is what runs, whatever name it goes by. */
import t from 'tap'
import {
  encodeClose,
  encodeCopyData,
  encodeCopyDone,
  encodeQuery,
} from '../../../../src/protocols/postgres/messages.ts'
import { ALLOW, deny } from '../../../support/fakes.ts'
import { ask, bind, describePortal, execute, limited, parse, setting, sync } from './setting.ts'

const SETUP = `CREATE TABLE customers (id int, secret text); INSERT INTO customers VALUES (1, 'hidden-value');
  CREATE TABLE public_things (id int, secret text); INSERT INTO public_things VALUES (1, 'shown-value')`
const MASKS = [
  { column: 'public.customers.secret', detector: null, path: null, with: 'redact', policy: 'policy.test' },
] as const

t.test('a name that is defined again in a pipeline shows what it stands for under its own masks', async (t) => {
  const { policy, connect } = await setting(t, SETUP)
  policy.rule = () => ({ ...ALLOW, masks: MASKS })
  const secret = 'SELECT secret FROM customers'
  const open = 'SELECT secret FROM public_things'
  const attempts: readonly [string, Buffer[], Buffer[], number][] = [
    ['Parse', [parse('s', secret), sync()], [parse('s', open), sync(), bind('', 's'), execute(''), sync()], 2],
    [
      'PREPARE',
      [encodeQuery(`PREPARE s AS ${secret}`)],
      [encodeQuery(`PREPARE s AS ${open}`), encodeQuery('EXECUTE s')],
      2,
    ],
    [
      'DECLARE in a transaction with a savepoint',
      [encodeQuery(`BEGIN; DECLARE c CURSOR FOR ${secret}; SAVEPOINT here`)],
      [encodeQuery(`DECLARE c CURSOR FOR ${open}`), encodeQuery('ROLLBACK TO here'), encodeQuery('FETCH ALL FROM c')],
      3,
    ],
    [
      'Bind in a transaction with a savepoint',
      [
        encodeQuery('BEGIN'),
        parse('a', secret),
        parse('b', open),
        bind('p', 'a'),
        sync(),
        encodeQuery('SAVEPOINT here'),
      ],
      [bind('p', 'b'), sync(), encodeQuery('ROLLBACK TO here'), execute('p'), sync()],
      3,
    ],
  ]
  for (const [what, first, then, count] of attempts) {
    const client = await connect()
    client.send(...first)
    for (let ready = 0; ready < first.filter((frame) => frame[0] === 0x51 || frame[0] === 0x53).length; ready++) {
      await client.ready()
    }
    client.send(...then)
    const told: string[] = []
    for (let ready = 0; ready < count; ready++) {
      told.push(...(await client.ready()).map(({ raw }) => raw.toString('latin1')))
    }
    t.notOk(told.join().includes('hidden-value'), `${what}: nothing masked is shown`)
    t.match(told.join(), /C42P0[35]/, `${what}: the second definition failed`)
  }
})

t.test('names that the server takes for one are one', async (t) => {
  const { policy, connect } = await setting(t, SETUP)
  policy.rule = () => ({ ...ALLOW, masks: MASKS })
  const [long, longer] = [`${'n'.repeat(63)}1`, `${'n'.repeat(63)}2`]
  const client = await connect()
  await ask(client, parse(long, 'SELECT secret FROM public_things'), sync())
  t.equal(await ask(client, encodeQuery(`DEALLOCATE ${'n'.repeat(63)}`)), 'C(DEALLOCATE) Z(I)')
  t.equal(await ask(client, parse(longer, 'SELECT secret FROM customers'), sync()), '1 Z(I)')
  client.send(bind('', long), execute(''), sync())
  const told = await client.ready()
  t.notOk(told.some(({ raw }) => raw.includes('hidden-value')))
  t.ok(
    told.some(({ type }) => type === 'D'),
    'the other name finds it',
  )
})

t.test('a statement that runs a statement that runs a statement is judged by the last one', async (t) => {
  const { policy, connect, tap } = await setting(t, SETUP)
  const client = await connect()
  await ask(client, encodeQuery('PREPARE inner_one AS SELECT secret FROM customers'))
  t.equal(await ask(client, parse('outer_one', 'EXECUTE inner_one'), sync()), '1 Z(I)')
  t.equal(await ask(client, encodeQuery('EXECUTE outer_one')), 'T D(hidden-value) C(SELECT 1) Z(I)', 'so it could')
  policy.rule = ({ command: { shape } }) =>
    JSON.stringify(shape.detail['relations']).includes('customers') ? deny('test.refused') : ALLOW
  tap.take()
  t.equal(await ask(client, encodeQuery('EXECUTE outer_one')), 'E(42501) Z(I)')
  t.equal(await ask(client, bind('p', 'outer_one'), execute('p'), sync()), 'E(42501) Z(I)')
  t.notOk(tap.take().includes('outer_one'))
})

t.test('what SQL executes may define names itself, where the protocol has prepared it', async (t) => {
  const { policy, connect } = await setting(t, SETUP)
  policy.rule = () => ({ ...ALLOW, masks: MASKS })
  const client = await connect()
  await ask(client, encodeQuery('PREPARE a AS SELECT secret FROM public_things'))
  t.equal(await ask(client, parse('drops', 'DEALLOCATE a'), parse('defines', DEFINES), sync()), '1 1 Z(I)')
  t.equal(await ask(client, encodeQuery('EXECUTE drops')), 'C(DEALLOCATE) Z(I)')
  t.equal(await ask(client, encodeQuery('EXECUTE a')), 'E(26000) Z(I)')
  t.equal(
    await ask(client, encodeQuery('EXECUTE defines; EXECUTE a')),
    'C(PREPARE) T D([sidegate:masked]) C(SELECT 1) Z(I)',
  )
  t.equal(await ask(client, encodeQuery('EXECUTE a')), 'T D([sidegate:masked]) C(SELECT 1) Z(I)')
})

const DEFINES = 'PREPARE a AS SELECT secret FROM customers'

t.test('what SQL executes may be a COPY, where the protocol has prepared it', async (t) => {
  const { policy, connect, sql } = await setting(t, 'CREATE TABLE log (n int)')
  const client = await connect()
  await ask(client, parse('fills', 'COPY log FROM STDIN'), parse('shows', 'COPY log TO STDOUT'), sync())
  const data = [encodeCopyData(Buffer.from('7\n')), encodeCopyDone()]
  t.equal(await ask(client, encodeQuery('EXECUTE fills'), ...data), 'G C(COPY 1) Z(I)')
  t.equal(await ask(client, encodeQuery('EXECUTE shows')), 'H d c C(COPY 1) Z(I)')
  t.equal(await ask(client, parse('', 'EXECUTE fills'), bind(''), execute(''), ...data, sync()), '1 2 G C(COPY 1) Z(I)')
  policy.rule = () => limited({ rows: 1 })
  t.equal(await ask(client, encodeQuery('EXECUTE shows')), 'E(42501) Z(I)', 'whose rows nobody counts')
  t.same(await sql('SELECT n FROM log'), [{ n: 7 }, { n: 7 }])
})

t.test('SQL and the protocol share names, both ways', async (t) => {
  const { connect } = await setting(t, SETUP)
  const client = await connect()
  await ask(client, parse('s', 'SELECT 41'), sync())
  t.equal(await ask(client, encodeQuery('EXECUTE s')), 'T D(41) C(SELECT 1) Z(I)')
  await ask(client, encodeQuery('PREPARE q AS SELECT 42'))
  t.equal(await ask(client, bind('', 'q'), execute(''), sync()), '2 D(42) C(SELECT 1) Z(I)')
  await ask(client, encodeQuery('BEGIN'))
  await ask(client, encodeQuery('DECLARE c CURSOR FOR SELECT generate_series(1, 3)'))
  t.equal(await ask(client, describePortal('c'), execute('c', 2), sync()), 'T D(1) D(2) s Z(T)')
  await ask(client, bind('p', 'q'), sync())
  t.equal(await ask(client, encodeQuery('FETCH ALL FROM p')), 'T D(42) C(FETCH 1) Z(T)')
  t.equal(await ask(client, encodeClose('portal', 'c'), sync()), '3 Z(T)')
  t.equal(await ask(client, encodeQuery('FETCH 1 FROM c')), 'E(34000) Z(E)')
  await ask(client, encodeQuery('ROLLBACK'))
  t.equal(await ask(client, encodeQuery('DEALLOCATE ALL')), 'C(DEALLOCATE ALL) Z(I)')
  t.equal(await ask(client, bind('', 's'), execute(''), sync()), 'E(26000) Z(I)')
})

t.test('what names hold is bounded by its size too, and the session goes on', async (t) => {
  const { connect } = await setting(t, '', { catalogue: { refresh: '1h' } })
  const client = await connect()
  const large = (at: number) => `SELECT ${at}, '${'x'.repeat(240_000)}'`
  const told: string[] = []
  for (let at = 0; at < 20; at++) told.push(await ask(client, parse(`s${at}`, large(at)), sync()))
  t.same(new Set(told), new Set(['1 Z(I)', 'E(54000) Z(I)']))
  t.ok(told.indexOf('E(54000) Z(I)') >= 15, 'many megabytes of statements are held')
  t.equal(await ask(client, parse('', 'SELECT 1'), bind(''), execute(''), sync()), '1 2 D(1) C(SELECT 1) Z(I)')
  t.equal(await ask(client, encodeQuery(`PREPARE q AS ${large(99)}`)), 'E(54000) Z(I)', 'by SQL as well')
  await ask(client, encodeQuery('DEALLOCATE ALL'))
  t.equal(await ask(client, encodeQuery(`PREPARE q AS ${large(99)}`)), 'C(PREPARE) Z(I)')

  await ask(client, encodeQuery('BEGIN'))
  await ask(client, parse('v', 'SELECT length($1::text)'), sync())
  const value = 'x'.repeat(3_900_000)
  for (let at = 0; at < 10; at++) t.equal(await ask(client, bind(`p${at}`, 'v', [value]), sync()), '2 Z(T)')
  await ask(client, bind('p10', 'v', [value]), sync())
  t.equal(await ask(client, bind('p11', 'v', [value]), sync()), 'E(54000) Z(E)', 'and no more of portals')
})

t.test('no more names are held than the target allows, and the session goes on', async (t) => {
  const { connect } = await setting(t, '', { limits: { names: 3 } })
  const client = await connect()
  for (const name of ['a', 'b', 'c']) await ask(client, parse(name, 'SELECT 1'), sync())
  t.equal(await ask(client, parse('d', 'SELECT 1'), sync()), 'E(54000) Z(I)')
  t.equal(await ask(client, encodeClose('statement', 'a'), sync()), '3 Z(I)')
  t.equal(await ask(client, parse('d', 'SELECT 1'), sync()), '1 Z(I)')
})
