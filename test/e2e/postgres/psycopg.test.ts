/** psycopg 3, a driver that is not written in JavaScript, through the whole sidecar and past it (program.py). */
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../support/process.ts'
import { type Address, same, startGated } from './gated.ts'

/** `make services` sees that it can import psycopg. */
const PYTHON = '/usr/bin/python3'
const PSYCOPG_MS = 60_000

const gated = await startGated(t)

type Found = Readonly<Record<string, unknown>>

async function found({ host, port, user, database, password }: Address, more = ''): Promise<Found> {
  const secret = password === undefined ? '' : `password=${password}`
  const dsn = `host=${host} port=${port} user=${user} dbname=${database} ${secret} ${more}`
  const { code, stdout, stderr } = await run(PYTHON, [join(import.meta.dirname, 'program.py'), dsn], { ms: PSYCOPG_MS })
  if (code !== 0) throw new Error(`psycopg did not run: ${stderr}`)
  return JSON.parse(stdout) as Found
}

const past = await found(gated.direct)
const through = await found(gated.agent)

/** Scenarios in which policy has no part, so that nothing may differ. */
const UNTOUCHED = [
  'types_in_text_and_binary',
  'many_statements_and_results',
  'prepared_after_the_threshold',
  'cancelled',
  'the_connection_itself',
]

t.test('what policy allows, psycopg sees as it does past the gate', async (t) => {
  for (const name of UNTOUCHED) {
    t.notMatch(past[name], { broke: /./ }, name)
    same(t, through[name], past[name], name)
  }
})

const MASKED = { email: '********.com', ssn: '[sidegate:masked]' }

t.test('masked columns are masked in text, in binary, and by server-side cursors', async (t) => {
  const rows = ['Ada Palmer', 'Bao Tran', 'Chidi Eze'].map((name, at) => ({ id: at + 1, name, ...MASKED }))
  t.same(through['masked_in_text_and_binary'], [rows, rows])
  t.same(through['server_side_cursors'], {
    ...(past['server_side_cursors'] as object),
    first: [1, MASKED.ssn],
    rest: [
      [2, MASKED.ssn],
      [3, MASKED.ssn],
    ],
  })
})

const refusal = (detail: string) => ({ class: 'InsufficientPrivilege', sqlstate: '42501', detail, hint: /./ })

t.test(
  'a refusal in a pipeline rolls back what came before it, and the pipeline goes on behind its Sync',
  async (t) => {
    t.match(through['pipeline'], {
      sum: 19_900,
      refused: refusal('writes.unbounded'),
      kept: [0],
      answers: [[1], [2]],
    })
  },
)

t.test('COPY goes both ways in text and binary, and ends as the program says', async (t) => {
  t.match(through['copies'], {
    count: [2_010, '1999045'],
    rows: 2_010,
    binary: (past['copies'] as { binary: unknown }).binary,
    aborted: 'INERROR',
    masked: refusal('obligation.unsupported'),
    left: [0],
  })
})

t.test('transactions and savepoints are what the server says they are after a refusal', async (t) => {
  t.match(through['transactions'], {
    said: refusal('schema.change'),
    states: ['INERROR', 'IDLE', 'IDLE'],
    aborted: { sqlstate: '25P02' },
    inner: refusal('writes.table'),
    rows: [[971], [973]],
    refused: refusal('writes.unbounded'),
  })
})

t.test('errors of the server and refusals come as the exceptions of their SQLSTATE', async (t) => {
  const errors = through['errors'] as readonly object[]
  t.same(errors.slice(0, 3), (past['errors'] as readonly object[]).slice(0, 3))
  t.match(errors.slice(3), [
    refusal('writes.unbounded'),
    { detail: 'obligation.unsupported' },
    refusal('session.channel'),
    { detail: 'command.unsupported' },
    { detail: /./ },
  ])
})

t.test('psycopg comes in by TLS with its own password, bound to the channel', async (t) => {
  const tls = `sslmode=verify-full sslrootcert=${gated.ca} channel_binding=require`
  const inside = await found(gated.guarded, tls)
  same(t, inside['types_in_text_and_binary'], past['types_in_text_and_binary'], 'inside TLS')
  same(t, inside['cancelled'], past['cancelled'], 'a cancel, which libpq sends outside TLS')
})

t.test('the records of all of psycopg are whole and hold no secret', async (t) => await gated.check(t))
