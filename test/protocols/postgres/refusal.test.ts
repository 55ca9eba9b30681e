import t from 'tap'
import { REFUSALS, refusal, type RefusalCode } from '../../../src/gate/refusal.ts'
import { decodeErrorResponse } from '../../../src/protocols/postgres/messages.ts'
import { farewell, refusalResponse, sqlstateOf } from '../../../src/protocols/postgres/refusal.ts'

const fields = (bytes: Buffer) => Object.fromEntries(decodeErrorResponse(bytes, 0, bytes.length))

t.test('every refusal has a SQLSTATE, and a policy’s own is insufficient_privilege', async (t) => {
  for (const code of Object.keys(REFUSALS) as RefusalCode[]) t.match(sqlstateOf(refusal(code)), /^[0-9A-Z]{5}$/, code)
  t.equal(sqlstateOf({ code: 'sql.unbounded-write', message: '', remedy: '', policy: 'policy.p' }), '42501')
})

t.test('a refusal is an ERROR with its code in DETAIL, and a farewell is FATAL', async (t) => {
  const because = refusal('obligation.limit', 'too many rows', 'ask for less')
  const expected = { S: 'ERROR', V: 'ERROR', C: '54000', M: 'too many rows', D: 'obligation.limit', H: 'ask for less' }
  t.same(fields(refusalResponse(because)), expected)
  t.same(fields(farewell(because, '57P01')), { ...expected, S: 'FATAL', V: 'FATAL', C: '57P01' })
})

t.test('a refusal without words is told by its code, and no field is empty', async (t) => {
  const told = fields(refusalResponse({ code: 'p.rule', message: '', remedy: '', policy: 'policy.p' }))
  t.same(told, { S: 'ERROR', V: 'ERROR', C: '42501', M: 'p.rule', D: 'p.rule' })
})

t.test('a NUL in the words of a policy does not end the field', async (t) => {
  const told = fields(refusalResponse({ code: 'p', message: 'a\0Mforged', remedy: '', policy: '' }))
  t.equal(told['M'], 'aMforged')
})
