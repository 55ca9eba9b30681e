import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { BLOCK_HEADER, blockHash, digestOf, genesis, sealBlock } from '../../src/record/block.ts'
import { RECORD_MAX } from '../../src/record/encoding.ts'
import { headOf } from '../../src/record/head.ts'
import type { Journal } from '../../src/record/journal.ts'
import { referenceOf, storedLine } from '../../src/record/reference.ts'
import type { DecisionRecord } from '../../src/record/records.ts'
import { streamNames } from '../../src/record/streams.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { command } from '../support/fakes.ts'
import { PREFIX, shipperOf } from './shippers.ts'
import { decision, frame, open, outcome, session, temporary, whenDurable } from './support.ts'

const WAIT_MS = 20_000

interface Entry {
  readonly seq: number
  readonly line: Buffer
  /** Of the first record of a block: how many it has, and the hash before it. */
  readonly block: number
  readonly previous: string
}

/** Everything of an instance that Redis holds, by position: all that somebody has who sees Redis alone. */
async function held(server: RedisServer, instance: string): Promise<Entry[]> {
  const redis = new Redis(server.url)
  const names = streamNames(PREFIX)
  const streams = [names.decisions(instance), names.sessions(instance), ...(await redis.keys(names.session('*')))]
  const entries: Entry[] = []
  for (const stream of streams) {
    for (const [, flat] of (await redis.xrangeBuffer(stream, '-', '+')) as [Buffer, Buffer[]][]) {
      const field = (name: string) => flat[flat.findIndex((key, at) => at % 2 === 0 && key.toString() === name) + 1]
      const line = field('record') ?? Buffer.alloc(0)
      const first = flat.some((key, at) => at % 2 === 0 && key.toString() === 'block')
      const block = first ? Number(field('block')) : 0
      entries.push({ seq: headOf(line).seq, line, block, previous: first ? String(field('previous')) : '' })
    }
  }
  redis.disconnect()
  return entries.toSorted((left, right) => left.seq - right.seq)
}

async function shipAll(journal: Journal, server: RedisServer): Promise<void> {
  const shipper = shipperOf(journal, server)
  const deadline = Date.now() + WAIT_MS
  while (shipper.status.position < journal.durable && Date.now() < deadline) await sleep(5)
  await shipper.stop()
}

/** The hash of a block that is put together of its lines. */
function hashOf(entries: readonly Entry[], previous: string): string {
  const slab = Buffer.alloc(BLOCK_HEADER + RECORD_MAX)
  let end = BLOCK_HEADER
  for (const { line } of entries) {
    end += storedLine(line).copy(slab, end)
    slab[end++] = 0x0a
  }
  sealBlock(slab, end, entries[0]?.seq ?? 0, entries.length, digestOf(previous))
  return blockHash(slab.subarray(0, end))
}

t.test(
  'who has nothing but what is in Redis can check the chain, with decisions that were stored as references',
  async (t) => {
    const server = await startRedis()
    t.teardown(() => server.stop())
    const journal = open(temporary(), { shipping: true, segmentSize: 16 * 1024 })
    const of = session()
    journal.sessionStart(of)
    const { shape } = command('SELECT $1')
    const texts = ['SELECT 1', "SELECT 'ü \"'", 'SELECT 3'].map((text) => ({ ...shape, text }))
    for (let index = 0; index < 400; index++) {
      const twin = texts[index % 7] ?? shape
      const varying = { phase: 'execute', parameters: index % 3 === 0 ? [] : [{ type: 'int4', value: `${index}` }] }
      journal.decision({ ...decision(of), command: { shape: twin, varying } })
      if (index % 10 === 9) await whenDurable(journal)
      if (index % 4 === 0) journal.frame(frame(of, 'output', `${index}`))
      journal.outcome(outcome(of))
    }
    journal.sessionEnd(of, 'done')
    await whenDurable(journal)
    await shipAll(journal, server)

    const entries = await held(server, journal.instance)
    t.equal(entries.length, journal.durable)
    let previous = genesis(journal.instance)
    let blocks = 0
    for (let at = 0; at < entries.length; blocks++) {
      const [first] = entries.slice(at)
      if (first?.previous !== previous) throw new Error(`the block at ${at} does not follow the one before`)
      previous = hashOf(entries.slice(at, at + first.block), previous)
      at += first.block
    }
    t.ok(blocks > 30, `${blocks} blocks`)
    t.ok(
      entries.filter(({ line }) => referenceOf(line, headOf(line)) !== null).length > 300,
      'most were stored as references',
    )
    const decisions = entries.map(({ line }) => JSON.parse(line.toString()) as DecisionRecord)
    t.ok(
      decisions
        .filter(({ type }) => type === 'decision')
        .every(({ input, result }) => input.command.text && result.effect),
    )
    t.ok(readdirSync(journal.directory).length > 3, 'over several segments')
    await journal.close()
  },
)
