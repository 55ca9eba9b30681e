import t from 'tap'
import { Gate, type Request, type Verdict } from '../../src/gate/gate.ts'
import { type Refusal, refusal } from '../../src/gate/refusal.ts'
import { ALLOW, approve, command, CONTEXT, deny, FakeApproval, FakePolicy, FakeRecord } from '../support/fakes.ts'

const MISUSED = { code: 'permit.misused' }
const BYTES = Buffer.from('do it')

function request(over: Partial<Request> = {}): Request {
  return { commands: [command('do it')], bytes: BYTES, honour: () => null, ...over }
}

function setUp(policy = new FakePolicy(), approval: FakeApproval | null = null) {
  const record = new FakeRecord()
  const gate = new Gate(policy, record, approval)
  return { policy, record, gate, session: gate.open(CONTEXT) }
}

const recorded = (gate: Gate) => new Promise<Error | null>((resolve) => gate.whenRecorded(resolve))

const endsOf = ({ records }: FakeRecord) => records.filter(({ type }) => type === 'session-end')

function permitOf(verdict: Verdict | Promise<Verdict>) {
  if (verdict instanceof Promise || verdict.kind !== 'permitted') throw new Error('not permitted at once')
  return verdict.permit
}
function refusalOf(verdict: Verdict | Promise<Verdict>) {
  if (verdict instanceof Promise || verdict.kind !== 'refused') throw new Error('not refused at once')
  return verdict.refusal
}

t.test('an allowed command is recorded before its bytes can be taken, and they can be taken once', async (t) => {
  const { gate, record, session } = setUp()
  record.automatic = false
  const permit = permitOf(gate.rule(session, request()))
  t.equal(record.decisions.length, 1)
  t.throws(() => permit.take(), { code: 'permit.misused' }, 'the record is not durable yet')
  const waiting = recorded(gate)
  record.flush()
  t.equal(await waiting, null)
  t.equal(permit.take(), BYTES)
  t.throws(() => permit.take(), MISUSED, 'a second time')
})

t.test('a denied command yields no permit, and its denial is on record', async (t) => {
  const { gate, record, session } = setUp(new FakePolicy(() => deny('sql.no')))
  t.match(refusalOf(gate.rule(session, request())), { code: 'sql.no', remedy: 'do otherwise' })
  t.equal(record.decisions[0]?.refusal?.code, 'sql.no')
  t.equal(session.usage.denied, 1)
})

t.test('one refused command refuses the whole message, and every decision is on record', async (t) => {
  const { gate, record, session } = setUp(
    new FakePolicy(({ command }) => (command.shape.text === 'bad' ? deny('sql.no') : ALLOW)),
  )
  const commands = [command('good'), command('bad'), command('good')]
  t.equal(refusalOf(gate.rule(session, request({ commands }))).code, 'sql.no')
  t.same(
    record.decisions.map((event) => [event.sequence, event.refusal?.code]),
    [
      [1, 'sql.no'],
      [2, 'sql.no'],
      [3, 'sql.no'],
    ],
  )
  t.same(
    record.decisions.map((event) => event.answer.decision.effect),
    ['allow', 'deny', 'allow'],
  )
})

t.test('what cannot be recorded is refused', async (t) => {
  for (const code of ['record.unavailable', 'record.spool-full'] as const) {
    const { gate, record, session } = setUp()
    record.fail(code)
    t.equal(refusalOf(gate.rule(session, request())).code, code)
  }
})

t.test('a record that fails on its way to the disk leaves the permit unusable', async (t) => {
  const { gate, record, session } = setUp()
  record.automatic = false
  const permit = permitOf(gate.rule(session, request()))
  record.fail('record.unavailable')
  const waiting = recorded(gate)
  record.flush()
  t.match(await waiting, { code: 'record.unavailable' })
  t.throws(() => permit.take(), MISUSED)
})

t.test('an obligation that cannot be kept refuses an allowed command, also in observe mode', async (t) => {
  for (const mode of ['enforce', 'observe'] as const) {
    const { gate, policy, session } = setUp()
    policy.mode = mode
    const honour = () => refusal('obligation.unsupported')
    t.equal(refusalOf(gate.rule(session, request({ honour }))).code, 'obligation.unsupported')
  }
})

t.test(
  'observe mode lets through what policy denies or would hold, and the record keeps what policy said',
  async (t) => {
    for (const decision of [deny('sql.no'), approve('schema.change')]) {
      const { gate, policy, record, session } = setUp(new FakePolicy(() => decision))
      policy.mode = 'observe'
      permitOf(gate.rule(session, request()))
      t.equal(record.decisions[0]?.answer.decision.effect, decision.effect)
      t.equal(record.decisions[0]?.refusal, null)
    }
  },
)

