import t from 'tap'
import { refusal } from '../../../../src/gate/refusal.ts'
import { context, Session } from '../../../../src/gate/session.ts'
import type { Request } from '../../../../src/protocols/kubernetes/request/facts.ts'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'
import { Verdicts } from '../../../../src/protocols/kubernetes/streams/verdicts.ts'
import { CONTEXT } from '../../../support/fakes.ts'

function requested(method: string, command: string): Request {
  const parsed = parseRequest(method, `/api/v1/namespaces/shop/pods/web/exec?command=${command}&stdout=true`)
  if (parsed.kind === 'refused') throw new Error(parsed.refusal.message)
  return parsed.request
}

const session = () => new Session(CONTEXT, {})
const DENIED = refusal('approval.denied')

t.test(
  'what people would not grant holds for the same agent and request, whatever its method, for a minute',
  async (t) => {
    const verdicts = new Verdicts()
    verdicts.remember(session(), requested('GET', 'ls'), DENIED, 1_000)
    t.equal(verdicts.recall(session(), requested('POST', 'ls'), 60_999), DENIED)
    t.equal(verdicts.recall(session(), requested('POST', 'ls'), 61_000), null)
  },
)

t.test('it holds for no other command, and for nobody else', async (t) => {
  const verdicts = new Verdicts()
  verdicts.remember(session(), requested('GET', 'ls'), DENIED, 1_000)
  t.equal(verdicts.recall(session(), requested('POST', 'cat'), 1_001), null)
  const somebody = context({ ...CONTEXT.principal, subject: 'somebody' }, CONTEXT.workload, CONTEXT.target)
  t.equal(verdicts.recall(new Session(somebody, {}), requested('POST', 'ls'), 1_001), null)
})

t.test('what policy said is not remembered, since it may say otherwise by now', async (t) => {
  const verdicts = new Verdicts()
  verdicts.remember(session(), requested('GET', 'ls'), refusal('policy.no-match'), 1_000)
  t.equal(verdicts.recall(session(), requested('POST', 'ls'), 1_001), null)
})

t.test('the oldest are forgotten where there are too many', async (t) => {
  const verdicts = new Verdicts()
  for (let at = 0; at <= 1_024; at++) verdicts.remember(session(), requested('GET', `c${at}`), DENIED, 1_000)
  t.equal(verdicts.recall(session(), requested('POST', 'c0'), 1_001), null)
  t.equal(verdicts.recall(session(), requested('POST', 'c1'), 1_001), DENIED)
})
