import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { buildBundle } from '../support/bundle.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { startLoad, TABLE } from './load.ts'
import { place, type Running, spawned, until } from './sidecar.ts'
import { differences, entriesOf } from './streams.ts'

/** `make test-slow`: a minute, which is longer than every timeout on the way to Redis. */
const SLOW = process.env['SIDEGATE_SLOW'] === '1'
const OUTAGE_MS = SLOW ? 60_000 : 3_000
/** Slow outages are long, not large: everything is compared in the end. */
const PAUSE_MS = SLOW ? 20 : 2
t.setTimeout(150_000 + 2 * OUTAGE_MS)

const AGENTS = 4
/** Until the caches of texts are full and the parser's WebAssembly is optimised, which takes memory for itself. */
const WARM_MS = SLOW ? 15_000 : 4_000
const SAMPLE_MS = 100
/** What a heap may grow by between two collections; a minute of records held in memory would be far more. */
const GROWTH_BYTES = 96 * 1024 ** 2
/** The longest pause between two attempts to reach Redis, and a little for what has to be sent. */
const CATCH_UP_MS = 30_000
const PREFIX = 'outage'

const OUTAGES: readonly {
  name: string
  begin(redis: RedisServer): Promise<void>
  end(redis: RedisServer): Promise<void>
}[] = [
  { name: 'stalls', begin: async (redis) => redis.pause(), end: async (redis) => redis.resume() },
  { name: 'dies', begin: (redis) => redis.kill(), end: (redis) => redis.restart() },
]

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1024
}

async function lagOf(sidecar: Running): Promise<number> {
  return (await sidecar.status()).shipping?.lag.records ?? Number.NaN
}

for (const { name, begin, end } of OUTAGES) {
  t.test(`a Redis that ${name} under load costs no record, no order, and no memory`, async (t) => {
    const at = await place(t)
    await at.sql(TABLE)
    const redis = await startRedis({ persistent: true })
    t.teardown(() => redis.stop())
    const over = { journal: { maxSize: '1GiB' }, redis: { url: redis.url, prefix: PREFIX } }
    const sidecar = await spawned(t, at, await buildBundle('bundles/permissive'), { over })
    const { instance } = (await sidecar.status()).record
    const agents = await Promise.all(Array.from({ length: AGENTS }, () => sidecar.agent()))
    const warming = startLoad(agents, 'warming')
    await sleep(WARM_MS)
    await warming.stop()
    const load = startLoad(agents, name, PAUSE_MS)
    await until(async () => (await sidecar.status()).shipping?.connected === true)

    const before = residentBytes(sidecar.program.pid)
    const confirmedBefore = load.confirmed.length
    await begin(redis)
    let most = 0
    for (const deadline = Date.now() + OUTAGE_MS; Date.now() < deadline; await sleep(SAMPLE_MS)) {
      most = Math.max(most, residentBytes(sidecar.program.pid))
    }
    const lag = await lagOf(sidecar)
    const meanwhile = load.confirmed.length - confirmedBefore
    t.ok(meanwhile > 50, `${meanwhile} rows were written meanwhile`)
    t.ok(lag > meanwhile, `the status tells that ${lag} records wait`)
    t.match((await sidecar.get('metrics')).text, new RegExp(`^sidegate_redis_lag_records [1-9]\\d*$`, 'm'))
    t.equal((await sidecar.get('readyz')).status, 200, 'commands are taken all the time')
    await end(redis)
    await until(async () => (await lagOf(sidecar)) < lag / 2, { ms: CATCH_UP_MS })
    t.comment(`resident ${before} before, ${most} at most, ${lag} records waited`)
    t.ok(most - before < GROWTH_BYTES, `memory grew by ${Math.round((most - before) / 1024 ** 2)} MiB`)

    await load.stop()
    t.same([...load.refusals], [])
    t.equal(load.interrupted(), 0)
    t.equal((await at.sql('SELECT id FROM written')).length, warming.sent.length + load.sent.length)
    await until(async () => (await lagOf(sidecar)) === 0, { ms: CATCH_UP_MS })
    t.same(await sidecar.program.stop('SIGTERM'), { code: 0, signal: null })
    const records = await at.records()
    t.same(
      differences(records, await entriesOf(redis, PREFIX, instance)),
      [],
      `all ${records.length} records are there once, in order`,
    )
  })
}
