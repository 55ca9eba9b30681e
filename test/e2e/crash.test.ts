import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { StoredRecord } from '../../src/record/records.ts'
import { buildBundle } from '../support/bundle.ts'
import { startRedis } from '../support/redis.ts'
import type { WireClient } from '../support/wire.ts'
import { type Load, startLoad, TABLE } from './load.ts'
import { type Place, place, type Running, spawned, until } from './sidecar.ts'
import { differences, entriesOf } from './streams.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

const AGENTS = 6
/** What was written before the kill must be enough that the kill falls between any two steps of a command. */
const ROWS_AT_LEAST = 100

const ROUNDS = [
  { name: 'written', durability: 'written', redis: 'there' },
  { name: 'synced', durability: 'synced', redis: 'there' },
  { name: 'without-redis', durability: 'written', redis: 'stalled' },
  { name: 'again', durability: 'written', redis: 'there' },
] as const

const PREFIX = 'crash'

function permittedTexts(records: readonly StoredRecord[]): Set<string> {
  const texts = new Set<string>()
  for (const record of records) {
    if (record.type !== 'decision' || record.custom.verdict !== 'permitted') continue
    const [, name] = /'([^']+)'/.exec(record.input.command.text) ?? []
    if (name !== undefined) texts.add(name)
  }
  return texts
}

async function writtenIn(at: Place): Promise<string[]> {
  return (await at.sql('SELECT id FROM written')).map(({ id }) => String(id))
}

/** No session that the sidecar had is open at the server any more, so nothing can still be written. */
async function quiet(at: Place): Promise<void> {
  const others = 'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
  await until(async () => (await at.sql(others)).length === 0)
}

const agentsOf = (sidecar: Running): Promise<WireClient[]> =>
  Promise.all(Array.from({ length: AGENTS }, () => sidecar.agent()))

const busy = (load: Load, sidecar: Running): Promise<void> =>
  until(() => load.confirmed.length >= ROWS_AT_LEAST, { why: () => `${load.confirmed.length} rows\n${sidecar.log()}` })

t.test('a sidecar that is killed under load has forwarded nothing without its record, and goes on', async (t) => {
  const at = await place(t)
  await at.sql(TABLE)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const bundle = await buildBundle('bundles/permissive')
  for (const { name, durability, redis: state } of ROUNDS) {
    const over = { journal: { durability, segmentSize: '1MiB' }, redis: { url: redis.url, prefix: PREFIX } }
    const sidecar = await spawned(t, at, bundle, { over })
    const { instance } = (await sidecar.status()).record
    const load = startLoad(await agentsOf(sidecar), name)
    await busy(load, sidecar)
    if (state === 'stalled') redis.pause()
    await sleep(200 + Math.random() * 300)
    await sidecar.program.stop('SIGKILL')
    await load.stop()
    if (state === 'stalled') redis.resume()
    t.equal(load.interrupted(), AGENTS, 'every agent has lost its connection, and was told nothing else')

    await quiet(at)
    const written = await writtenIn(at)
    const records = await at.records()
    const recorded = permittedTexts(records)
    t.same(
      written.filter((row) => !recorded.has(row)),
      [],
      `${written.length} rows, and no row without a record`,
    )
    const rows = new Set(written)
    t.same(
      load.confirmed.filter((row) => !rows.has(row)),
      [],
      `${load.confirmed.length} rows were confirmed`,
    )
    const early = differences(records, await entriesOf(redis, PREFIX, instance)).filter(
      (one) => !one.endsWith('missing'),
    )
    t.same(early, [], 'Redis has nothing that the journal has not')
  }

  const last = await spawned(t, at, bundle, { over: { redis: { url: redis.url, prefix: PREFIX } } })
  const { instance } = (await last.status()).record
  const load = startLoad(await agentsOf(last), 'last')
  await busy(load, last)
  await load.stop()
  t.same(await last.program.stop('SIGTERM'), { code: 0, signal: null })
  t.same([...load.refusals], [])

  const records = await at.records()
  t.same(
    records.map(({ seq }) => seq),
    records.map((_, index) => index + 1),
    'one journal through all lives, without a gap',
  )
  t.equal(records.filter(({ type }) => type === 'instance-start').length, ROUNDS.length + 1)
  t.equal(records.filter(({ type }) => type === 'instance-stop').length, 1)
  const recorded = permittedTexts(records)
  t.same(
    (await writtenIn(at)).filter((row) => !recorded.has(row)),
    [],
  )
  t.same(differences(records, await entriesOf(redis, PREFIX, instance)), [], 'Redis holds every record exactly once')
})
