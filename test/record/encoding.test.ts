import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Command } from '../../src/gate/command.ts'
import type { Decision } from '../../src/gate/decision.ts'
import type { JsonObject } from '../../src/gate/json.ts'
import type { DecisionEvent } from '../../src/gate/ports.ts'
import { context, Session } from '../../src/gate/session.ts'
import { Encoding, RECORD_MAX } from '../../src/record/encoding.ts'
import { LineHead } from '../../src/record/line-head.ts'
import { type DecisionRecord, decisionLog, type SessionStart } from '../../src/record/records.ts'
import { Results } from '../../src/record/results.ts'
import { ALLOW, CONTEXT, deny } from '../support/fakes.ts'
import { outcome, session } from './support.ts'

const slab = Buffer.alloc(2 * RECORD_MAX)

function lineOf(write: (slab: Buffer, offset: number) => number): string {
  const end = write(slab, 5)
  const line = slab.toString('utf8', 5, end)
  assert.equal(line.indexOf('\n'), line.length - 1, 'a record is one line')
  return line
}

function recordOf(encoding: Encoding, event: DecisionEvent, seq = 1): DecisionRecord {
  return JSON.parse(lineOf((slab, offset) => encoding.decision(slab, offset, seq, event))) as DecisionRecord
}

function eventOf(command: Partial<Command['shape']>, varying: JsonObject, decision: Decision = ALLOW): DecisionEvent {
  const shape = { protocol: 'test', action: 'do', text: 'text', detail: {}, ...command }
  const answer = { decision, revision: 'r1', mode: 'enforce', failed: false } as const
  return { session: session(), sequence: 3, command: { shape, varying }, answer, grant: null, refusal: null, at: 1_000 }
}

const encoding = () => new Encoding({ instance: 'test-1', sidegate: '0.0.0' })

t.test('whatever a command says, its record is JSON that says the same', (t) => {
  const facts = fc.dictionary(
    fc.string({ unit: 'binary' }),
    fc.oneof(fc.integer(), fc.string({ unit: 'binary' }), fc.constant(null)),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), facts, facts, fc.integer({ min: 1 }), (text, detail, varying, seq) => {
      const own = { ...varying }
      delete own['parameters']
      const event = eventOf({ text, detail }, own)
      const record = recordOf(encoding(), event, seq)
      const expected = { protocol: 'test', action: 'do', text: text.toWellFormed(), detail }
      const { varying: recorded = {}, ...command } = record.input.command
      assert.equal(JSON.stringify(command), JSON.stringify(expected))
      assert.equal(JSON.stringify(recorded), JSON.stringify(own))
      assert.deepEqual(
        [record.id, record.seq, record.sequence, record.session],
        [`test-1/${seq}`, seq, 3, event.session.id],
      )
    }),
  )
  t.pass()
  t.end()
})

