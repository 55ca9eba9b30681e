import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { inputOf } from '../../src/gate/input.ts'
import type { JsonObject } from '../../src/gate/json.ts'
import type { Question } from '../../src/gate/ports.ts'
import { context, Session } from '../../src/gate/session.ts'
import { InputWriter } from '../../src/policy/input.ts'

const text = fc.string({ unit: 'binary' })
const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' })
const key = fc.oneof(
  fc.constantFrom('parameters', 'transaction', '__proto__', 'phase', 'toString', '1', ''),
  fc.string(),
)
const members = fc.dictionary(key, json, { maxKeys: 5, noNullPrototype: true }) as fc.Arbitrary<JsonObject>

const subjects = fc
  .record({ subject: text, issuer: text, groups: fc.array(text), claims: members, label: text })
  .map(({ subject, issuer, groups, claims, label }) =>
    context(
      { subject, issuer, groups, claims, chain: [{ subject: issuer, issuer: subject }] },
      { namespace: label, pod: label, serviceAccount: label, labels: { [label]: label } },
      { name: label, protocol: 'postgres', host: label, port: 5432, labels: {} },
    ),
  )

const grants = fc.option(fc.record({ by: fc.array(text), at: text, codes: fc.array(text) }))

t.test(
  'the input that is assembled from parts is the input of the contract, however its parts are reused',
  async (t) => {
    const writer = new InputWriter()
    fc.assert(
      fc.property(
        text,
        members,
        fc.array(fc.tuple(members, grants, fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 }),
        subjects,
        (statement, detail, executions, who) => {
          const shape = { protocol: 'postgres', action: 'select', text: statement, detail }
          return executions.every(([varying, grant, sequence, used]) => {
            const session = new Session(who, {})
            session.usage.rows = used
            session.usage.denied = sequence
            const question: Question = { session, command: { shape, varying }, sequence, grant }
            const written = writer.write(question)
            return isDeepStrictEqual(JSON.parse(written), JSON.parse(JSON.stringify(inputOf(question))))
          })
        },
      ),
      { numRuns: 300 },
    )
    t.pass('no counterexample')
  },
)

t.test('a key that varies stands in the input once, in place of the constant one', async (t) => {
  const session = new Session(
    context(
      { subject: '', issuer: '', groups: [], claims: {}, chain: [] },
      { namespace: '', pod: '', serviceAccount: '', labels: {} },
      { name: '', protocol: '', host: '', port: 1, labels: {} },
    ),
    {},
  )
  const shape = { protocol: 'p', action: 'a', text: '', detail: { phase: 'constant', other: 1 } }
  const written = new InputWriter().write({
    session,
    command: { shape, varying: { phase: 'varying' } },
    sequence: 1,
    grant: null,
  })
  t.equal(written.split('"phase"').length, 2)
  t.match(JSON.parse(written), { command: { detail: { phase: 'varying', other: 1 } } })
})
