/** What a journal gives back, whatever happens to it, against what was put into it. */
import assert from 'node:assert/strict'
import fs, { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { mock } from 'node:test'
import fc from 'fast-check'
import t from 'tap'
import { linesOf, parseBlock, SEGMENT_HEADER } from '../../src/record/block.ts'
import { segmentsOf } from '../../src/record/directory.ts'
import { Encoding, RECORD_MAX } from '../../src/record/encoding.ts'
import { headOf } from '../../src/record/head.ts'
import type { Journal } from '../../src/record/journal.ts'
import { readLines } from '../../src/record/reader.ts'
import { referenceOf, storedLine } from '../../src/record/reference.ts'
import { deciding, type Deciding, events } from './events.ts'
import { open, outcome, session, temporary } from './support.ts'

/** How often a journal that failed is tried again: PROBE_MS in journal.ts. */
const PROBE_MS = 1_000
const PROBES = 10_000
const slab = Buffer.alloc(2 * RECORD_MAX)

type Step =
  | { readonly do: 'decide'; readonly what: Deciding }
  | { readonly do: 'settle' | 'wait' | 'turn' | 'reopen' | 'kill' | 'remove' }
  | { readonly do: 'fail'; readonly what: 'writeSync' | 'fdatasync' }

const others = fc.oneof(
  { arbitrary: fc.constantFrom<Step>({ do: 'settle' }, { do: 'wait' }, { do: 'turn' }), weight: 10 },
  { arbitrary: fc.constantFrom<Step>({ do: 'reopen' }, { do: 'kill' }, { do: 'remove' }), weight: 1 },
  { arbitrary: fc.constantFrom<Step>({ do: 'fail', what: 'writeSync' }, { do: 'fail', what: 'fdatasync' }), weight: 1 },
)
const decide = deciding.map((what): Step => ({ do: 'decide', what }))
const steps = fc.array(fc.oneof({ arbitrary: decide, weight: 3 }, { arbitrary: others, weight: 2 }), {
  minLength: 10,
  maxLength: 120,
  size: 'max',
})

/** Hashes have another key in each life. */
const comparable = (line: string) => line.replaceAll(/"hash":"[0-9a-f]{32}"/g, '"hash":"…"')
const withoutAs = (line: string) => line.replace(/("sequence":\d+),"as":\[[^\]]+\]/, '$1')

class Model {
  readonly #options
  readonly #sessions = [session(), session()]
  readonly #event = events(this.#sessions)
  readonly #expected = new Map<number, string>()
  readonly #confirmed = new Set<number>()
  /** Given out before a failure, which nobody was told to be durable. */
  readonly #lost = new Set<number>()
  #directory = temporary()
  #oracle: Encoding | null = null
  #journal: Journal

  constructor(durability: 'written' | 'synced', shipping: boolean) {
    // The smallest segments: nearly each block is one of its own.
    this.#options = { durability, shipping, segmentSize: 24 * 1024, maxSize: 16 * 1024 ** 2 } as const
    this.#journal = this.#begin()
  }

