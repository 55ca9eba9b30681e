import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Journal } from '../../src/record/journal.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { Shipper } from '../../src/record/shipper.ts'
import { Shipping } from '../../src/record/shipping.ts'
import { connectStreams, streamNames } from '../../src/record/streams.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { PREFIX, shipperOf } from './shippers.ts'
import { all, decision, frame, open, outcome, session, temporary, whenDurable } from './support.ts'

/** How long Redis is away in the tests of outages; CI makes it a minute. */
const OUTAGE_MS = Number(process.env['SIDEGATE_TEST_OUTAGE_MS'] ?? 1_500)

interface Shipped {
  readonly record: StoredRecord
  readonly entry: string
  readonly fields: Readonly<Record<string, string>>
}

/** All records of an instance, in the order of each stream. */
async function shipped(server: RedisServer, instance: string) {
  const redis = new Redis(server.url)
  const read = async (stream: string): Promise<Shipped[]> => {
    const entries = await redis.xrange(stream, '-', '+')
    return entries.map(([entry, flat]) => {
      const fields: Record<string, string> = {}
      for (let at = 0; at < flat.length; at += 2) fields[flat[at] as string] = flat[at + 1] as string
      return { entry, fields, record: JSON.parse(fields['record'] ?? 'null') as StoredRecord }
    })
  }
  const names = streamNames(PREFIX)
  const decisions = await read(names.decisions(instance))
  const sessions = await read(names.sessions(instance))
  const recordings = await Promise.all((await redis.keys(names.session('*'))).map(read))
  const own = recordings.filter(([first]) => first?.record.id.startsWith(`${instance}/`) === true)
  const found = { decisions, sessions, recordings: own }
  redis.disconnect()
  return found
}

async function until(what: () => boolean, ms = 20_000): Promise<void> {
  for (const deadline = Date.now() + ms; !what(); await sleep(5))
    if (Date.now() > deadline) throw new Error('it took too long')
}

async function load(journal: Journal, commands: number): Promise<void> {
  const of = session()
  journal.sessionStart(of)
  for (let index = 0; index < commands; index++) {
    journal.decision(decision(of, `SELECT ${index}`))
    if (index % 10 === 9) await whenDurable(journal)
    if (index % 4 === 0) journal.frame(frame(of, 'output', `${index}`))
    journal.outcome(outcome(of))
  }
  journal.sessionEnd(of, 'done')
  await whenDurable(journal)
}

/** Redis holds exactly what the journal holds: each record once, byte for byte, and in order. */
async function assertShipped(t: Test, journal: Journal, server: RedisServer): Promise<void> {
  const { decisions, sessions, recordings } = await shipped(server, journal.instance)
  const lines = new Map((await all(journal.directory)).map(({ record, line }) => [record.id, line.toString()]))
  const found = [...decisions, ...sessions, ...recordings.flat()]
  t.equal(found.length, lines.size)
  t.same(new Set(found.map(({ record }) => record.id)), new Set(lines.keys()))
  t.equal(found.filter(({ fields, record }) => fields['record'] !== lines.get(record.id)).length, 0)
  for (const stream of [decisions, sessions, ...recordings]) {
    const order = stream.map(({ record }) => record.seq)
    t.same(
      order,
      order.toSorted((left, right) => left - right),
    )
  }
}

t.test('every record is in its stream once, under a stable id, with what proves the chain', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const shipper = shipperOf(journal, server)
  await load(journal, 300)
  await until(() => shipper.status.position >= journal.durable)
  await assertShipped(t, journal, server)
  const { decisions, sessions, recordings } = await shipped(server, journal.instance)
  t.ok(decisions.every(({ record }) => record.type === 'decision' || record.type === 'outcome'))
  t.same(
    sessions.map(({ record }) => record.type),
    ['instance-start', 'session-start', 'session-end'],
  )
  t.equal(recordings.length, 1)
  const start = sessions[1]?.record
  const own = start?.type === 'session-start' ? start.session : ''
  t.ok(recordings[0]?.every(({ record }) => record.type === 'frame' && record.session === own))
  const epoch = sessions[0]?.entry.split('-')[0]
  t.ok(
    decisions.every(
      ({ entry, record, fields }) => entry === `${epoch}-${record.seq}` && fields['decision_id'] === record.id,
    ),
  )
  t.match(sessions[0]?.fields, { type: 'instance-start', block: '1', previous: /^[0-9a-f]{64}$/ })
  t.match(await server.command(`XRANGE ${PREFIX}:instances - +`), new RegExp(journal.instance))
  await shipper.stop()
  await journal.close()
})

t.test('Redis is away for a while under load: nothing is lost, the order is kept, each id is there once', async (t) => {
  const server = await startRedis({ persistent: true })
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const shipper = shipperOf(journal, server)
  const ended = new AbortController()
  const loading = (async () => {
    while (!ended.signal.aborted) {
      await load(journal, 50)
      await sleep(5)
    }
  })()
  await until(() => shipper.status.position > 200)
  await server.kill()
  await sleep(OUTAGE_MS)
  t.equal(shipper.status.connected, false)
  t.not(shipper.status.error, '')
  t.equal(journal.status.ready, true, 'commands go on meanwhile')
  await server.restart()
  await until(() => shipper.status.connected, 30_000)
  server.pause()
  await sleep(200)
  server.resume()
  await sleep(200)
  ended.abort()
  await loading
  await until(() => shipper.status.position >= journal.durable, 30_000)
  await assertShipped(t, journal, server)
  await shipper.stop()
  await journal.close()
})

