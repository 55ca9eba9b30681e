import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { RECORD_MAX } from '../../src/record/encoding.ts'
import { ParameterHash } from '../../src/record/parameters.ts'
import { bounded } from '../../src/record/template.ts'
import { ALLOW } from '../support/fakes.ts'

const slab = Buffer.alloc(RECORD_MAX)
const MASK = { column: 'a.b.c', detector: null, path: null, with: 'redact', policy: '' } as const
const DECISIONS = [ALLOW, { ...ALLOW, record: 'full' }, { ...ALLOW, record: 'full', masks: [MASK] }] as const

const text = fc.oneof(fc.constantFrom('int4', 'text', ''), fc.string({ unit: 'binary', maxLength: 100 }))
const usual = fc.record({ type: text, value: text, known: fc.constant(true) })
const odd = fc.oneof(
  fc.record({ type: fc.oneof(text, fc.constant(null)), value: fc.oneof(text, fc.integer(), fc.constant(null)) }),
  fc.record({ other: text }),
  fc.constant(null),
  text,
  fc.integer(),
)
const list = fc.oneof(
  fc.array(usual, { maxLength: 100, size: 'max' }),
  fc.array(fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: odd, weight: 1 })),
)

t.test('parameters are written as they are put together as a string', (t) => {
  const hash = new ParameterHash()
  fc.assert(
    fc.property(fc.oneof(list, odd), fc.constantFrom(...DECISIONS), fc.nat(50), (parameters, decision, offset) => {
      const end = hash.write(slab, offset, parameters, decision)
      assert.equal(slab.toString('utf8', offset, end), bounded(hash.json(parameters, decision)))
    }),
    { numRuns: 500 },
  )
  t.pass()
  t.end()
})

t.test('what an agent calls types fills no memory, and too many parameters are told by their size alone', (t) => {
  const hash = new ParameterHash()
  const one = (type: string): string => {
    const end = hash.write(slab, 0, [{ type, value: '1' }], ALLOW)
    return slab.toString('latin1', 0, end)
  }
  const before = one('int4')
  for (let index = 0; index < 5_000; index++) assert.match(one(`type ${index}`), new RegExp(`"type ${index}"`))
  t.equal(one('int4'), before)
  const many = Array.from({ length: 65_535 }, () => ({ type: 'int4', value: '1' }))
  const end = hash.write(slab, 0, many, ALLOW)
  t.match(JSON.parse(slab.toString('latin1', 0, end)), { truncated: { sha256: /^[0-9a-f]{64}$/ } })
  t.end()
})
