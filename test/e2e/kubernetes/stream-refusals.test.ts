/** What kubectl shows when a stream is refused, held, taken back or at its limit. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Decision, NO_LIMITS } from '../../../src/gate/decision.ts'
import type { Question } from '../../../src/gate/ports.ts'
import { refusal } from '../../../src/gate/refusal.ts'
import { ALLOW, approve, deny, FakeApproval } from '../../support/fakes.ts'
import type { Program } from '../../support/process.ts'
import { POD, setStage } from './stream-stage.ts'

const approval = new FakeApproval()
const stage = await setStage()
const gated = await stage.target({ approval })
t.teardown(() => stage.stop())
t.beforeEach(() => {
  gated.policy.change(() => ALLOW)
  gated.record.failure = null
  gated.record.records.length = 0
  approval.holds.length = 0
})

const { kubectl, start } = gated.way

const OLD = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }

/** Says one thing of streams, and allows the rest. */
function streams(decide: (question: Question) => Decision): (question: Question) => Decision {
  return (question) => (question.command.shape.action === 'connect' ? decide(question) : ALLOW)
}

function streamDecisions() {
  return gated.record.decisions.filter(({ command }) => command.shape.action === 'connect')
}

async function until(what: string, met: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_500; tries++) {
    if (met()) return
    await sleep(10)
  }
  throw new Error(`it did not come to pass that ${what}`)
}

async function settled(t: Test, expected: object): Promise<void> {
  const of = streamDecisions().at(-1)
  const found = () =>
    gated.record.outcomes.find(({ session, sequence }) => session === of?.session && sequence === of.sequence)
  await until('the stream is settled', () => found() !== undefined)
  t.match(found()?.outcome, expected)
}

/** A program that says that it runs, and goes on. */
async function running(args: readonly string[] = []): Promise<Program> {
  const program = await start(['exec', ...args, POD, '--', 'sh', '-c', 'echo begun; sleep 20'])
  await program.output(/begun/)
  return program
}

t.test('a refused exec says so once, exits with 126, and is not tried again', async (t) => {
  gated.policy.change(streams(() => deny('test.denied')))
  const { code, stdout, stderr } = await kubectl(['exec', POD, '--', 'true'])
  t.equal(code, 126)
  t.equal(stdout, '')
  t.equal(
    stderr,
    'Error from server (Forbidden): pods "web" is forbidden: [test.denied] refused by test.denied; do otherwise\n' +
      'command terminated with exit code 126\n',
  )
  t.equal(streamDecisions().length, 1)
})

t.test('a refused attach says so once', async (t) => {
  gated.policy.change(streams(() => deny('test.denied')))
  const { code, stderr } = await kubectl(['attach', POD])
  t.not(code, 0)
  t.equal(stderr.split('[test.denied]').length, 2)
  t.equal(streamDecisions().length, 1)
})

t.test('a refused port-forward says why, and that SPDY is no way around it', async (t) => {
  gated.policy.change(streams(() => deny('test.denied')))
  const { code, stderr } = await kubectl(['port-forward', `pod/${POD}`, ':80'])
  t.not(code, 0)
  t.match(stderr, /\[test\.denied\] refused by test\.denied; do otherwise; SPDY cannot be inspected/)
  t.strictSame(
    streamDecisions().map(({ command }) => command.shape.detail['upgrade']),
    ['websocket', 'spdy'],
  )
})

t.test('SPDY is refused where policy permits only what can be inspected', async (t) => {
  gated.policy.change(
    streams(({ command }) => (command.shape.detail['upgrade'] === 'spdy' ? deny('policy.no-match') : ALLOW)),
  )
  const refused = await kubectl(['exec', POD, '--', 'true'], { env: OLD })
  t.not(refused.code, 0)
  t.match(refused.stderr, /\[policy\.no-match\].*SPDY cannot be inspected: use a client that speaks WebSocket/)
  t.equal((await kubectl(['exec', POD, '--', 'true'])).code, 0)
})

t.test('SPDY passes where policy permits it, and the record says that nobody saw it', async (t) => {
  const { code, stdout, stderr } = await kubectl(['exec', '-i', POD, '--', 'sh', '-c', 'cat; exit 5'], {
    env: OLD,
    input: 'unseen',
  })
  t.equal(stdout, 'unseen')
  t.equal(stderr, 'command terminated with exit code 5\n')
  t.equal(code, 5)
  await settled(t, { status: 'completed' })
  t.match(
    gated.record.frames.map(({ kind, data }) => `${kind} ${data.toString()}`),
    ['marker opaque: SPDY/3.1', /^marker \d+ bytes from the agent, \d+ bytes to it$/],
  )
})

t.test('an exec that waits for people says so, keeps its input, and runs when they agree', async (t) => {
  gated.policy.change(streams(({ grant }) => (grant === null ? approve('test.people') : ALLOW)))
  const program = await start(['exec', '-i', POD, '--', 'cat'], { stdio: ['pipe', 'pipe', 'pipe'] })
  program.child.stdin?.end('kept')
  await program.output(/waiting for an approval \(test\.people\)/)
  t.equal(program.stdout(), '')
  await until('people are asked', () => approval.holds.length === 1)
  approval.holds[0]?.settle({ grant: { by: ['somebody'], at: new Date().toISOString(), codes: ['test.people'] } })
  t.strictSame(await program.exited, { code: 0, signal: null })
  t.equal(program.stdout(), 'kept')
})

