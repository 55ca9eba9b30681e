/** Messages that no text shows, states of the protocol, and the upstream's credential. */
import t from 'tap'
import pg from 'pg'
import { connect } from 'node:net'
import {
  encodeCancelRequest,
  encodeClose,
  encodeCopyData,
  encodeCopyDone,
  encodeCopyFail,
  encodeDescribe,
  encodeExecute,
  encodeFlush,
  encodeFunctionCall,
  encodeParse,
  encodeQuery,
  encodeStartup,
  encodeSync,
  encodeTerminate,
  PROTOCOL_3_0,
} from '../../src/protocols/postgres/messages.ts'
import { type Answer, shown, WireClient } from '../support/wire.ts'
import { DATABASE, ROLE, UPSTREAM_PASSWORD } from './bank.ts'
import { besiege, bind, codes, keepsSecrets } from './siege.ts'

const siege = await besiege(t)

const INSERT = "INSERT INTO orders VALUES (900, 1, 1, 'pipelined')"
const DENIED = 'DELETE FROM order_items'

const run = (text: string, name = '') => [encodeParse(name, text), bind(name), encodeExecute('')]

/** Sends frames in one packet and gives all answers up to that many ReadyForQuery. */
async function told(frames: readonly Buffer[], rounds = 1): Promise<{ answers: Answer[]; shown: string }> {
  const agent = await siege.agent()
  agent.send(...frames)
  const answers: Answer[] = []
  for (let round = 0; round < rounds; round++) answers.push(...(await agent.ready()))
  agent.close()
  keepsSecrets(t, answers)
  return { answers, shown: shown(answers) }
}

t.test(
  'a denied statement takes with it what stood before it in its pipeline, and nothing runs after it',
  async (t) => {
    const pipelines: [string, Buffer[], number][] = [
      ['denied at Parse', [...run(INSERT), ...run(DENIED), ...run(INSERT), encodeSync()], 1],
      ['denied first', [...run(DENIED), ...run(INSERT), encodeSync()], 1],
      ['flushed before it', [...run(INSERT), encodeFlush(), ...run(DENIED), encodeSync()], 1],
      ['denied by name', [...run(INSERT), bind('nobody'), encodeExecute(''), encodeSync()], 1],
      ['denied by portal', [...run(INSERT), encodeExecute('nobody'), encodeSync()], 1],
      ['denied at Describe', [...run(INSERT), encodeDescribe('statement', 'nobody'), encodeSync()], 1],
      ['a Query in between', [...run(DENIED), encodeQuery(INSERT), encodeSync()], 1],
      ['Flush after it', [...run(DENIED), encodeFlush(), ...run(INSERT), encodeFlush(), encodeSync()], 1],
      ['one message', [encodeQuery(`${INSERT}; ${DENIED}`)], 1],
      ['one message, denied first', [encodeQuery(`${DENIED}; ${INSERT}`)], 1],
      [
        'explicit transaction',
        [encodeQuery('BEGIN'), encodeQuery(INSERT), encodeQuery(DENIED), encodeQuery('COMMIT')],
        4,
      ],
      [
        'BEGIN in the pipeline',
        [...run('BEGIN'), ...run(INSERT), ...run(DENIED), ...run('COMMIT'), encodeSync(), encodeQuery('COMMIT')],
        2,
      ],
      [
        'FunctionCall in between',
        [
          ...run(INSERT),
          encodeFunctionCall({ function: 1299, argumentFormats: [], arguments: [], resultFormat: 0 }),
          encodeSync(),
        ],
        2,
      ],
    ]
    await siege.watch.accept()
    for (const [title, frames, rounds] of pipelines) {
      const { shown: said } = await told(frames, rounds)
      t.match(said, /E\((42501|26000|34000|0A000)\)/, `${title}: ${said}`)
      t.same(await siege.watch.changes(), [], `${title}: nothing was committed`)
    }
  },
)