t.test('observe mode does not let through what failed', async (t) => {
  const { gate, policy, session } = setUp(new FakePolicy(() => deny('policy.error', '')))
  policy.mode = 'observe'
  policy.failed = true
  t.equal(refusalOf(gate.rule(session, request())).code, 'policy.error')
})

t.test('a demand for approval is refused while nobody can be asked', async (t) => {
  const { gate, session, record } = setUp(new FakePolicy(() => approve('schema.change')))
  const verdict = await gate.rule(session, request())
  t.match(verdict, { kind: 'refused', refusal: { code: 'approval.unavailable' } })
  t.equal(record.decisions[0]?.refusal?.code, 'approval.unavailable')
})

t.test('a demand for approval without a demand is no decision', async (t) => {
  const { gate, session } = setUp(new FakePolicy(() => approve()), new FakeApproval())
  t.equal(refusalOf(gate.rule(session, request())).code, 'policy.invalid-decision')
})

t.test('a granted command is judged again with its grant before it is permitted', async (t) => {
  const approval = new FakeApproval()
  const { gate, policy, session } = setUp(new FakePolicy(() => approve('schema.change')), approval)
  const verdict = gate.rule(session, request())
  approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] } })
  t.match(await verdict, { kind: 'permitted' })
  t.same(
    policy.questions.map((question) => question.grant?.by ?? null),
    [null, ['kim']],
  )
})

t.test('a policy that changes its mind while people think wins over their grant', async (t) => {
  const approval = new FakeApproval()
  const { gate, policy, session } = setUp(new FakePolicy(() => approve('schema.change')), approval)
  const verdict = gate.rule(session, request())
  policy.change(() => deny('freeze'))
  approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] } })
  t.match(await verdict, { kind: 'refused', refusal: { code: 'freeze' } })
})

t.test(
  'what waits for people is withdrawn when its session closes, and decided before the end is on record',
  async (t) => {
    const approval = new FakeApproval()
    const { gate, record, session } = setUp(new FakePolicy(() => approve('schema.change')), approval)
    const verdicts = [gate.rule(session, request()), gate.rule(session, request())]
    gate.close(session, 'agent left')
    t.ok(approval.holds.every(({ signal }) => signal.aborted))
    t.equal(endsOf(record).length, 0, 'the end waits for what was held')
    approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] } })
    for (const verdict of verdicts) {
      t.match(
        await verdict,
        { kind: 'refused', refusal: { code: 'approval.withdrawn' } },
        'a late grant permits nothing',
      )
    }
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(record.decisions.length, 2)
    t.match(endsOf(record), [{ reason: 'agent left' }])
  },
)

t.test('who asked and left is not waited for, whether or not people answer', async (t) => {
  const approval = new FakeApproval()
  const { gate, session } = setUp(new FakePolicy(() => approve('schema.change')), approval)
  const leaving = new AbortController()
  const verdict = gate.rule(session, request({ signal: leaving.signal }))
  leaving.abort()
  t.match(await verdict, { kind: 'refused', refusal: { code: 'approval.withdrawn' } })
  t.ok(approval.holds[0]?.signal.aborted)
  t.match(await gate.rule(session, request({ signal: leaving.signal })), { refusal: { code: 'approval.withdrawn' } })
  t.equal(approval.holds.length, 1, 'nobody is asked for whoever has left')
})

t.test('a closed session permits and records nothing', async (t) => {
  const { gate, record, session } = setUp()
  gate.close(session, 'agent left')
  gate.close(session, 'again')
  t.equal(refusalOf(gate.rule(session, request())).code, 'session.ended')
  t.equal(gate.refuse(session, command('late'), refusal('command.unparsable')).code, 'command.unparsable')
  t.equal(record.decisions.length, 0)
  t.match(endsOf(record), [{ reason: 'agent left' }])
})

t.test('a grant for one demand does not cover another', async (t) => {
  const approval = new FakeApproval()
  const { gate, session } = setUp(new FakePolicy(() => approve('schema.change', 'off-hours')), approval)
  const verdict = gate.rule(session, request())
  approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] } })
  t.match(await verdict, { kind: 'refused', refusal: { code: 'approval.denied' } })
})

t.test('a refusal beside a demand for approval refuses at once, with its own code', async (t) => {
  const decide = new FakePolicy(({ command }) =>
    command.shape.text === 'bad' ? deny('sql.no') : approve('schema.change'),
  )
  const { gate, session } = setUp(decide, new FakeApproval())
  const commands = [command('held'), command('bad')]
  t.equal(refusalOf(gate.rule(session, request({ commands }))).code, 'sql.no')
})