t.test('an exec that people refuse ends with 126, and they are asked once', async (t) => {
  gated.policy.change(streams(({ grant }) => (grant === null ? approve('test.people') : ALLOW)))
  const program = await start(['exec', POD, '--', 'true'])
  await until('people are asked', () => approval.holds.length === 1)
  approval.holds[0]?.settle({ refusal: refusal('approval.denied') })
  t.equal((await program.exited).code, 126)
  t.match(program.stderr(), /\[approval\.denied\]/)
  t.equal(approval.holds.length, 1)
})

t.test('a port-forward that people refuse is not asked for again over SPDY', async (t) => {
  gated.policy.change(streams(({ grant }) => (grant === null ? approve('test.people') : ALLOW)))
  const program = await start(['port-forward', `pod/${POD}`, ':80'])
  await until('people are asked', () => approval.holds.length === 1)
  approval.holds[0]?.settle({ refusal: refusal('approval.denied') })
  t.not((await program.exited).code, 0)
  t.match(program.stderr(), /\[approval\.denied\]/)
  t.equal(approval.holds.length, 1)
  t.strictSame(
    streamDecisions().map((decision) => decision.refusal?.code),
    ['approval.denied', 'approval.denied'],
  )
})

t.test('an agent that leaves while people are asked withdraws the question', async (t) => {
  t.plan(2)
  gated.policy.change(streams(() => approve('test.people')))
  for (const args of [
    ['exec', POD, '--', 'true'],
    ['port-forward', `pod/${POD}`, ':80'],
  ]) {
    approval.holds.length = 0
    const program = await start(args)
    await until('people are asked', () => approval.holds.length === 1)
    await program.stop('SIGKILL')
    await until('the question is withdrawn', () => approval.holds[0]?.signal.aborted === true)
    t.ok(approval.holds[0]?.signal.aborted)
    approval.holds[0]?.settle({ refusal: refusal('approval.withdrawn') })
  }
})

t.test('an exec ends when policy takes it back, and says so', async (t) => {
  const program = await running()
  gated.policy.change(streams(() => deny('test.denied')))
  t.equal((await program.exited).code, 126)
  t.match(program.stderr(), /\[policy\.revoked\] the policy changed, and no longer permits this/)
  await settled(t, { status: 'refused', code: 'policy.revoked' })
})

t.test('a port-forward ends when policy takes it back', async (t) => {
  const program = await start(['port-forward', `pod/${POD}`, ':80'])
  await program.output(/Forwarding from/)
  gated.policy.change(streams(() => deny('test.denied')))
  await program.exited
  await settled(t, { status: 'refused', code: 'policy.revoked' })
})

t.test('a followed log ends when policy takes it back', async (t) => {
  const program = await start(['logs', '-f', POD])
  await until('it is followed', () =>
    gated.record.decisions.some(({ command }) => /pods\/log/.test(command.shape.text)),
  )
  await sleep(200)
  gated.policy.change(() => deny('test.denied'))
  await program.exited
  t.pass('it ended')
})

t.test('an exec ends when an operator ends its session', async (t) => {
  const program = await running()
  for (const { id } of gated.gate.sessions) gated.gate.end(id, 'enough')
  t.equal((await program.exited).code, 126)
  t.match(program.stderr(), /\[session\.ended\] an operator ended the session/)
  t.notMatch(program.stderr(), /enough/)
})

t.test('an exec ends when its time is over', async (t) => {
  gated.policy.change(streams(() => ({ ...ALLOW, limits: { ...NO_LIMITS, seconds: 1 } })))
  const { code, stderr } = await kubectl(['exec', POD, '--', 'sleep', '20'])
  t.equal(code, 126)
  t.match(stderr, /\[obligation\.limit\] it may run for 1 seconds only/)
  await settled(t, { status: 'refused', code: 'obligation.limit' })
})

t.test('an exec ends when its bytes are used up, and gives exactly those', async (t) => {
  gated.policy.change(streams(() => ({ ...ALLOW, limits: { ...NO_LIMITS, bytes: 1_000 } })))
  const { code, stdout, stderr } = await kubectl(['exec', POD, '--', 'head', '-c', '5000', '/dev/zero'])
  t.equal(code, 126)
  t.equal(stdout.length, 1_000)
  t.match(stderr, /\[obligation\.limit\] only 1000 bytes may pass/)
  await settled(t, { status: 'refused', bytes: 1_000 })
})

t.test('a stream with masks or rows to be limited is refused', async (t) => {
  const mask = { column: null, detector: 'email', path: null, with: 'redact', policy: 'policy.test' } as const
  for (const decision of [
    { ...ALLOW, masks: [mask] },
    { ...ALLOW, limits: { ...NO_LIMITS, rows: 1 } },
  ]) {
    gated.policy.change(streams(() => decision))
    const { code, stderr } = await kubectl(['exec', POD, '--', 'true'])
    t.equal(code, 126)
    t.match(stderr, /\[obligation\.unsupported\]/)
  }
})

t.test('an exec whose output cannot be recorded ends', async (t) => {
  const program = await start(['exec', POD, '--', 'sh', '-c', 'echo begun; while sleep 0.1; do echo more; done'])
  await program.output(/begun/)
  gated.record.fail('record.unavailable')
  t.equal((await program.exited).code, 126)
  t.match(program.stderr(), /\[record\.unavailable\]/)
})

t.test('an exec that cannot be recorded at all does not run', async (t) => {
  gated.policy.change(
    streams(() => {
      gated.record.fail('record.spool-full')
      return ALLOW
    }),
  )
  const { code, stderr } = await kubectl(['exec', POD, '--', 'echo', 'ran'])
  t.equal(code, 126)
  t.match(stderr, /\[record\.spool-full\]/)
})
