import fc from 'fast-check'
import t from 'tap'
import { context } from '../../src/gate/session.ts'
import { InputContract } from '../../src/policy/contract.ts'
import { sampleQuestions } from '../../src/policy/samples.ts'
import { compileSchema, MAX_DEPTH } from '../../src/policy/schema.ts'
import { DETAIL, parameter, question, shape, subject, VARYING } from './fixture.ts'

const contract = InputContract.load()
const check = (detail: object, varying: object = VARYING) =>
  contract.checkCommand(
    question(shape('select 1', { ...DETAIL, ...detail }), { varying: varying as typeof VARYING }).command,
  )

t.test('a command of the published schema passes', async (t) => {
  t.equal(check({}), null)
  t.equal(check({}, { ...VARYING, parameters: [parameter('x'), parameter(null), parameter(1.5)] }), null)
})

t.test(
  'a command that lacks a key, adds one or breaks a vocabulary is named with its place and not with its content',
  async (t) => {
    for (const key of Object.keys(DETAIL)) {
      const { [key]: _, ...rest } = DETAIL
      t.match(contract.checkCommand(question(shape('x', rest)).command), new RegExp(`detail\\.${key}: missing`))
    }
    for (const key of Object.keys(VARYING)) {
      const { [key]: _, ...rest } = VARYING
      t.match(check({}, rest), new RegExp(`detail\\.${key}: missing`))
    }
    t.match(check({ secret_key: 1 }), /not in the schema/)
    t.notMatch(check({ secret_key: 1 }), /secret_key/)
    t.match(check({ effects: ['selekt'] }), /effects\[0\]: not a word/)
    t.match(check({ readsOnly: 'yes' }), /readsOnly: not of type boolean/)
    t.match(check({ statement: { index: 1 } }), /statement\.of: missing/)
    t.match(check({}, { ...VARYING, transaction: 'aborted' }), /transaction/)
    t.match(check({}, { ...VARYING, parameters: [{ ...parameter('x'), value: [1] }] }), /parameters\[0\]/)
    t.match(check({}, { ...VARYING, parameters: [parameter(Number.NaN)] }), /parameters\[0\]/)
    t.match(check({ limit: Number.POSITIVE_INFINITY }), /limit/)
    t.match(check({ role: undefined }), /role/)
  },
)

t.test('a command of a protocol without a schema is never evaluated', async (t) => {
  const { command } = question('x')
  t.match(contract.checkCommand({ ...command, shape: { ...command.shape, protocol: 'gopher' } }), /no schema/)
  t.match(contract.checkCommand({ ...command, shape: { ...command.shape, protocol: '__proto__' } }), /no schema/)
})

t.test('a lone surrogate is found wherever it hides', async (t) => {
  t.match(contract.checkCommand(question('select \ud800').command), /text: not well-formed/)
  t.match(check({ role: '\udc00' }), /role/)
  t.match(check({}, { ...VARYING, parameters: [parameter('\ud83d')] }), /parameters\[0\]/)
  const claims = (value: object) => {
    const { principal, workload, target } = subject()
    return contract.checkContext(context({ ...principal, claims: value as typeof DETAIL }, workload, target))
  }
  t.equal(claims({ a: ['fine 😀'] }), null)
  t.match(claims({ a: [{ '\ud800': 1 }] }), /well-formed/)
  t.match(claims({ a: [{ b: '\ud800' }] }), /well-formed/)
})

t.test('nesting that would exhaust the module is refused', async (t) => {
  const { principal, workload, target } = subject()
  const nest = (depth: number): typeof DETAIL => (depth === 0 ? {} : { a: nest(depth - 1) })
  t.equal(contract.checkContext(context({ ...principal, claims: nest(MAX_DEPTH - 10) }, workload, target)), null)
  t.match(contract.checkContext(context({ ...principal, claims: nest(MAX_DEPTH + 1) }, workload, target)), /too deep/)
})

t.test('every sample that warms a policy up is an input of the contract, and they differ', async (t) => {
  const questions = sampleQuestions(contract, 200)
  for (const { command, session } of questions) {
    t.equal(contract.checkCommand(command), null)
    t.equal(contract.checkContext(session.context), null)
  }
  t.ok(new Set(questions.map(({ command }) => JSON.stringify(command))).size > 150)
})

t.test('a schema with a keyword that is not understood is refused rather than half obeyed', async (t) => {
  for (const schema of [
    { pattern: 'x' },
    { type: 'object', properties: { a: { minimum: 1 } } },
    { type: 'float' },
    { enum: [{}] },
    1,
    { not: {} },
  ]) {
    t.throws(() => compileSchema(schema), TypeError)
  }
})

t.test('any JSON value is judged without an error, and a value without constraints passes', async (t) => {
  const open = compileSchema({})
  const closed = compileSchema({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'integer' } }] })
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const fits =
        typeof value === 'string' || (Array.isArray(value) && value.every((item) => Number.isSafeInteger(item)))
      return open(value, 0) === null && (closed(value, 0) === null) === fits
    }),
  )
  t.pass('no counterexample')
})
