import t, { type Test } from 'tap'
import { NO_LIMITS } from '../../../../src/gate/decision.ts'
import { ALLOW, approve, deny, FakeApproval } from '../../../support/fakes.ts'
import { type RunningSshTarget, startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd, startSshd } from '../../../support/sshd.ts'
import { begun, connectAgent, eventually, exec } from '../client.ts'

t.setTimeout(120_000)
const server = await sharedSshd()
const GRANT = { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['prod.change'] }

/** Every command that was permitted has one outcome. */
function balanced({ record }: RunningSshTarget): boolean {
  const permitted = record.decisions.filter(({ refusal: because }) => because === null).length
  return record.outcomes.length === permitted
}

const types = ({ record }: RunningSshTarget) => record.records.map(({ type }) => type)

t.test('a refused command says why, ends with 126, and the connection lives on', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  target.policy.rule = ({ command }) => (command.shape.text === 'rm -rf /' ? deny('files.removal') : ALLOW)
  const client = await connectAgent(target)
  t.strictSame(await exec(client, 'rm -rf /'), {
    stdout: '',
    stderr: 'sidegate: refused by files.removal [files.removal]\nsidegate: do otherwise\n',
    code: 126,
    signal: undefined,
  })
  t.match(await exec(client, 'echo on'), { stdout: 'on\n', code: 0 })
  t.same(
    target.record.outcomes.map(({ outcome }) => [outcome.status, outcome.code, outcome.bytes]),
    [['completed', '0', 3]],
  )
  client.end()
})

t.test("what is judged is what runs: the line in Sidegate's own quoting", async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  t.match(await exec(client, String.raw`printf '%s\n' "a b" c\ d`), { stdout: 'a b\nc d\n', code: 0 })
  const [decision] = target.record.decisions
  t.match(decision?.command.shape, {
    protocol: 'ssh',
    action: 'exec',
    detail: { kind: 'exec', user: server.user, tty: false, literal: true, commands: [{ name: 'printf' }] },
  })
  client.end()
})

t.test('a line that is no text, or has a NUL, or is too long is refused and recorded', async (t) => {
  const target = await startSshTarget(server, { config: { limits: { command: '1KiB' } } })
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const nul = await exec(client, 'echo a\0b')
  t.match(nul, { code: 126, stdout: '' })
  t.match(nul.stderr, '[command.unparsable]')
  const bytes = await exec(client, Buffer.from([0x65, 0xff, 0xfe]) as unknown as string)
  t.match(bytes.stderr, '[command.unparsable]')
  const long = await exec(client, `echo ${'x'.repeat(2000)}`)
  t.match(long.stderr, '[command.too-large]')
  t.equal(target.record.decisions.length, 3)
  t.equal(target.policy.questions.length, 0, 'policy is not asked what cannot be judged')
  client.end()
})

t.test('a command whose decision cannot be recorded is refused', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  target.record.fail('record.spool-full')
  t.match(await exec(client, 'echo no'), { stdout: '', code: 126, stderr: /\[record\.spool-full\]/ })
  client.end()
})

/** A command that waits for people, and whoever asked for it. */
async function held(t: Test, line: string, input: string | null = null) {
  const approval = new FakeApproval()
  const target = await startSshTarget(server, { approval })
  t.teardown(() => target.close())
  target.policy.rule = () => approve('prod.change')
  const client = await connectAgent(target)
  const result = exec(client, line, input)
  // Some agents leave before it ends.
  result.catch(() => {})
  await eventually(() => approval.holds.length === 1)
  return { target, approval, client, result }
}

t.test('a held command says so, leaves its input unread, and runs when it is granted', async (t) => {
  const { approval, client, result } = await held(t, 'cat; exit 4', 'typed before')
  approval.holds[0]?.settle({ grant: GRANT })
  t.strictSame(await result, {
    stdout: 'typed before',
    stderr: 'sidegate: held for approval (prod.change by dba) [approval.pending]\n',
    code: 4,
    signal: undefined,
  })
  client.end()
})

