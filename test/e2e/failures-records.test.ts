import t from 'tap'
import type { StoredRecord } from '../../src/record/records.ts'
import { buildBundle } from '../support/bundle.ts'
import { run, startProgram } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'
import { shown, WireClient } from '../support/wire.ts'
import { encodeStartup, PROTOCOL_3_0 } from '../../src/protocols/postgres/messages.ts'
import { TABLE } from './load.ts'
import { MAIN, place, type Place, refusalIn, type Running, spawned, started, until } from './sidecar.ts'
import { differences, entriesOf } from './streams.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

const PERMISSIVE = buildBundle('bundles/permissive')

/** A file may grow no further than so many KiB, which the kernel says like a full disk: a part is written, then nothing. */
const limited = (kib: number) => ['bash', '-c', `ulimit -S -f ${kib}; exec "$@"`, 'bash']

/** A session that cannot begin: what the agent is told. */
async function dismissal({ port }: Running, { database }: Place): Promise<string> {
  const client = await WireClient.open(port)
  client.send(
    encodeStartup(PROTOCOL_3_0, [
      ['user', 'agent'],
      ['database', database],
    ]),
  )
  const answers = await client.ready()
  client.close()
  return refusalIn(answers)
}

/** Inserts until one is refused, and gives what was said; bounded. */
async function fill(agent: WireClient, prefix: string, most: number): Promise<string> {
  for (let row = 0; row < most; row++) {
    const said = refusalIn(
      await agent.query(`INSERT INTO written VALUES ('${prefix}-${row}') /* ${'x'.repeat(900)} */`),
    )
    if (said !== '') return said
  }
  return 'nothing was refused'
}

async function unrecorded(at: Place): Promise<string[]> {
  const recorded = new Set((await at.records()).map(nameIn))
  return (await at.sql('SELECT id FROM written')).map(({ id }) => String(id)).filter((id) => !recorded.has(id))
}

function nameIn(record: StoredRecord): string {
  if (record.type !== 'decision' || record.custom.verdict !== 'permitted') return ''
  return /'([^']+)'/.exec(record.input.command.text)?.[1] ?? ''
}

t.test(
  'a disk that is full refuses every command, nothing is ready, and all goes on when it has room again',
  async (t) => {
    const at = await place(t)
    await at.sql(TABLE)
    const sidecar = await spawned(t, at, await PERMISSIVE, { wrapper: limited(128) })
    const [busy, other] = [await sidecar.agent(), await sidecar.agent()]
    t.match(await fill(busy, 'busy', 1_000), /^(ERROR|FATAL) 57P03 record\.unavailable$/)
    t.equal(refusalIn(await other.query("INSERT INTO written VALUES ('other')")), 'ERROR 57P03 record.unavailable')
    t.equal(refusalIn(await other.query('SELECT 1')), 'ERROR 57P03 record.unavailable', 'reading is refused as well')
    t.equal(await dismissal(sidecar, at), 'FATAL 57P03 record.unavailable')
    const unready = await sidecar.get('readyz')
    t.same([unready.status, unready.text], [503, 'record.unavailable\n'])
    t.match(await sidecar.status(), {
      ready: false,
      record: { ready: false, code: 'record.unavailable', error: 'EFBIG' },
    })
    t.match((await sidecar.get('metrics')).text, 'sidegate_journal_up 0')
    t.same(await unrecorded(at), [], 'nothing ran that is not on record')

    t.equal((await run('prlimit', ['--pid', String(sidecar.program.pid), '--fsize=unlimited'])).code, 0)
    await until(async () => (await sidecar.get('readyz')).status === 200)
    t.match(
      shown(await other.query("INSERT INTO written VALUES ('after')")),
      /C\(INSERT 0 1\)/,
      'the same session goes on',
    )
    t.equal(refusalIn(await (await sidecar.agent()).query('SELECT 1')), '')
    t.same(await sidecar.program.stop('SIGTERM'), { code: 0, signal: null })
    t.same(await unrecorded(at), [])
    t.match(
      (await at.records()).filter(({ type }) => type === 'gap'),
      [{ error: 'EFBIG' }],
      'what could not be recorded shows as one gap',
    )
  },
)

t.test('a journal that cannot be begun ends the start, and nothing listens', async (t) => {
  const at = await place(t)
  const file = at.file('sidegate.yaml', JSON.stringify(at.settings(await PERMISSIVE)))
  const [command, ...args] = [...limited(0), process.execPath, MAIN, 'run', '--config', file]
  const program = await startProgram(command, args)
  t.same(await program.exited, { code: 1, signal: null })
  t.match(program.stderr(), /record\.unavailable/)
  t.notMatch(program.stdout(), /"started"/)
})

t.test(
  'while Redis is away commands go on and the lag shows, until the spool is full; all is shipped in order',
  async (t) => {
    const at = await place(t)
    await at.sql(TABLE)
    const redis = await startRedis({ persistent: true })
    t.teardown(() => redis.stop())
    const over = {
      journal: { maxSize: '1MiB', segmentSize: '128KiB' },
      redis: { url: redis.url, prefix: 'spool' },
    }
    await redis.kill()
    const sidecar = await started(t, at, await PERMISSIVE, over)
    const agent = await sidecar.agent()
    t.equal((await sidecar.get('readyz')).status, 200, 'it starts without Redis')
    t.equal(refusalIn(await agent.query('SELECT 1')), '')
    await until(async () => ((await sidecar.status()).shipping?.error ?? '') !== '')
    t.match(await sidecar.status(), { ready: true, shipping: { connected: false, error: /ECONNREFUSED/ } })
    const metrics = (await sidecar.get('metrics')).text
    t.match(metrics, 'sidegate_redis_up 0')
    t.match(metrics, /^sidegate_redis_lag_records [1-9]/m)

    t.equal(await fill(agent, 'full', 5_000), 'ERROR 57P03 record.spool-full')
    t.equal(refusalIn(await agent.query('SELECT 1')), 'ERROR 57P03 record.spool-full')
    t.equal(await dismissal(sidecar, at), 'FATAL 57P03 record.spool-full')
    const unready = await sidecar.get('readyz')
    t.same([unready.status, unready.text], [503, 'record.spool-full\n'])
    t.match(await sidecar.status(), { ready: false, record: { code: 'record.spool-full' } })
    const kept = await at.records()
    t.same(
      kept.map(({ seq }) => seq),
      kept.map((_, index) => index + 1),
      'nothing was removed to make room',
    )
    t.same(await unrecorded(at), [])

    await redis.restart()
    await until(async () => (await sidecar.get('readyz')).status === 200)
    t.match(shown(await agent.query("INSERT INTO written VALUES ('after')")), /C\(INSERT 0 1\)/)
    agent.close()
    const { instance } = (await sidecar.status()).record
    await sidecar.close()
    const later = await at.records()
    const all = new Map([...kept, ...later].map((record) => [record.seq, record]))
    t.same(
      [...all.keys()],
      [...all.keys()].map((_, index) => index + 1),
    )
    t.same(differences([...all.values()], await entriesOf(redis, 'spool', instance)), [])
  },
)