t.test('the transaction state that the agent is told is the state that the server is in', async (t) => {
  const agent = await siege.agent()
  const probe = async () => shown(await agent.query('SELECT 1'))
  await agent.query('BEGIN')
  t.match(shown(await agent.query(DENIED)), /^E\(42501\) Z\(E\)$/)
  t.equal(await probe(), 'E(25P02) Z(E)', 'the server is in the failed transaction too')
  t.match(shown(await agent.query(DENIED)), /^E\(42501\) Z\(E\)$/)
  t.match(shown(await agent.query('ROLLBACK')), /Z\(I\)$/)
  await agent.query('BEGIN; SAVEPOINT s')
  await agent.query('SELECT wipe()')
  t.match(shown(await agent.query('ROLLBACK TO s')), /Z\(T\)$/)
  t.match(await probe(), /Z\(T\)$/)
  agent.send(...run(DENIED), encodeSync(), ...run('SELECT 2'), encodeSync())
  t.match(shown(await agent.ready()), /^E\(42501\) Z\(E\)$/)
  t.match(shown(await agent.ready()), /E\(25P02\) Z\(E\)$/)
  t.match(shown(await agent.query('COMMIT')), /^C\(ROLLBACK\) Z\(I\)$/)
  t.same(await siege.watch.changes(), [])
  agent.close()
})

t.test('a statement that was allowed lends its name to none that was not', async (t) => {
  const agent = await siege.agent()
  const sent = async (...frames: Buffer[]) => {
    agent.send(...frames, encodeSync())
    return shown(await agent.ready())
  }
  await siege.watch.accept()
  t.equal(await sent(encodeParse('', 'SELECT 1')), '1 Z(I)')
  t.match(await sent(encodeParse('', DENIED)), /^E\(42501\)/)
  t.match(await sent(bind(), encodeExecute('')), /^E\(26000\)/, 'the unnamed statement is gone')
  await sent(encodeParse('', 'SELECT 1'))
  await agent.query(DENIED)
  t.match(await sent(bind(), encodeExecute('')), /^E\(26000\)/, 'also after a Query that was denied')
  t.equal(await sent(encodeParse('s', 'SELECT 1')), '1 Z(I)')
  t.match(await sent(encodeParse('s', DENIED)), /^E\(42501\)/)
  t.match(await sent(bind('s'), encodeExecute('')), /D\(1\)/, 'the allowed one keeps its name')
  t.match(shown(await agent.query('EXECUTE s')), /D\(1\)/)
  t.match(shown(await agent.query(`PREPARE s AS ${DENIED}`)), /^E\(42501\)/)
  t.match(shown(await agent.query(`DEALLOCATE s; PREPARE s AS ${DENIED}`)), /^E\(42501\)/)
  t.match(await sent(bind('s'), encodeExecute('')), /D\(1\)/)
  // Names are cut to 63 bytes: two long ones are one to the server.
  const long = 'n'.repeat(63)
  t.equal(await sent(encodeParse(long, 'SELECT 1')), '1 Z(I)')
  t.match(await sent(encodeParse(`${long}x`, 'SELECT 2')), /^E\(42P05\)/)
  t.match(await sent(bind(`${long}y`), encodeExecute('')), /D\(1\)/)
  // Another session's names are not this one's.
  const other = await siege.agent()
  other.send(bind('s'), encodeExecute(''), encodeSync())
  t.match(shown(await other.ready()), /^E\(26000\)/)
  t.match(shown(await other.query('EXECUTE s')), /^E\(26000\)/)
  // A portal that SQL declares is the protocol's, and the other way round.
  await agent.query('BEGIN')
  t.match(shown(await agent.query('DECLARE c CURSOR FOR SELECT wipe()')), /^E\(42501\)/)
  await agent.query('ROLLBACK')
  t.match(await sent(encodeExecute('c')), /^E\(34000\)/)
  t.match(await sent(encodeClose('statement', 's'), bind('s'), encodeExecute('')), /^3 E\(26000\)/)
  t.same(await siege.watch.changes(), [])
  other.close()
  agent.close()
})

t.test('a cursor that nobody declared here cannot be fetched from', async (t) => {
  const agent = await siege.agent()
  await agent.query('BEGIN')
  for (const text of ['FETCH ALL c', 'MOVE 1 c', 'FETCH "<unnamed portal 1>"', 'CLOSE c; FETCH c']) {
    t.match(shown(await agent.query(text)), /^E\(\w+\) Z\(E\)$/, text)
  }
  agent.close()
})