t.test('an agent that leaves takes its held command back, and nothing runs', async (t) => {
  const { target, approval, client } = await held(t, 'touch /tmp/sidegate-never')
  client.end()
  await eventually(() => approval.holds[0]?.signal.aborted === true)
  await eventually(() => types(target).includes('session-end'))
  t.same(types(target), ['session-start', 'decision', 'session-end'])
  t.equal(target.record.decisions[0]?.refusal?.code, 'approval.withdrawn')
})

t.test('a grant that comes when the agent has left permits nothing', async (t) => {
  const { target, approval, client } = await held(t, 'touch /tmp/sidegate-never')
  client.end()
  await eventually(() => approval.holds[0]?.signal.aborted === true)
  approval.holds[0]?.settle({ grant: GRANT })
  await eventually(() => types(target).includes('session-end'))
  t.same(types(target), ['session-start', 'decision', 'session-end'])
  t.equal(target.record.decisions[0]?.refusal?.code, 'approval.withdrawn')
})

t.test('people who do not even answer a withdrawal do not keep a session open', async (t) => {
  const { target, client } = await held(t, 'touch /tmp/sidegate-never')
  client.end()
  await eventually(() => types(target).includes('session-end'))
  t.same(types(target), ['session-start', 'decision', 'session-end'])
})

t.test('limits of bytes and of seconds end a command, and say so', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  target.policy.rule = () => ({ ...ALLOW, limits: { ...NO_LIMITS, bytes: 1000 } })
  const many = await exec(client, 'yes')
  t.equal(many.stdout.length, 1000)
  t.match(many, { code: 126, stderr: /only 1000 bytes may pass \[obligation\.limit\]/ })
  target.policy.rule = () => ({ ...ALLOW, limits: { ...NO_LIMITS, seconds: 0.1 } })
  const long = await exec(client, 'echo begun; sleep 60')
  t.match(long, { stdout: 'begun\n', code: 126, stderr: /\[obligation\.limit\]/ })
  t.same(
    target.record.outcomes.map(({ outcome }) => [outcome.status, outcome.code]),
    [
      ['refused', 'obligation.limit'],
      ['refused', 'obligation.limit'],
    ],
  )
  client.end()
})

t.test('what cannot be kept is refused: masks, and rows', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const mask = { column: null, detector: 'email', path: null, with: 'redact', policy: 'policy.test' } as const
  target.policy.rule = () => ({ ...ALLOW, masks: [mask] })
  t.match(await exec(client, 'cat /etc/passwd'), { stdout: '', code: 126, stderr: /\[obligation\.unsupported\]/ })
  target.policy.rule = () => ({ ...ALLOW, limits: { ...NO_LIMITS, rows: 1 } })
  t.match(await exec(client, 'cat /etc/passwd'), { stdout: '', code: 126, stderr: /\[obligation\.unsupported\]/ })
  client.end()
})

t.test('a policy that changes its mind ends what runs', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const result = exec(client, 'echo begun; cat', null)
  await eventually(() => target.record.frames.length > 0)
  target.policy.change(() => deny('shift.over'))
  t.match(await result, { stdout: 'begun\n', code: 126, stderr: /\[policy\.revoked\]/ })
  await eventually(() => balanced(target))
  client.end()
})

t.test('an operator ends a session: each channel is told, and the connection closes', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const results = [exec(client, 'cat', null), exec(client, 'sleep 60')]
  await eventually(() => target.record.decisions.length === 2)
  const [session] = target.gate.sessions
  t.ok(target.gate.end(session?.id ?? '', 'test'))
  for (const result of await Promise.all(results)) t.match(result, { code: 126, stderr: /\[session\.ended\]/ })
  await closed
  await eventually(() => target.record.records.some(({ type }) => type === 'session-end'))
  t.ok(balanced(target))
})

