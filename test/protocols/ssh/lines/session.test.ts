/** A line-gated shell as a session serves it: holds, ends, limits and what is recorded. */
import t, { type Test } from 'tap'
import type { ClientChannel } from 'ssh2'
import type { Question } from '../../../../src/gate/ports.ts'
import { refusal } from '../../../../src/gate/refusal.ts'
import { ALLOW, approve, deny, FakeApproval } from '../../../support/fakes.ts'
import { type RunningSshTarget, startSshTarget } from '../../../support/ssh-target.ts'
import { sharedSshd } from '../../../support/sshd.ts'
import { begun, connectAgent, eventually } from '../client.ts'
import { hostKey, startHost } from '../upstream/host.ts'

const server = await sharedSshd()
const GRANT = { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['prod.change'] }

interface Typing {
  readonly target: RunningSshTarget
  readonly channel: ClientChannel
  readonly approval: FakeApproval
  readonly ended: ReturnType<typeof begun>['ended']
  /** Waits for a text behind the one that was waited for before. */
  sees(text: string): Promise<void>
  seen(): string
}

async function typing(t: Test, terminal: boolean, config: Readonly<Record<string, unknown>> = {}): Promise<Typing> {
  const approval = new FakeApproval()
  const target = await startSshTarget(server, { approval, config: { shell: 'line-gated', ...config } })
  t.teardown(() => target.close())
  const client = await connectAgent(target)
  t.teardown(() => client.end())
  let seen = ''
  let looked = 0
  const { channel, ended } = begun(
    (done) => (terminal ? client.shell({ term: 'xterm', cols: 100, rows: 30 }, done) : client.shell(false, done)),
    (opened) => {
      opened.on('data', (bytes: Buffer) => (seen += bytes.toString()))
      opened.stderr.on('data', (bytes: Buffer) => (seen += bytes.toString()))
    },
  )
  return {
    target,
    channel: await channel,
    approval,
    ended,
    async sees(text) {
      await eventually(() => seen.includes(text, looked))
      looked = seen.indexOf(text, looked) + text.length
    },
    seen: () => seen,
  }
}

const textOf = ({ command }: Pick<Question, 'command'>): string => command.shape.text

function decided({ record }: RunningSshTarget): string[] {
  return record.records.flatMap((entry) =>
    entry.type === 'decision'
      ? [`${entry.event.command.shape.action} ${textOf(entry.event)} ${entry.event.refusal?.code ?? 'permitted'}`]
      : [],
  )
}

t.test('each line is a command of its own, told apart from an exec request', async (t) => {
  const { target, channel, ended } = await typing(t, false)
  target.policy.rule = (question) => (textOf(question) === 'echo no' ? deny('test.no') : ALLOW)
  channel.end('echo one\necho no\ncat <<x\nexit 3\n')
  t.strictSame(await ended, {
    stdout: 'one\n',
    stderr:
      'sidegate: refused by test.no [test.no]\nsidegate: do otherwise\n' +
      'sidegate: the command line cannot be parsed: a here-document has no end [command.unparsable]\nsidegate: mend its syntax\n',
    code: 3,
    signal: undefined,
  })
  t.strictSame(decided(target), [
    'shell shell permitted',
    'exec echo one permitted',
    'exec echo no test.no',
    'exec cat <<x command.unparsable',
  ])
  const [, line] = target.policy.questions
  t.match(line?.command.shape.detail, { kind: 'exec', mode: 'line-gated', tty: false })
  await eventually(() => target.record.records.filter(({ type }) => type === 'outcome').length === 2)
})

t.test('nothing of a line goes upstream before its decision is on record', async (t) => {
  const { target, channel, sees, seen } = await typing(t, true)
  await sees('$ ')
  target.record.automatic = false
  channel.write('echo on""e\r')
  await eventually(() => decided(target).includes('exec echo on""e permitted'))
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.notMatch(seen(), 'one\r\n')
  target.record.automatic = true
  target.record.flush()
  await sees('one\r\n')
})

t.test('a line that is held says so, runs when it is granted, and is withdrawn by ^C', async (t) => {
  const { target, channel, approval, sees, ended } = await typing(t, true)
  target.policy.rule = (question) =>
    textOf(question).startsWith('echo held') && question.grant === null ? approve('prod.change') : ALLOW
  await sees('$ ')
  channel.write('echo held""1\r')
  await sees('sidegate: held for approval (prod.change by dba) [approval.pending]\r\n')
  await eventually(() => approval.holds.length === 1)
  approval.holds[0]?.settle({ grant: GRANT })
  await sees('held1\r\n')
  await sees('$ ')
  channel.write('echo held""2\r')
  await eventually(() => approval.holds.length === 2)
  channel.write('\x03')
  await eventually(() => approval.holds[1]?.signal.aborted === true)
  approval.holds[1]?.settle({ refusal: refusal('approval.withdrawn') })
  await sees('[approval.withdrawn]')
  await sees('$ ')
  channel.write('echo still""here\r')
  await sees('stillhere\r\n')
  await sees('$ ')
  channel.write('\x04')
  t.equal((await ended).code, 0)
})

t.test('a policy that takes the shell back ends it and the line that runs', async (t) => {
  const { target, channel, sees, ended } = await typing(t, true)
  await sees('$ ')
  channel.write('echo be""gun; sleep 9\r')
  await sees('begun\r\n')
  target.policy.change((question) => (question.command.shape.action === 'shell' ? deny('test.no') : ALLOW))
  const { code, stdout } = await ended
  t.equal(code, 126)
  t.match(stdout, 'sidegate: the policy changed, and no longer permits this [policy.revoked]')
  await eventually(() => target.record.records.filter(({ type }) => type === 'outcome').length === 3)
})