t.test('a writer that restarts, also without its file, sends nothing twice', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const directory = temporary()
  for (const forgotten of [false, false, true, true]) {
    if (forgotten) rmSync(join(directory, 'shipped'))
    const journal = open(directory, { shipping: true })
    const shipper = shipperOf(journal, server)
    await load(journal, 120)
    await until(() => shipper.status.position >= journal.durable)
    await journal.close()
    await until(() => shipper.status.position >= journal.durable)
    await shipper.stop()
    if (forgotten) t.ok(shipper.status.added < shipper.status.position, 'what was there was not added again')
    await assertShipped(t, journal, server)
  }
})

t.test('a Redis that lost what it had confirmed is given it again', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const shipper = shipperOf(journal, server)
  await load(journal, 50)
  await until(() => shipper.status.position >= journal.durable)
  await server.restart()
  await load(journal, 50)
  await until(() => shipper.status.lost > 0 && shipper.status.position >= journal.durable)
  await assertShipped(t, journal, server)
  await shipper.stop()
  await journal.close()
})

t.test('what was recorded last may be a frame: it is neither sent again nor lost', async (t) => {
  const server = await startRedis({ persistent: true })
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  await whenDurable(journal)
  let shipper = shipperOf(journal, server)
  for (let index = 0; index < 20; index++) {
    journal.frame(frame(of, 'marker', `${index}`))
    await whenDurable(journal)
  }
  await until(() => shipper.status.position >= journal.durable)
  await shipper.stop()

  shipper = shipperOf(journal, server)
  await until(() => shipper.status.connected && shipper.status.remembered >= journal.durable)
  t.match(shipper.status, { added: 0, lost: 0 }, 'a writer that starts anew finds all of it there')
  await server.command(`DEL ${streamNames(PREFIX).session(of.id)}`)
  await server.restart()
  journal.frame(frame(of, 'marker', 'one more'))
  await whenDurable(journal)
  await until(() => shipper.status.lost > 0 && shipper.status.position >= journal.durable)
  await assertShipped(t, journal, server)
  await shipper.stop()
  await journal.close()
})

t.test('a Redis without memory left takes nothing, and all of it once it has room', async (t) => {
  const server = await startRedis({ settings: { 'maxmemory-policy': 'noeviction' } })
  t.teardown(() => server.stop())
  const journal = open(temporary(), { shipping: true })
  const shipper = shipperOf(journal, server)
  await load(journal, 20)
  await until(() => shipper.status.position >= journal.durable)
  await server.command('CONFIG SET maxmemory 1')
  await load(journal, 20)
  await until(() => shipper.status.error.includes('OOM'))
  t.ok(shipper.status.position < journal.durable)
  await server.command('CONFIG SET maxmemory 0')
  await until(() => shipper.status.position >= journal.durable)
  await assertShipped(t, journal, server)
  await shipper.stop()
  await journal.close()
})

t.test(
  "somebody else's entry in the stream does not stop the records, which go above it under another epoch",
  async (t) => {
    const server = await startRedis()
    t.teardown(() => server.stop())
    const journal = open(temporary(), { shipping: true })
    const shipper = shipperOf(journal, server)
    await load(journal, 20)
    await until(() => shipper.status.position >= journal.durable)
    const stream = streamNames(PREFIX).decisions(journal.instance)
    await server.command(`XADD ${stream} ${Date.now() + 60_000}-0 type forged record {}`)
    await load(journal, 20)
    await until(() => shipper.status.position >= journal.durable)
    const { decisions } = await shipped(server, journal.instance)
    const own = decisions.filter(({ fields }) => fields['type'] !== 'forged')
    t.equal(new Set(own.map(({ record }) => record.id)).size, 80)
    t.equal(own.length, 80)
    await shipper.stop()
    await journal.close()
  },
)

t.test('a user who may only append can ship', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  await server.command(`ACL SETUSER writer on >secret ~${PREFIX}:* resetchannels -@all +xadd +multi +exec`)
  const journal = open(temporary(), { shipping: true })
  const { directory, instance } = journal
  const shipper = new Shipper({
    directory,
    instance,
    sidegate: '0.0.0',
    streams: streamNames(PREFIX),
    connect: () => connectStreams({ url: `redis://writer:secret@${server.host}:${server.port}` }),
    durable: () => journal.durable,
  })
  shipper.start()
  await load(journal, 50)
  await until(() => shipper.status.position >= journal.durable)
  await assertShipped(t, journal, server)
  await shipper.stop()
  await journal.close()
})

t.test('the thread ships, tells its lag, lets the journal make room, and drains at the end', async (t) => {
  const server = await startRedis({ password: 'secret' })
  t.teardown(() => server.stop())
  const maxSize = 512 * 1024
  const journal = open(temporary(), { shipping: true, maxSize, segmentSize: 64 * 1024 })
  const shipping = new Shipping(journal, { redis: { url: server.url }, prefix: PREFIX, sidegate: '0.0.0' })
  t.ok(shipping.lag.records > 0)
  for (let round = 0; round < 8; round++) {
    await load(journal, 200)
    t.equal(await shipping.drain(20_000), true)
    await sleep(120)
  }
  t.same(shipping.lag, { records: 0, bytes: 0, seconds: 0 })
  const size = readdirSync(journal.directory).reduce(
    (sum, name) => sum + statSync(join(journal.directory, name)).size,
    0,
  )
  t.ok(size <= maxSize, 'more was written than fits, since what was shipped made room')
  t.equal((await shipped(server, journal.instance)).decisions.length, 8 * 400)
  await server.kill()
  await load(journal, 10)
  t.equal(await shipping.drain(300), false)
  t.match(shipping.lag, { records: Number, bytes: Number })
  t.ok(shipping.lag.bytes > 1_000 && shipping.lag.seconds > 0)
  await journal.close()
  await shipping.stop()
})
