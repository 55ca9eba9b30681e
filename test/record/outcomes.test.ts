import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { OUTCOMES } from '../../src/gate/ports.ts'
import { RECORD_MAX } from '../../src/record/encoding.ts'
import { Outcomes } from '../../src/record/outcomes.ts'
import { session } from './support.ts'

const slab = Buffer.alloc(RECORD_MAX)

t.test('an outcome is recorded as it was, whatever the one before said', (t) => {
  const count = fc.oneof(fc.nat(20), fc.nat(Number.MAX_SAFE_INTEGER), fc.constantFrom(9, 10, 99, 100, 2 ** 32, 1e21))
  const outcome = fc.record({
    status: fc.constantFrom(...OUTCOMES),
    code: fc.oneof(fc.constantFrom('SELECT 1', '42501', ''), fc.string({ unit: 'binary', maxLength: 100 })),
    rows: count,
    bytes: count,
    masked: fc.oneof(fc.constant([]), fc.array(fc.string({ unit: 'binary' }))),
  })
  const outcomes = new Outcomes()
  fc.assert(
    fc.property(fc.array(fc.tuple(outcome, fc.nat(100_000)), { minLength: 1 }), (each) => {
      for (const [of, took] of each) {
        const event = { session: session(), sequence: 1, outcome: of, decidedAt: 1_000.25, at: 1_000.25 + took / 1_000 }
        const end = outcomes.write(slab, 0, event)
        const written = slab.toString('latin1', 0, end)
        assert.match(written, /^,[^\n]*\}\n$/)
        assert.deepEqual(JSON.parse(`{${written.slice(1)}`), { ...of, duration: took })
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
  t.end()
})

t.test('codes that count rows fill no memory', (t) => {
  const outcomes = new Outcomes()
  for (let rows = 0; rows < 5_000; rows++) {
    const outcome = { status: 'completed', code: `SELECT ${rows}`, rows, bytes: 1, masked: [] } as const
    const end = outcomes.write(slab, 0, { session: session(), sequence: 1, outcome, decidedAt: 1, at: 1 })
    assert.equal((JSON.parse(`{${slab.toString('latin1', 1, end)}`) as { code: string }).code, outcome.code)
  }
  t.pass()
  t.end()
})