t.test('a policy that takes back only the line ends the line', async (t) => {
  const { target, channel, sees } = await typing(t, true)
  await sees('$ ')
  channel.write('echo be""gun; sleep 9\r')
  await sees('begun\r\n')
  target.policy.change((question) => (textOf(question).includes('sleep') ? deny('test.no') : ALLOW))
  await sees('[policy.revoked]')
  await sees('$ ')
  channel.write('echo still""here\r')
  await sees('stillhere\r\n')
  t.match(decided(target).at(-1), 'permitted')
})

t.test('an operator’s end is told, and ends the shell', async (t) => {
  const { target, channel, sees, ended } = await typing(t, true)
  await sees('$ ')
  channel.write('echo be""gun; sleep 9\r')
  await sees('begun\r\n')
  const [session] = target.gate.sessions
  t.ok(session !== undefined && target.gate.end(session.id, 'enough'))
  t.match((await ended).stdout, '[session.ended]')
})

t.test('whoever ends the shell, the line that runs is killed, and not only left', async (t) => {
  for (const limits of [{}, { duration: '1s' }]) {
    const requests: string[] = []
    const host = await startHost({
      authenticate: (context) => context.accept(),
      connected: (_, { _handlers }) => {
        const handlers = _handlers as { CHANNEL_REQUEST: (...args: unknown[]) => void }
        const { CHANNEL_REQUEST } = handlers
        handlers.CHANNEL_REQUEST = (self, recipient, name, wantReply, data) => {
          requests.push(name === 'signal' ? `signal ${String(data)}` : String(name))
          CHANNEL_REQUEST(self, recipient, name, wantReply, data)
        }
      },
      exec: (channel) => void channel.write('begun\n'),
    })
    t.teardown(() => host.close())
    const upstream = { host: '127.0.0.1', port: host.port, hostKeys: [hostKey.line] }
    const { target, channel, sees, ended } = await typing(t, true, { upstream, credential: { user: 'deploy' }, limits })
    await sees('$ ')
    channel.write('backup\r')
    await sees('begun\r\n')
    const [session] = target.gate.sessions
    if (!('duration' in limits)) t.ok(session !== undefined && target.gate.end(session.id, 'enough'))
    const { stdout } = await ended
    t.match(stdout, /\[session\.(ended|limit)\]/)
    t.equal(stdout.split('sidegate: ').filter((part) => /\[session\./.test(part)).length, 1, 'told once')
    await eventually(() => requests.includes('signal KILL'))
    t.strictSame(requests, ['exec', 'signal KILL'])
  }
})

t.test('limits of the shell’s decision hold for all of its lines together', async (t) => {
  const small = await startSshTarget(server, { config: { shell: 'line-gated' } })
  t.teardown(() => small.close())
  small.policy.rule = ({ command }) =>
    command.shape.action === 'shell' ? { ...ALLOW, limits: { rows: null, bytes: 2000, seconds: null } } : ALLOW
  const client = await connectAgent(small)
  t.teardown(() => client.end())
  const { channel: shell, ended: over } = begun((done) => client.shell(false, done))
  ;(await shell).end('echo one\nseq 1 10000\necho never\n')
  const { stdout, stderr, code } = await over
  t.match(stderr, '[obligation.limit]')
  t.equal(code, 126)
  t.ok(stdout.startsWith('one\n1\n2\n') && stdout.length <= 2000)
  t.notOk(decided(small).some((each) => each.includes('never')))
})

t.test('the record has what the agent saw, once, and not what it typed', async (t) => {
  const { target, channel, sees, seen, ended } = await typing(t, true)
  await sees('$ ')
  channel.write('cat\r')
  await eventually(() => decided(target).includes('exec cat permitted'))
  await sees('\r\n')
  await new Promise((resolve) => setTimeout(resolve, 200))
  channel.write('typed\r')
  await sees('typed\r\ntyped\r\n')
  channel.write('\x04')
  await sees('$ ')
  channel.setWindow(40, 120, 0, 0)
  channel.write('exit 4\r')
  t.equal((await ended).code, 4)
  await eventually(() => target.record.records.some(({ type }) => type === 'outcome'))
  const shell = target.record.records.find((entry) => entry.type === 'decision' && textOf(entry.event) === 'shell')
  const frames = target.record.frames.filter(
    ({ sequence }) => shell?.type === 'decision' && sequence === shell.event.sequence,
  )
  const text = (kind: string) =>
    frames
      .filter((frame) => frame.kind === kind)
      .map(({ data }) => Buffer.from(data).toString())
      .join('|')
  t.equal(text('output').replaceAll('|', ''), seen())
  t.equal(text('input'), '')
  t.equal(text('resize'), '100x30|120x40')
  t.equal(text('exit'), '{"status":4}')
})

t.test('a journal that fails ends the shell, and nothing more is shown', async (t) => {
  const { target, channel, sees, ended, seen } = await typing(t, true)
  await sees('$ ')
  target.record.failure = Object.assign(new Error('disk full'), { code: 'record.unavailable' })
  channel.write('echo nev""er\r')
  await ended
  t.notMatch(seen(), 'never\r\n')
})