t.test('a target that cannot be reached says so, and is tried again with the next command', async (t) => {
  const own = await startSshd()
  t.teardown(() => own.stop())
  const target = await startSshTarget(own, { upstreamPort: 1 })
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  t.match(await exec(client, 'echo no'), { stdout: '', code: 126, stderr: /\[upstream\.unavailable\]/ })
  t.match(await exec(client, 'echo no'), { stdout: '', code: 126, stderr: /\[upstream\.unavailable\]/ })
  t.same(
    target.record.outcomes.map(({ outcome }) => [outcome.status, outcome.code]),
    [
      ['skipped', 'upstream.unavailable'],
      ['skipped', 'upstream.unavailable'],
    ],
  )
  client.end()
})

t.test('a target that goes away in the middle is reported, and settled as lost', async (t) => {
  const own = await startSshd()
  t.teardown(() => own.stop())
  const target = await startSshTarget(own)
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const result = exec(client, 'echo begun; sleep 60')
  await eventually(() => target.record.frames.length > 0)
  own.disconnect()
  t.match(await result, { stdout: 'begun\n', code: 126, stderr: /lost \[upstream\.unavailable\]/ })
  await eventually(() => target.record.outcomes.length === 1)
  t.match(target.record.outcomes[0]?.outcome, { status: 'lost' })
})

t.test('a shell is refused where the target gives none', async (t) => {
  const target = await startSshTarget(server, { config: { shell: 'none' } })
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  t.match(await begun((done) => client.shell(false, done)).ended, { code: 126, stderr: /\[target\.forbidden\]/ })
  client.end()
})

t.test('a subsystem that policy does not allow is refused, and one that it allows is opaque', async (t) => {
  const target = await startSshTarget(server)
  t.teardown(() => target.close())
  target.policy.rule = ({ command }) => (command.shape.action === 'subsystem' ? deny('no.netconf') : ALLOW)
  const client = await connectAgent(target)
  t.match(await begun((done) => client.subsys('netconf', done)).ended, { code: 126, stderr: /\[no\.netconf\]/ })
  t.match(target.record.decisions.at(-1)?.command.shape.detail, { kind: 'subsystem', subsystem: 'netconf' })
  client.end()
})

t.test('only variables that may be set are set, and each is a command', async (t) => {
  const target = await startSshTarget(server, { config: { environment: ['DEPLOY_ID'] } })
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  const env = { LANG: 'C', LC_TIME: 'C', DEPLOY_ID: 'a b', LD_PRELOAD: '/x', GIT_PROTOCOL: 'version=9', BASH_ENV: 'x' }
  const line = 'echo "$LANG|$LC_TIME|$DEPLOY_ID|$LD_PRELOAD|$GIT_PROTOCOL|$BASH_ENV"'
  const result = begun((done) => client.exec(line, { env }, done)).ended
  t.match(await result, { stdout: 'C|C|a b|||\n', code: 0 })
  const environment = target.record.decisions.filter(({ command }) => command.shape.action === 'environment')
  t.same(
    environment.map(({ command, refusal: because }) => [command.shape.text, because?.code ?? null]),
    [
      ['LANG=C', null],
      ['LC_TIME=C', null],
      ['DEPLOY_ID=a b', null],
      ['LD_PRELOAD=/x', 'target.forbidden'],
      ['GIT_PROTOCOL=version=9', 'target.forbidden'],
      ['BASH_ENV=x', 'target.forbidden'],
    ],
  )
  await eventually(() => balanced(target))
  client.end()
})

t.test('an idle connection, and one that lasts too long, is ended', async (t) => {
  for (const limits of [{ idle: '200ms' }, { duration: '200ms' }]) {
    const target = await startSshTarget(server, { config: { limits } })
    t.teardown(() => target.close())
    const client = await connectAgent(target)
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
    const result = exec(client, 'sleep 60')
    t.match(await result, { code: 126, stderr: /\[session\.limit\]/ })
    await closed
  }
})

t.test('at a shutdown what runs may end, and the connection is closed', async (t) => {
  const target = await startSshTarget(server)
  const client = await connectAgent(target)
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  const result = exec(client, 'sleep 0.3; echo done')
  await eventually(() => target.record.decisions.length === 1)
  const closing = target.close(5_000)
  t.match(await result, { stdout: 'done\n', code: 0 })
  await closing
  await closed
})