t.test('executions of one shape are recorded with their own facts, also when a form is at hand', (t) => {
  const one = encoding()
  const shape = { protocol: 'test', action: 'do', text: 'x', detail: {} }
  const scalar = fc.oneof(fc.constantFrom('idle', 'open'), fc.integer({ min: 0, max: 2 }), fc.constant(null))
  const facts = fc.record(
    {
      transaction: scalar,
      phase: scalar,
      statement: fc.record({ index: scalar, of: scalar }, { requiredKeys: [] }),
      list: fc.array(scalar),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(facts, fc.boolean(), (facts, withParameters) => {
      const varying = { ...facts, ...(withParameters ? { parameters: [null] } : {}) } as JsonObject
      const event = { ...eventOf({}, {}), command: { shape, varying } }
      assert.deepEqual(recordOf(one, event).input.command.varying ?? {}, JSON.parse(JSON.stringify(varying)))
    }),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})

t.test('a parameter is recorded as its type and a keyed hash that tells equal from different', (t) => {
  const parameters = ['card 4111', 'card 4111', 'card 4112', null].map((value) => ({
    type: 'text',
    value,
    known: true,
  }))
  const record = recordOf(encoding(), eventOf({}, { parameters }))
  const recorded = record.input.command.varying?.['parameters'] as unknown as { type: string; hash?: string }[]
  t.notMatch(JSON.stringify(record), /card/)
  t.equal(recorded[0]?.hash?.length, 32)
  t.equal(recorded[0]?.hash, recorded[1]?.hash)
  t.not(recorded[0]?.hash, recorded[2]?.hash)
  t.same(recorded[3], { type: 'text', value: null })
  const other = recordOf(encoding(), eventOf({}, { parameters })).input.command.varying?.['parameters']
  t.not(JSON.stringify(other), JSON.stringify(recorded), 'another run has another key')
  t.end()
})

t.test('no form of parameter puts its value into a record of the standard level', (t) => {
  const secret = 'S3cr3t'
  for (const parameter of [
    secret,
    [secret],
    { value: secret },
    { type: 'text', value: { deep: secret } },
    { other: secret },
  ]) {
    t.notMatch(JSON.stringify(recordOf(encoding(), eventOf({}, { parameters: [parameter] as never }))), /S3cr3t/)
    t.notMatch(JSON.stringify(recordOf(encoding(), eventOf({}, { parameters: parameter }))), /S3cr3t/)
  }
  t.end()
})

t.test('the level full keeps parameters, unless the decision masks anything', (t) => {
  const parameters = [{ type: 'text', value: 'visible ü', known: true }]
  const full: Decision = { ...ALLOW, record: 'full' }
  t.same(recordOf(encoding(), eventOf({}, { parameters }, full)).input.command.varying, { parameters })
  const mask = {
    column: 'public.customers.ssn',
    detector: null,
    path: null,
    with: 'redact',
    policy: 'policy.test',
  } as const
  const masked = recordOf(encoding(), eventOf({}, { parameters }, { ...full, masks: [mask] }))
  t.notMatch(JSON.stringify(masked.input.command), /visible/)
  t.end()
})

t.test('a text that sets a password is recorded as its protocol redacted it', (t) => {
  const event = eventOf({ text: "ALTER ROLE a PASSWORD 'hunter2'", recorded: 'ALTER ROLE a PASSWORD <redacted>' }, {})
  const record = recordOf(encoding(), event)
  t.equal(record.input.command.text, 'ALTER ROLE a PASSWORD <redacted>')
  t.notMatch(JSON.stringify(record), /hunter2/)
  t.end()
})

t.test('parts that are too large are recorded by beginning, size and hash, and never too large together', (t) => {
  const huge = '\u0001'.repeat(300_000)
  const because = { code: 'x', message: huge, remedy: huge, policy: '' }
  const decision = { ...deny('x'), reasons: [because] }
  const event = eventOf({ text: huge, detail: { huge } }, { huge, parameters: [huge] }, { ...decision, record: 'full' })
  const grant = { by: [huge], at: '', codes: [] }
  const record = recordOf(encoding(), { ...event, refusal: because, grant })
  t.match(record.input.command.truncated, { bytes: 300_000, sha256: /^[0-9a-f]{64}$/ })
  t.ok(record.input.command.text.length > 0)
  t.match(record.input.command.detail, { truncated: { sha256: /^[0-9a-f]{64}$/ } })
  t.match(record.result, { truncated: {} })
  const fits = recordOf(encoding(), eventOf({ text: 'ü'.repeat(64 * 1024) }, {}))
  t.equal(fits.input.command.truncated, undefined)
  t.end()
})

t.test('a refusal, a grant, the mode and a failure are in the record', (t) => {
  const refusal = { code: 'sql.unbounded-write', message: 'every row', remedy: 'add a WHERE', policy: 'policy.test' }
  const event = eventOf({}, {}, deny('sql.unbounded-write'))
  const failed = { ...event.answer, mode: 'observe', failed: true } as const
  const grant = { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] }
  const record = recordOf(encoding(), { ...event, answer: failed, refusal, grant })
  t.same(record.custom, { verdict: 'refused', mode: 'observe', failed: true, refusal, grant })
  t.equal(record.result.effect, 'deny')
  const permitted = recordOf(encoding(), eventOf({}, {}))
  t.same(permitted.custom, { verdict: 'permitted', mode: 'enforce' })
  t.same(permitted.bundles, { policy: { revision: 'r1' } })
  t.end()
})

t.test('one decision under two revisions or modes is recorded under each', (t) => {
  const one = encoding()
  const event = eventOf({}, {})
  recordOf(one, event)
  const other = recordOf(one, { ...event, answer: { ...event.answer, revision: 'r2', mode: 'observe' } })
  t.same([other.bundles.policy?.revision, other.custom.mode], ['r2', 'observe'])
  const results = new Results()
  const first = results.permitted(event.answer)
  const second = results.permitted({ ...event.answer, revision: 'r2' })
  t.not(second, first)
  t.equal(results.permitted({ ...event.answer, revision: 'r2' }), second, 'and encoded once under each')
  t.end()
})

t.test('a session tells its context once, and its records point to that', (t) => {
  const one = encoding()
  const of = session()
  const start = JSON.parse(lineOf((slab, offset) => one.sessionStart(slab, offset, 9, of))) as SessionStart
  t.match(start, { type: 'session-start', seq: 9, session: of.id, instance: 'test-1', principal: { subject: 'agent' } })
  t.same(start.attributes, { database: 'orders' })
  const record = recordOf(one, { ...eventOf({}, { phase: 'execute' }), session: of })
  t.equal(record.start, 9)
  const event = decisionLog(record, start)
  t.match(event, {
    decision_id: 'test-1/1',
    timestamp: '1970-01-01T00:00:01.000Z',
    labels: { id: 'test-1', version: '0.0.0' },
    path: 'sidegate/decision',
    input: { principal: { subject: 'agent' }, command: { detail: { phase: 'execute' } } },
  })
  const ended = JSON.parse(lineOf((slab, offset) => one.sessionEnd(slab, offset, 10, of, 'client closed'))) as object
  t.match(ended, { type: 'session-end', start: 9, reason: 'client closed', usage: { commands: 0 } })
  const result = JSON.parse(lineOf((slab, offset) => one.outcome(slab, offset, 11, outcome(of)))) as object
  t.match(result, {
    type: 'outcome',
    start: 9,
    status: 'completed',
    code: 'SELECT 1',
    rows: 1,
    duration: 2_000,
    masked: [],
  })
  t.end()
})

t.test('a context with claims beyond measure is recorded without them rather than not at all', (t) => {
  const claims = { huge: 'x'.repeat(1_000_000) }
  const large = context({ ...CONTEXT.principal, claims }, CONTEXT.workload, CONTEXT.target)
  const of = new Session(large, {})
  const start = JSON.parse(lineOf((slab, offset) => encoding().sessionStart(slab, offset, 1, of))) as SessionStart
  t.equal(start.principal.subject, 'agent')
  t.match(start.principal.claims, { truncated: {} })
  t.end()
})

t.test('the head of a record is written as its numbers say, whatever the one before had', (t) => {
  const whole = fc.oneof(
    fc.nat(30),
    fc.nat(),
    fc.nat(Number.MAX_SAFE_INTEGER),
    fc.constantFrom(9, 10, 99, 100, 2 ** 32),
  )
  const head = new LineHead('{"id":"test-1/', 'decision', ',"session":"s","start":1,"sequence":')
  fc.assert(
    fc.property(fc.array(fc.tuple(whole, whole, whole), { minLength: 1 }), (numbers) => {
      for (const [seq, at, sequence] of numbers) {
        const end = head.write(slab, 3, seq, at, sequence)
        const expected = `{"id":"test-1/${seq}","type":"decision","seq":${seq},"at":${at},"session":"s","start":1,"sequence":${sequence}`
        assert.equal(slab.toString('latin1', 3, end), expected)
      }
    }),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})
