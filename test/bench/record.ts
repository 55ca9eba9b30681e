/** What a record costs: `node test/bench/record.ts`. Budget: 0.6 µs a decision with a parameter, 0.2 µs an outcome, writing apart. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, do_not_optimize, run, summary } from 'mitata'
import type { JsonObject } from '../../src/gate/json.ts'
import type { DecisionEvent, OutcomeEvent } from '../../src/gate/ports.ts'
import { Session } from '../../src/gate/session.ts'
import { Encoding } from '../../src/record/encoding.ts'
import { Journal } from '../../src/record/journal.ts'
import { readLines } from '../../src/record/reader.ts'
import { ALLOW, CONTEXT } from '../support/fakes.ts'

const encoding = new Encoding({ instance: 'bench-00000000', sidegate: '0.1.0' })
const session = new Session(CONTEXT, { database: 'bench' })
const slab = Buffer.allocUnsafeSlow(4 * 1024 ** 2)
encoding.sessionStart(slab, 0, 1, session)

const shape = Object.freeze({
  protocol: 'postgres',
  action: 'select',
  text: 'SELECT abalance FROM pgbench_accounts WHERE aid = $1;',
  detail: {
    effects: ['select'],
    relations: [
      { schema: 'public', name: 'pgbench_accounts', access: 'read', columns: ['abalance', 'aid'], system: null },
    ],
    functions: [],
    where: null,
    limit: null,
    settings: [],
    role: null,
    readsOnly: true,
  },
})
const simple = { transaction: 'idle', phase: 'execute', parameters: [], statement: { index: 1, of: 1 } }
const prepared = (value: string): JsonObject => ({ ...simple, parameters: [{ type: 'int4', value, known: true }] })
const answer = { decision: ALLOW, revision: '3f2a91c0', mode: 'enforce', failed: false } as const

const decision = (varying: JsonObject): DecisionEvent => ({
  session,
  sequence: 7,
  command: { shape, varying },
  answer,
  grant: null,
  refusal: null,
  at: Date.now(),
})
const outcome: OutcomeEvent = {
  session,
  sequence: 7,
  outcome: { status: 'completed', code: 'SELECT 1', rows: 1, bytes: 43, masked: [] },
  decidedAt: Date.now(),
  at: Date.now() + 1,
}

/** Encodes a block of 64: divide by that. */
const block = (write: (seq: number, offset: number) => number) => () => {
  let end = 0
  for (let seq = 1; seq <= 64; seq++) end = write(seq, end)
  return do_not_optimize(end)
}

summary(() => {
  const one = decision(simple)
  bench(
    '64 decisions, stored whole',
    block((seq, offset) => encoding.decision(slab, offset, seq, one)),
  )
  // All but the first refer to it, as they do in a segment.
  const segment = { generation: 1, size: 0 }
  bench(
    '64 decisions, simple',
    block((seq, offset) => encoding.decision(slab, offset, seq, one, segment)),
  )
  const values = Array.from({ length: 64 }, (_, index) => decision(prepared(String(12_345 + index))))
  bench(
    '64 decisions, one parameter',
    block((seq, offset) => encoding.decision(slab, offset, seq, values[seq - 1] as DecisionEvent, segment)),
  )
  bench(
    '64 outcomes',
    block((seq, offset) => encoding.outcome(slab, offset, seq, outcome)),
  )
})

const directory = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
const options = {
  maxSize: 1024 ** 3,
  segmentSize: 64 * 1024 ** 2,
  durability: 'written',
  sidegate: '0.1.0',
  name: 'bench',
  shipping: false,
} as const
const journal = Journal.open({ ...options, directory })

/** One turn of the event loop with this many commands in it: decisions, write, callbacks, outcomes. */
const turn = (commands: number) => async () => {
  for (let index = 0; index < commands; index++) journal.decision(decision(simple))
  await new Promise<void>((resolve) => journal.whenDurable(() => resolve()))
  for (let index = 0; index < commands; index++) journal.outcome(outcome)
}
/** One turn with this much of a program's output in it, as a socket gives it: in chunks of 32 KiB, or key by key. */
const printed = Buffer.alloc(32 * 1024, 'what a program prints, ')
const frames = (count: number, bytes: number) => async () => {
  const data = printed.subarray(0, bytes)
  for (let index = 0; index < count; index++) {
    journal.frame({ session, sequence: 7, kind: 'output', data, at: Date.now() })
  }
  await new Promise<void>((resolve) => journal.whenDurable(() => resolve()))
}
bench('turn of 1 MiB of output', frames(32, 32 * 1024))
bench('turn of 64 echoed keys', frames(64, 1))
bench('empty turn (setImmediate alone)', () => new Promise((resolve) => setImmediate(resolve)))
bench('turn of 1 command', turn(1))
bench('turn of 8 commands', turn(8))
bench('turn of 64 commands', turn(64))

/** Records of which half are decisions, most of them stored as references: divide by their number. */
const READ = 2_000
const read = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
const toRead = Journal.open({ ...options, directory: read })
for (let index = 0; index < READ / 2; index++) {
  toRead.decision(decision(prepared(String(index))))
  toRead.outcome(outcome)
}
await toRead.close()
bench(`reading ${READ} records`, () => {
  let bytes = 0
  for (const { line } of readLines(read)) bytes += line.length
  return do_not_optimize(bytes)
})

await run()
await journal.close()
rmSync(read, { recursive: true, force: true })
rmSync(directory, { recursive: true, force: true })