t.test('the function call message is refused for every function', async (t) => {
  for (const oid of [1299, 2096, 2026, 764, 952, 1765]) {
    const call = encodeFunctionCall({
      function: oid,
      argumentFormats: [],
      arguments: [Buffer.from('4711')],
      resultFormat: 0,
    })
    const { answers, shown: said } = await told([call])
    t.match(said, /^E\(0A000\) Z\(I\)$/)
    t.match(codes(answers), ['command.unsupported'])
  }
  t.same(await siege.watch.changes(), [])
})

t.test('COPY data reaches only a COPY that was allowed, and ends it when it says so', async (t) => {
  const rows = encodeCopyData(Buffer.from('910\t1\t1\tsmuggled\n'))
  const attempts: [string, Buffer[], number][] = [
    ['no COPY', [rows, encodeCopyDone(), encodeQuery('SELECT 1')], 1],
    ['denied COPY', [encodeQuery('COPY customers FROM STDIN'), rows, encodeCopyDone(), encodeQuery('SELECT 1')], 2],
    [
      'denied after an allowed one',
      [encodeQuery(`COPY orders FROM STDIN; ${DENIED}`), rows, encodeCopyDone(), encodeQuery('SELECT 1')],
      2,
    ],
    [
      'failed by the agent',
      [encodeQuery('COPY orders FROM STDIN'), rows, encodeCopyFail('no'), encodeQuery('SELECT 1')],
      2,
    ],
    [
      'with SQL behind its end',
      [
        encodeQuery('COPY orders FROM STDIN'),
        encodeCopyData(Buffer.from(`\\.\n${DENIED};\n`)),
        encodeCopyFail('no'),
        encodeQuery('SELECT 1'),
      ],
      2,
    ],
    [
      'extended, then denied',
      [...run('COPY orders FROM STDIN'), rows, encodeCopyDone(), ...run(DENIED), encodeSync()],
      1,
    ],
  ]
  await siege.watch.accept()
  for (const [title, frames, rounds] of attempts) {
    const { shown: said } = await told(frames, rounds)
    t.match(said, /Z\(I\)$/, `${title}: ${said}`)
    t.same(await siege.watch.changes(), [], `${title}: nothing was written`)
  }
})

t.test('a Query in the midst of COPY data ends the session or fails, and runs nothing', async (t) => {
  const agent = await siege.agent()
  agent.send(encodeQuery('COPY orders FROM STDIN'), encodeQuery(DENIED), encodeQuery('DROP TABLE order_items'))
  await agent.until(({ type }) => type === 'E')
  agent.close()
  t.same(await siege.watch.changes(), [])
})

t.test('messages of the wrong kind, size or time end the connection, and nothing of them goes upstream', async (t) => {
  const frame = (type: string, length: number, body = Buffer.alloc(0)) => {
    const head = Buffer.alloc(5)
    head.write(type)
    head.writeInt32BE(length, 1)
    return Buffer.concat([head, body])
  }
  const startup = encodeStartup(PROTOCOL_3_0, [
    ['user', 'agent'],
    ['database', DATABASE],
  ])
  const violations: [string, Buffer][] = [
    ['unknown type', frame('z', 4)],
    ['a backend message', frame('D', 6, Buffer.from([0, 0]))],
    ['a password when none was asked for', frame('p', 9, Buffer.from('x\0xx\0'))],
    ['length below four', frame('Q', 3)],
    ['negative length', frame('Q', -1)],
    ['one GiB', frame('Q', 2 ** 30)],
    ['no terminator', frame('Q', 12, Buffer.from('SELECT 1'))],
    ['bytes after the terminator', frame('Q', 14, Buffer.from('SELECT 1\0x'))],
    ['another start-up message', startup],
    ['an SSLRequest', Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])],
    ['TLS', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0])],
    ['a count that disagrees', frame('B', 12, Buffer.from([0, 0, 0, 1, 0, 1, 0xff, 0xff]))],
    ['Parse with too few types', frame('P', 10, Buffer.from([0, 0x31, 0, 0, 9, 0]))],
  ]
  for (const [title, bytes] of violations) {
    const agent = await siege.agent()
    agent.send(bytes, encodeQuery(DENIED), encodeQuery('SELECT 1'))
    const answers = await agent.until(() => false).catch(() => agent.answers)
    t.notMatch(shown(answers), /C\(|D\(/, `${title}: ${shown(answers)}`)
    t.ok(agent.ended, `${title}: it is over`)
    agent.close()
  }
  t.same(await siege.watch.changes(), [])
})