t.test('a demand that a new policy makes of another command while people think is not granted', async (t) => {
  const approval = new FakeApproval()
  const decide = new FakePolicy(({ command }) => (command.shape.text === 'held' ? approve('schema.change') : ALLOW))
  const { gate, policy, session } = setUp(decide, approval)
  const verdict = gate.rule(session, request({ commands: [command('held'), command('free')] }))
  policy.change(() => approve('schema.change'))
  approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['schema.change'] } })
  t.match(await verdict, { kind: 'refused', refusal: { code: 'approval.unavailable' } })
})

t.test('an approver store that fails refuses', async (t) => {
  const approval = new FakeApproval()
  approval.ask = () => Promise.reject(new Error('gone'))
  const { gate, session } = setUp(new FakePolicy(() => approve('schema.change')), approval)
  t.match(await gate.rule(session, request()), { kind: 'refused', refusal: { code: 'approval.unavailable' } })
})

t.test('a stream goes on under its permit until it is settled', async (t) => {
  const { gate, session } = setUp()
  const permit = permitOf(gate.rule(session, request({ revoked: () => t.fail('nothing was revoked') })))
  t.throws(() => permit.pass(BYTES), MISUSED, 'not before the command itself was sent')
  await recorded(gate)
  permit.take()
  t.equal(permit.pass(BYTES), BYTES)
  gate.settle(permit, 0, { status: 'completed', code: '', rows: 1, bytes: 2, masked: [] })
  t.throws(() => permit.pass(BYTES), MISUSED)
})

t.test('a command that is no stream cannot be followed by more bytes', async (t) => {
  const { gate, session } = setUp()
  const permit = permitOf(gate.rule(session, request()))
  await recorded(gate)
  permit.take()
  t.throws(() => permit.pass(BYTES), MISUSED)
})

t.test('a change of policy takes back the permit of a running stream that it no longer allows', async (t) => {
  const { gate, policy, session } = setUp()
  const revoked: string[] = []
  const permit = permitOf(gate.rule(session, request({ revoked: (because) => revoked.push(because.code) })))
  await recorded(gate)
  permit.take()
  policy.change(() => ALLOW)
  t.same(revoked, [], 'it still allows')
  policy.change(() => deny('freeze'))
  t.same(revoked, ['policy.revoked'])
  t.throws(() => permit.pass(BYTES), MISUSED)
})

t.test('a stream that people granted stays granted when the policy changes and still asks for the same', async (t) => {
  const approval = new FakeApproval()
  const { gate, policy, session } = setUp(new FakePolicy(() => approve('bulk-load')), approval)
  const revoked: string[] = []
  const verdict = gate.rule(session, request({ revoked: (because) => revoked.push(because.code) }))
  approval.holds[0]?.settle({ grant: { by: ['kim'], at: '2026-01-01T00:00:00Z', codes: ['bulk-load'] } })
  t.match(await verdict, { kind: 'permitted' })
  policy.change(() => approve('bulk-load'))
  t.same(revoked, [])
  policy.change(() => approve('bulk-load', 'off-hours'))
  t.same(revoked, ['policy.revoked'])
})

t.test('closing a session ends its streams and is on record', async (t) => {
  const { gate, record, session } = setUp()
  const permit = permitOf(gate.rule(session, request({ revoked: () => {} })))
  await recorded(gate)
  permit.take()
  gate.close(session, 'agent left')
  t.throws(() => permit.pass(BYTES), MISUSED)
  t.match(record.records.at(-1), { type: 'session-end', reason: 'agent left' })
})

t.test(
  'an operator ends a session: its protocol is told once, nothing more is permitted, the reason is on record',
  async (t) => {
    const { gate, record } = setUp()
    const told: Refusal[] = []
    const session = gate.open(CONTEXT, {}, (because) => told.push(because))
    t.ok(gate.sessions.includes(session))
    t.ok(gate.end(session.id, 'left a shell open'))
    t.ok(gate.end(session.id, 'again'), 'it is still open: its protocol is closing it')
    t.same(told, [{ code: 'session.ended', message: 'an operator ended the session', remedy: '', policy: '' }])
    t.equal(
      refusalOf(gate.rule(session, request({ commands: [command('one'), command('two')] }))).code,
      'session.ended',
    )
    t.same(
      record.decisions.map(({ sequence, refusal: because }) => [sequence, because?.code]),
      [
        [1, 'session.ended'],
        [2, 'session.ended'],
      ],
    )
    t.equal(session.usage.denied, 2)
    gate.close(session, 'the agent left')
    t.match(record.records.at(-1), { type: 'session-end', session, reason: 'session.ended: left a shell open' })
    t.notOk(gate.sessions.includes(session))
    t.notOk(gate.end(session.id, 'too late'))
  },
)

