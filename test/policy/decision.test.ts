import fc from 'fast-check'
import t from 'tap'
import { decisionOf } from '../../src/policy/decision.ts'

const allow = {
  effect: 'allow',
  reasons: [{ code: 'a', message: 'm', remedy: '', policy: 'policy.x' }],
  masks: [{ column: 'public.a.b', detector: null, path: null, with: 'redact', policy: 'policy.x' }],
  limits: { rows: 1, bytes: null, seconds: 0 },
  approvals: [],
  record: 'standard',
}
const demand = { code: 'c', groups: ['dba'], count: 1, wait: 60, validFor: 600, policy: 'policy.x' }
const results = (result: unknown) => JSON.stringify([{ result }])

t.test('a decision of the contract is taken as it is, and nobody can change it afterwards', async (t) => {
  for (const decision of [
    allow,
    { ...allow, effect: 'deny' },
    { ...allow, effect: 'approve', approvals: [demand] },
    { ...allow, effect: 'deny', approvals: [demand] },
  ]) {
    const taken = decisionOf(results(decision))
    t.strictSame(taken, decision)
    t.ok(
      Object.isFrozen(taken) &&
        Object.isFrozen(taken?.masks) &&
        Object.isFrozen(taken?.masks[0]) &&
        Object.isFrozen(taken?.limits),
    )
  }
})

t.test('anything that is not exactly one decision is none', async (t) => {
  const wrong: [string, unknown][] = [
    ['undefined', []],
    ['two results', [{ result: allow }, { result: allow }]],
    ['a key beside the result', [{ result: allow, more: 1 }]],
    ['true', [{ result: true }]],
    ['a bare allow', [{ result: { allow: true } }]],
    ['null', null],
    ['an object', { result: allow }],
  ]
  for (const [name, value] of wrong) t.equal(decisionOf(JSON.stringify(value)), null, name)
  for (const text of ['', '[', 'undefined', '[{"result":']) t.equal(decisionOf(text), null, text)
})

t.test('no key may be missing, added or of another type', async (t) => {
  for (const key of Object.keys(allow)) {
    const { [key as keyof typeof allow]: _, ...rest } = allow
    t.equal(decisionOf(results(rest)), null, `without ${key}`)
    for (const value of [null, 1, 'x', {}, true, [1], [null]]) {
      t.equal(decisionOf(results({ ...allow, [key]: value })), null, `${key}: ${JSON.stringify(value)}`)
    }
  }
  const [mask] = allow.masks
  const wrong: object[] = [
    { extra: 1 },
    { effect: 'Allow' },
    { masks: [{ ...mask, with: 'nothing' }] },
    { masks: [{ ...mask, detector: 'email' }] },
    { masks: [{ ...mask, column: null }] },
    { masks: [{ ...mask, column: '' }] },
    { limits: { ...allow.limits, rows: -1 } },
    { limits: { ...allow.limits, rows: 1.5 } },
    { limits: { ...allow.limits, rows: 1e300 } },
    { limits: { ...allow.limits, more: 1 } },
    { approvals: [demand] },
    { effect: 'deny', reasons: [] },
    { effect: 'approve' },
    { effect: 'approve', approvals: [{ ...demand, count: 0 }] },
    { effect: 'approve', approvals: [{ ...demand, wait: -1 }] },
    { effect: 'approve', approvals: [{ ...demand, groups: 'dba' }] },
    { record: 'none' },
    { reasons: [{ ...allow.reasons[0], code: '' }] },
    { reasons: [{ code: 'a', message: 'm', remedy: '' }] },
  ]
  for (const change of wrong) t.equal(decisionOf(results({ ...allow, ...change })), null, JSON.stringify(change))
})

t.test('whatever else the module gives, it never becomes permission', async (t) => {
  fc.assert(fc.property(fc.json(), (text) => decisionOf(text) === null))
  fc.assert(fc.property(fc.string(), (text) => decisionOf(text) === null))
  t.pass('no counterexample')
})