t.test('nothing is heard before the start-up is over', async (t) => {
  for (const first of [
    [encodeQuery(DENIED)],
    [encodeParse('', DENIED)],
    [Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), encodeQuery(DENIED)],
    [Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    [encodeStartup(0x00020000, [['user', 'agent']])],
    [Buffer.alloc(70_000, 1)],
  ]) {
    const agent = await WireClient.open(siege.port)
    agent.send(...first)
    const answers = await agent.until(() => false).catch(() => agent.answers)
    t.notMatch(shown(answers), /C\(|D\(|Z/)
    t.ok(agent.ended)
    agent.close()
  }
  t.same(await siege.watch.changes(), [])
})

t.test('a cancel request with a guessed key, or with the server’s own, stops nobody', async (t) => {
  const agent = await siege.agent()
  const key = agent.answers.find(({ type }) => type === 'K')
  const processId = key?.raw.readInt32BE(5) ?? 0
  const bystander = new pg.Client({ ...siege.server.connection(DATABASE), application_name: 'busy' })
  await bystander.connect()
  const [row] = (await bystander.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows
  const busy = bystander.query('SELECT pg_sleep(0.6)')
  const guesses = [0, 1, -1, 0x7fffffff].map((secret) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(secret)
    return bytes
  })
  for (const pid of [row?.pid ?? 0, processId]) {
    for (const secret of [...guesses, Buffer.alloc(0), Buffer.alloc(256)]) {
      const socket = connect({ host: '127.0.0.1', port: siege.port })
      socket.on('error', () => {})
      socket.end(encodeCancelRequest(pid, secret))
      await new Promise((resolve) => socket.once('close', resolve).resume())
    }
  }
  await busy
  t.pass('the bystander was not cancelled')
  await bystander.end()
  t.match(shown(await agent.query('SELECT 1')), /D\(1\)/)
  // And the key that the agent has is not the server's: sent there, it stops nothing.
  const direct = connect({ host: '127.0.0.1', port: siege.server.port })
  direct.on('error', () => {})
  const slow = agent.query('SELECT count(*) FROM generate_series(1, 2000000)')
  direct.end(encodeCancelRequest(processId, key?.raw.subarray(9) ?? Buffer.alloc(4)))
  t.match(shown(await slow), /C\(SELECT 1\)/)
  agent.close()
})

t.test('the upstream role and its password are never told, whatever the agent asks or gets wrong', async (t) => {
  const agent = await siege.agent()
  for (const text of [
    "SELECT current_setting('my.password', true)",
    'SHOW ALL',
    'SELECT * FROM pg_settings',
    'SELECT rolpassword FROM pg_roles',
    "SELECT rolpassword FROM pg_authid WHERE rolname = 'x'",
    `ALTER ROLE ${ROLE} PASSWORD 'x'`,
    'SELECT 1 / 0',
    'SELEC',
  ]) {
    await agent.query(text)
  }
  await siege.sql(`ALTER ROLE ${ROLE} PASSWORD 'changed'`)
  const late = await WireClient.open(siege.port)
  late.send(
    encodeStartup(PROTOCOL_3_0, [
      ['user', 'agent'],
      ['database', DATABASE],
    ]),
  )
  const refused = await late.ready()
  await siege.sql(`ALTER ROLE ${ROLE} PASSWORD '${UPSTREAM_PASSWORD}'`)
  t.match(shown(refused), /^(R )*E\(\w+\)$/)
  keepsSecrets(t, [...agent.answers, ...refused])
  t.notOk(siege.log().includes(UPSTREAM_PASSWORD), 'nor does the log hold it')
  t.notOk(siege.journal().includes(UPSTREAM_PASSWORD), 'nor the journal')
  agent.send(encodeTerminate())
  late.close()
})
