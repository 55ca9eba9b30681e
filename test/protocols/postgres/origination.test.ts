import t from 'tap'
import { decodeFrontend } from '../../../src/protocols/postgres/messages.ts'
import * as originations from '../../../src/protocols/postgres/origination.ts'

const decode = (bytes: Buffer) => decodeFrontend(bytes, 0, bytes.length)
const none = { parameterFormats: [], parameters: [], resultFormats: [] }

t.test('what Sidegate sends of its own is what its names say', async (t) => {
  for (const [bytes, message] of [
    [originations.SYNC, { name: 'Sync' }],
    [originations.FLUSH, { name: 'Flush' }],
    [originations.TERMINATE, { name: 'Terminate' }],
    [originations.EMPTY_QUERY, { name: 'Query', text: '' }],
    [originations.EMPTY_PARSE, { name: 'Parse', statement: '', text: '', parameterTypes: [] }],
    [originations.BIND_NOTHING, { name: 'Bind', portal: '', statement: '', ...none }],
    [originations.EXECUTE_NOTHING, { name: 'Execute', portal: '', maxRows: 0 }],
  ] as const) {
    t.same(decode(bytes), message)
  }
  t.same(decode(originations.describeStatement('näme')), { name: 'Describe', of: 'statement', target: 'näme' })
  t.same(decode(originations.describePortal('p')), { name: 'Describe', of: 'portal', target: 'p' })
  t.same(decode(originations.closeStatement('s')), { name: 'Close', of: 'statement', target: 's' })
  t.same(decode(originations.closePortal('p')), { name: 'Close', of: 'portal', target: 'p' })
})

t.test('a substitute carries nothing but a token that nobody can guess', async (t) => {
  const token = originations.newToken()
  t.match(token, /^sidegate_[0-9a-f]{20}$/)
  t.not(originations.newToken(), token)
  t.same(decode(originations.refusedQuery(token)), { name: 'Query', text: token })
  t.same(decode(originations.refusedParse(token, true)), {
    name: 'Parse',
    statement: '',
    text: token,
    parameterTypes: [],
  })
  t.same(decode(originations.refusedParse(token, false)), {
    name: 'Parse',
    statement: token,
    text: token,
    parameterTypes: [],
  })
  t.same(decode(originations.refusedBind(token)), { name: 'Bind', portal: '', statement: token, ...none })
  t.same(decode(originations.refusedCopy(token)), { name: 'CopyFail', reason: token })
})