  #begin(): Journal {
    this.#journal = open(this.#directory, this.#options)
    this.#oracle = new Encoding({ instance: this.#journal.instance, sidegate: '0.0.0' })
    for (const one of this.#sessions) {
      const seq = this.#journal.sessionStart(one)
      this.#expect(seq, (oracle) => oracle.sessionStart(slab, 0, seq, one))
    }
    return this.#journal
  }

  #expect(seq: number, write: (oracle: Encoding) => number): void {
    const end = this.#oracle === null ? 0 : write(this.#oracle)
    this.#expected.set(seq, comparable(slab.toString('utf8', 0, end - 1)))
  }

  async step(step: Step): Promise<void> {
    const journal = this.#journal
    if (step.do === 'decide') return this.#decide(step.what)
    if (step.do === 'settle') return this.#settle()
    if (step.do === 'wait') return await this.#wait()
    if (step.do === 'turn') return await new Promise((resolve) => setImmediate(resolve))
    if (step.do === 'fail') return await this.#fail(step.what)
    if (step.do === 'remove') return this.#removeOldest()
    if (step.do === 'reopen') await journal.close()
    else await this.#kill()
    this.#begin()
  }

  #decide(what: Deciding): void {
    const event = this.#event(what)
    try {
      const seq = this.#journal.decision(event)
      this.#expect(seq, (oracle) => oracle.decision(slab, 0, seq, event))
    } catch (error) {
      assert(error instanceof Error && 'code' in error && error.code === 'record.unavailable')
    }
  }

  #settle(): void {
    const event = outcome(this.#sessions[0] ?? session())
    const seq = this.#journal.outcome(event)
    if (seq > 0) this.#expect(seq, (oracle) => oracle.outcome(slab, 0, seq, event))
  }

  async #wait(): Promise<void> {
    const waiting = [...this.#expected.keys()].filter((seq) => !this.#confirmed.has(seq))
    const error = await new Promise<Error | null>((resolve) => this.#journal.whenDurable(resolve))
    for (const seq of waiting) {
      if (error === null && seq <= this.#journal.durable && !this.#lost.has(seq)) this.#confirmed.add(seq)
    }
  }

  /** The next write or sync fails; the journal gets over it when it tries again. */
  async #fail(what: 'writeSync' | 'fdatasync'): Promise<void> {
    const real = fs[what]
    const before = this.#journal.durable
    const failure = Object.assign(new Error('of the test'), { code: 'EIO' })
    const failing = (...args: unknown[]) => {
      const done = args.at(-1)
      if (typeof done !== 'function') throw failure
      setImmediate(() => Reflect.apply(done, null, [failure]))
    }
    Object.assign(fs, { [what]: failing })
    syncBuiltinESMExports()
    this.#decide({ ...(fc.sample(deciding, 1)[0] as Deciding) })
    await new Promise<unknown>((resolve) => this.#journal.whenDurable(resolve))
    Object.assign(fs, { [what]: real })
    syncBuiltinESMExports()
    if (this.#journal.status.ready) return
    for (const seq of this.#expected.keys()) if (seq > before && !this.#confirmed.has(seq)) this.#lost.add(seq)
    // Not before a sync that is under way has ended.
    for (let tries = 0; !this.#journal.status.ready && tries < PROBES; tries++) {
      await new Promise((resolve) => setImmediate(resolve))
      mock.timers.tick(PROBE_MS)
    }
    assert.equal(this.#journal.status.ready, true)
  }

  /** As `kill -9` leaves it in the middle of a write. */
  async #kill(): Promise<void> {
    const copy = temporary()
    cpSync(this.#directory, copy, { recursive: true, filter: (path) => !path.endsWith('lock') })
    const { durable } = this.#journal
    await this.#journal.close()
    rmSync(this.#directory, { recursive: true })
    this.#directory = copy
    for (const seq of this.#expected.keys()) if (seq > durable) this.#expected.delete(seq)
    appendFileSync(segmentsOf(copy).at(-1)?.path ?? '', 'SGB1 half a bl')
  }

  #removeOldest(): void {
    const segments = segmentsOf(this.#directory)
    const [oldest, next] = segments
    if (oldest === undefined || next === undefined) return
    rmSync(oldest.path)
    for (const seq of this.#expected.keys()) if (seq < next.first) this.#forget(seq)
  }

  #forget(seq: number): void {
    this.#expected.delete(seq)
    this.#confirmed.delete(seq)
  }

  async finish(): Promise<{ readonly short: number; readonly segments: number }> {
    await this.#wait()
    await this.#journal.close()
    const lines = [...readLines(this.#directory)]
    const found = new Map<number, string>()
    for (const { head, line } of lines) {
      assert(!found.has(head.seq), `position ${head.seq} comes once`)
      found.set(head.seq, comparable(withoutAs(line.toString())))
    }
    for (const [seq, expected] of this.#expected) {
      if (found.has(seq)) assert.equal(found.get(seq), expected)
      else assert(!this.#confirmed.has(seq), `record ${seq} was confirmed`)
    }
    const all = lines.map(({ line }) => line.toString())
    for (const from of [0, lines.at(lines.length >> 1)?.head.seq ?? 1, lines.at(-1)?.head.seq ?? 1]) {
      const rest = lines.findIndex(({ head }) => head.seq >= from)
      assert.deepEqual(
        [...readLines(this.#directory, from)].map(({ line }) => line.toString()),
        all.slice(rest),
        `from ${from}`,
      )
    }
    const stored = storedIn(this.#directory)
    assert.deepEqual(
      lines.map(({ line }) => storedLine(line).toString()),
      stored.map(String),
    )
    const short = stored.filter((line) => referenceOf(line, headOf(line)) !== null).length
    const { length } = segmentsOf(this.#directory)
    rmSync(this.#directory, { recursive: true })
    return { short, segments: length }
  }
}

/** The lines as they are in the files, of each segment from its own beginning. */
function storedIn(directory: string): Buffer[] {
  return segmentsOf(directory).flatMap(({ path }) => {
    const bytes = readFileSync(path)
    const lines: Buffer[] = []
    for (let at = SEGMENT_HEADER; at < bytes.length;) {
      const parsed = parseBlock(bytes, at)
      if (parsed.kind !== 'block') throw new Error(`${path} at ${at}: ${parsed.kind}`)
      lines.push(...linesOf(parsed.block))
      at += parsed.block.bytes.length
    }
    return lines
  })
}

for (const durability of ['written', 'synced'] as const) {
  t.test(
    `whatever becomes of its segments, a journal reads as if every decision had been stored whole (${durability})`,
    async (t) => {
      mock.timers.enable({ apis: ['setInterval'] })
      t.teardown(() => mock.timers.reset())
      let short = 0
      let segments = 0
      await fc.assert(
        fc.asyncProperty(steps, fc.boolean(), async (steps, shipping) => {
          const model = new Model(durability, shipping)
          for (const step of steps) await model.step(step)
          const found = await model.finish()
          short += found.short
          segments += found.segments
        }),
        { numRuns: 60 },
      )
      t.ok(short > 100 && segments > 100, `${short} were short, in ${segments} segments`)
    },
  )
}