t.test('only sessions that are open can be ended', async (t) => {
  const { gate, record, session } = setUp()
  t.notOk(gate.end('nobody', 'no reason'))
  gate.close(session, 'the agent left')
  t.match(record.records.at(-1), { type: 'session-end', reason: 'the agent left' })
  t.same(gate.sessions, [])
  record.fail('record.unavailable')
  t.throws(() => gate.open(CONTEXT), { code: 'record.unavailable' })
  t.same(gate.sessions, [], 'what could not be recorded never began')
})

t.test('a command that people granted after its session was ended is refused', async (t) => {
  const approval = new FakeApproval()
  const { gate, record, session } = setUp(
    new FakePolicy(({ grant }) => (grant === null ? approve('change') : ALLOW)),
    approval,
  )
  const verdict = gate.rule(session, request())
  gate.end(session.id, 'no longer wanted')
  approval.holds[0]?.settle({ grant: { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['change'] } })
  t.equal(refusalOf(await verdict).code, 'session.ended')
  t.equal(record.decisions[0]?.refusal?.code, 'session.ended')
})

t.test('what the proof of the principal rules out is refused whatever policy says, and is on record', async (t) => {
  const { gate, record, session, policy } = setUp()
  const because = refusal('identity.restricted')
  session.forbids = ({ shape }) => (shape.text === 'out' ? because : null)
  permitOf(gate.rule(session, request()))
  const asked = policy.questions.length
  const commands = [command('in'), command('out')]
  t.equal(refusalOf(gate.rule(session, request({ commands }))).code, 'identity.restricted')
  t.equal(policy.questions.length, asked, 'policy was not asked')
  t.same(
    record.decisions.slice(1).map((event) => event.refusal?.code),
    ['identity.restricted', 'identity.restricted'],
  )
})

t.test('a request without a command yields no permit', (t) => {
  const { gate, session } = setUp()
  t.throws(() => gate.rule(session, request({ commands: [] })), MISUSED, 'there would be no record of it')
  t.end()
})

t.test('what was permitted and not yet sent when its session ended is never sent', async (t) => {
  for (const over of ['end', 'close'] as const) {
    const { gate, session } = setUp()
    const permit = permitOf(gate.rule(session, request()))
    await recorded(gate)
    if (over === 'end') gate.end(session.id, 'enough')
    else gate.close(session, 'the agent left')
    t.throws(() => permit.take(), MISUSED, over)
  }
})

t.test('a stream whose protocol goes on after an operator ended its session has no permit any more', async (t) => {
  const { gate, session } = setUp()
  const permit = permitOf(gate.rule(session, request({ revoked: () => {} })))
  await recorded(gate)
  permit.take()
  gate.end(session.id, 'enough')
  t.notOk(permit.streaming)
  t.throws(() => permit.pass(BYTES), MISUSED)
})

t.test('a stream that fails when its permit is taken back leaves no other one running', async (t) => {
  const { gate, policy, session } = setUp()
  const told: string[] = []
  const fails = () => {
    throw new Error('a defect')
  }
  const honour = () => (policy.questions.length > 3 ? fails() : null)
  const permits = [
    permitOf(gate.rule(session, request({ revoked: fails }))),
    permitOf(gate.rule(session, request({ revoked: () => told.push('cannot be weighed'), honour }))),
    permitOf(gate.rule(session, request({ revoked: () => told.push('denied') }))),
  ]
  await recorded(gate)
  for (const permit of permits) permit.take()
  policy.change(({ sequence }) => (sequence === 2 ? ALLOW : deny('freeze')))
  t.same(told, ['cannot be weighed', 'denied'])
  t.same(
    permits.map(({ streaming }) => streaming),
    [false, false, false],
  )
})

t.test('a policy that wants more recorded ends the streams that are recorded less', async (t) => {
  const { gate, policy, session } = setUp()
  const revoked: string[] = []
  permitOf(gate.rule(session, request({ revoked: (because) => revoked.push(because.code) })))
  policy.change(() => ({ ...ALLOW, record: 'full' }))
  t.same(revoked, ['policy.revoked'])
  permitOf(gate.rule(session, request({ revoked: (because) => revoked.push(because.code) })))
  policy.change(() => ALLOW)
  t.same(revoked, ['policy.revoked'], 'what is recorded in full goes on so')
})

t.test('a session that is closed twice while something is held ends once, and can no longer be ended', async (t) => {
  const { gate, record } = setUp(new FakePolicy(() => approve('schema.change')), new FakeApproval())
  const told: Refusal[] = []
  const session = gate.open(CONTEXT, {}, (because) => told.push(because))
  const verdict = gate.rule(session, request())
  gate.close(session, 'agent left')
  gate.close(session, 'again')
  gate.end(session.id, 'too late')
  await verdict
  await new Promise((resolve) => setImmediate(resolve))
  t.match(endsOf(record), [{ reason: 'agent left' }])
  t.same(told, [], 'its protocol is not told of what it has done itself')
})
