import t from 'tap'
import type { Command } from '../../src/gate/command.ts'
import { Gate } from '../../src/gate/gate.ts'
import { refusal } from '../../src/gate/refusal.ts'
import { context } from '../../src/gate/session.ts'
import { ALLOW, approve, deny, FakePolicy, FakeRecord } from '../support/fakes.ts'

const WHO = context(
  { subject: 'a', issuer: 'i', groups: [], claims: {}, chain: [] },
  { namespace: '', pod: '', serviceAccount: '', labels: {} },
  { name: 'x', protocol: 'p', host: 'h', port: 1, labels: {} },
)
const COMMAND: Command = { shape: { protocol: 'p', action: 'get', text: 'get a', detail: {} }, varying: {} }

t.test('What a part of a command would be judged as is told without a record and without a permit', async (t) => {
  const policy = new FakePolicy()
  const record = new FakeRecord()
  const gate = new Gate(policy, record)
  const session = gate.open(WHO)
  const before = record.records.length
  t.equal(gate.permits(session, COMMAND), ALLOW)
  policy.rule = () => deny('test.no')
  t.equal(gate.permits(session, COMMAND), null)
  policy.rule = () => approve('test.ask')
  t.equal(gate.permits(session, COMMAND), null, 'what people would have to be asked for is not shown')
  t.equal(record.records.length, before)
  t.equal(session.usage.commands, 0)
})

t.test('Observed denials hide nothing, failures do', async (t) => {
  const policy = new FakePolicy(() => deny('test.no'))
  policy.mode = 'observe'
  const gate = new Gate(policy, new FakeRecord())
  const session = gate.open(WHO)
  t.not(gate.permits(session, COMMAND), null)
  policy.failed = true
  t.equal(gate.permits(session, COMMAND), null)
})

t.test('An ended session, and a proof that forbids it, permit no part of anything', async (t) => {
  const gate = new Gate(new FakePolicy(), new FakeRecord())
  const session = gate.open(WHO)
  session.forbids = () => refusal('identity.restricted')
  t.equal(gate.permits(session, COMMAND), null)
  session.forbids = null
  gate.end(session.id, 'enough')
  t.equal(gate.permits(session, COMMAND), null)
})
