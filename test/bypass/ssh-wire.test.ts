/** Agents that break the rules of SSH's channels, or lean on what they leave open. The policy allows everything. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import ssh2, { BaseAgent, type ParsedKey } from 'ssh2'
import t, { type Test } from 'tap'
import { MESSAGE } from '../../src/protocols/ssh/channels/messages.ts'
import { Tap } from '../conformance/tap.ts'
import { ssh, sshClient } from '../support/ssh-clients.ts'
import { makeSshKey } from '../support/ssh-keys.ts'
import { GLOBAL, RawSsh } from '../support/ssh-raw.ts'
import { type RunningSshTarget, startSshTarget } from '../support/ssh-target.ts'
import { startSshd } from '../support/sshd.ts'

t.setTimeout(120_000)

const server = await startSshd()
t.teardown(() => server.stop())
const directory = join(server.directory, 'marks')
mkdirSync(directory)
let marks = 0
const mark = () => join(directory, `mark-${marks++}`)

async function stage(t: Test, config: Record<string, unknown> = {}): Promise<RunningSshTarget> {
  const target = await startSshTarget(server, { config })
  t.teardown(() => target.close())
  return target
}

async function agentOf(t: Test, { port }: RunningSshTarget): Promise<RawSsh> {
  const agent = await RawSsh.connect(port, { authHandler: ['none'] })
  t.teardown(() => agent.destroy())
  return agent
}

async function opened(agent: RawSsh, options = {}): Promise<{ readonly local: number; readonly remote: number }> {
  const channel = await agent.open('session', options)
  if (channel === null) throw new Error('no channel was opened')
  return channel
}

/** Others are served as ever, whatever one agent has done. */
async function goesOn(t: Test, target: RunningSshTarget): Promise<void> {
  const other = await RawSsh.connect(target.port, { authHandler: ['none'] })
  t.match(await other.exec('echo fine'), { stdout: 'fine\n', exit: 0 }, 'others are served')
  other.destroy()
}

t.test('variables that could change what runs do not reach the host, however they are written', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const channel = await opened(agent)
  const variables: readonly (readonly [string, string])[] = [
    ['LD_PRELOAD', '/tmp/x.so'],
    ['LD_LIBRARY_PATH', '/tmp'],
    ['BASH_ENV', '/tmp/x'],
    ['ENV', '/tmp/x'],
    ['PATH', '/tmp'],
    ['IFS', 'x'],
    ['PS4', '$(touch /tmp/x)'],
    ['PROMPT_COMMAND', 'touch /tmp/x'],
    ['BASH_FUNC_echo%%', '() { touch /tmp/x; }'],
    ['GIT_SSH_COMMAND', 'sh'],
    ['GIT_EXEC_PATH', '/tmp'],
    ['GIT_PROTOCOL', 'version=2:x'],
    ['PERL5OPT', '-Mx'],
    ['PYTHONSTARTUP', '/tmp/x'],
    ['SHELLOPTS', 'xtrace'],
    ['LC_ALL', 'C\0LD_PRELOAD=/tmp/x.so'],
    ['LC_X=Y', 'x'],
    ['LC_X\0', 'x'],
    ['lang', 'C'],
    ['LANG ', 'C'],
    ['', 'x'],
    ['LC_LONG', 'x'.repeat(30_000)],
  ]
  for (const [name, value] of variables) t.not(await agent.ask(channel, 'env', name, value), true, JSON.stringify(name))
  t.equal(await agent.ask(channel, 'env', 'LC_FINE', 'yes'), true)
  t.equal(await agent.ask(channel, 'exec', 'env'), true)
  const { stdout } = await agent.outcome(channel)
  const set = new Set(stdout.split('\n').map((line) => line.split('=', 1)[0]))
  t.ok(set.has('LC_FINE'))
  for (const [name, value] of variables) t.notOk(stdout.includes(`${name}=${value.slice(0, 20)}`) && name !== '', name)
  t.notOk(['LD_PRELOAD', 'BASH_ENV', 'PS4', 'GIT_SSH_COMMAND'].some((name) => set.has(name)))
})

t.test('one channel runs one program, whatever is asked for after it', async (t) => {
  const target = await stage(t)
  for (const [name, ...body] of [['exec', 'M'], ['shell'], ['subsystem', 'sftp']] as const) {
    const agent = await agentOf(t, target)
    const channel = await opened(agent)
    const path = mark()
    t.equal(await agent.ask(channel, 'exec', 'cat'), true)
    const second = await agent.ask(channel, name, ...body.map((each) => (each === 'M' ? `touch ${path}` : each)))
    t.not(second, true, name)
    agent.send(MESSAGE.DATA, channel.remote, `touch ${path}\n`)
    agent.send(MESSAGE.EOF, channel.remote)
    const { exit } = await agent.outcome(channel)
    t.ok(exit === 0 || agent.closed, 'the first one ends as ever, or the connection does')
    t.notOk(existsSync(path), name)
  }
  await goesOn(t, target)
})

t.test('nothing runs on a channel whose command was refused', async (t) => {
  const target = await stage(t)
  target.policy.rule = ({ command }) => {
    const decision = { effect: command.shape.text.includes('refused') ? 'deny' : 'allow' } as const
    return {
      ...decision,
      reasons: [],
      masks: [],
      limits: { rows: null, bytes: null, seconds: null },
      approvals: [],
      record: 'standard',
    }
  }
  const agent = await agentOf(t, target)
  const channel = await opened(agent)
  const path = mark()
  await agent.ask(channel, 'exec', 'echo refused')
  for (const [name, body] of [
    ['exec', `touch ${path}`],
    ['subsystem', 'sftp'],
  ] as const)
    agent.tell(channel, name, body)
  agent.tell(channel, 'shell')
  agent.send(MESSAGE.DATA, channel.remote, `touch ${path}\n`)
  t.equal((await agent.outcome(channel)).exit, 126)
  await sleep(100)
  t.notOk(existsSync(path))
  await goesOn(t, target)
})

t.test('what is sent before a program is asked for is its input, or refused; nothing hangs', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const channel = await opened(agent)
  agent.send(MESSAGE.DATA, channel.remote, 'early ')
  agent.tell(channel, 'exec', 'cat')
  agent.send(MESSAGE.DATA, channel.remote, 'late')
  agent.send(MESSAGE.EOF, channel.remote)
  t.same(await agent.outcome(channel), { stdout: 'early late', stderr: '', exit: 0 })
  const other = await opened(agent)
  agent.send(MESSAGE.EOF, other.remote)
  agent.tell(other, 'exec', 'cat; echo end')
  t.same(await agent.outcome(other), { stdout: 'end\n', stderr: '', exit: 0 }, 'the end of input came first')
})

t.test('commands and names with NUL, or that are no text, are refused whole', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const path = mark()
  const lines = [
    Buffer.from(`true\0; touch ${path}`),
    Buffer.from(`touch ${path}\0`),
    Buffer.concat([Buffer.from(`touch ${path} `), Buffer.of(0xff)]),
  ]
  for (const line of lines) t.equal((await agent.exec(line)).exit, 126, line.toString('latin1'))
  const channel = await opened(agent)
  for (const name of ['exec\0', 'EXEC', 'exec ', 'subsystem\0', 'shell\0x', 'nothing@example.com', '']) {
    t.not(await agent.ask(channel, name, `touch ${path}`), true, JSON.stringify(name))
  }
  for (const subsystem of ['sftp\0', 'SFTP\0x', `sftp\n`]) {
    const each = await opened(agent)
    await agent.ask(each, 'subsystem', subsystem)
    agent.send(MESSAGE.CLOSE, each.remote)
    t.not((await agent.outcome(each)).exit, 0)
  }
  t.notOk(existsSync(path))
  t.match(await agent.exec('echo fine'), { stdout: 'fine\n' })
})

t.test('channels and global requests that nobody knows are refused, and the connection goes on', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const types = [
    'session\0',
    'SESSION',
    'x11',
    'forwarded-tcpip',
    'forwarded-streamlocal@openssh.com',
    'auth-agent@openssh.com',
    'tun@openssh.com',
    'unknown@example.com',
    '',
  ]
  for (const type of types) t.equal(await agent.open(type, { body: Buffer.alloc(64) }), null, JSON.stringify(type))
  const requests = [
    'unknown@example.com',
    'hostkeys-00@openssh.com',
    'hostkeys-prove-00@openssh.com',
    'tcpip-forward\0',
    '',
  ]
  for (const name of requests) {
    agent.send(GLOBAL.REQUEST, name, true)
    const answer = await agent.take(({ type }) => type === GLOBAL.SUCCESS || type === GLOBAL.FAILURE)
    t.equal(answer?.type, GLOBAL.FAILURE, name)
  }
  agent.send(GLOBAL.REQUEST, 'keepalive@openssh.com', true)
  t.ok(await agent.take(({ type }) => type === GLOBAL.SUCCESS || type === GLOBAL.FAILURE), 'a keepalive is answered')
  t.match(await agent.exec('echo fine'), { stdout: 'fine\n' })
})

t.test('forwards to metadata services and to addresses in disguise are refused whatever policy allows', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const hosts = [
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '169.254.43518',
    '[::ffff:169.254.169.254]',
    '::ffff:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '0.0.0.0',
    '::',
    '0',
    'fe80::1',
    'fd00:ec2::254',
    '100.100.100.200',
    '168.63.129.16',
    '127.1',
    '0x7f.1',
    '017700000001',
    'localhost\0.example.com',
    'ex ample.com',
    '224.0.0.1',
    '255.255.255.255',
  ]
  for (const host of hosts) {
    const body = Buffer.concat([wireString(host), uint32(80), wireString('127.0.0.1'), uint32(1)])
    t.equal(await agent.open('direct-tcpip', { body }), null, host)
  }
  for (const path of ['relative', '/var/../run/x.sock', '/x\0y', '', '//x', '/x/./y']) {
    const body = Buffer.concat([wireString(path), wireString(''), uint32(0)])
    t.equal(await agent.open('direct-streamlocal@openssh.com', { body }), null, JSON.stringify(path))
  }
  t.match(await agent.exec('echo fine'), { stdout: 'fine\n' })
})

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const wireString = (text: string) => Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(text)])

t.test('windows of nothing and of single bytes hold the output back, and lose none of it', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  const channel = await opened(agent, { window: 0 })
  t.equal(await agent.ask(channel, 'exec', 'head -c 3000000 /dev/zero; exit 9'), true)
  await sleep(300)
  const output = () =>
    agent.pending.filter((came) => came.type === MESSAGE.DATA && came.recipient === channel.local).length
  t.equal(output(), 0, 'nothing comes through a window of nothing')
  for (let count = 0; count < 20; count++) agent.send(MESSAGE.WINDOW_ADJUST, channel.remote, 1)
  await sleep(100)
  t.ok(output() <= 20)
  agent.send(MESSAGE.WINDOW_ADJUST, channel.remote, 0)
  agent.send(MESSAGE.WINDOW_ADJUST, channel.remote, 4_000_000)
  const { stdout, exit } = await agent.outcome(channel)
  t.equal(stdout.length, 3_000_000)
  t.equal(exit, 9)
})

t.test('packets of no size are refused, and a window beyond all bounds ends the connection', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  for (const packet of [0, 1]) t.equal(await agent.open('session', { packet }), null, `packets of ${packet}`)
  const channel = await opened(agent, { window: 0xffff_ffff })
  agent.send(MESSAGE.WINDOW_ADJUST, channel.remote, 0xffff_ffff)
  t.equal(await agent.take((came) => came.type === MESSAGE.DATA), null, 'it ends')
  t.ok(agent.closed)
  await goesOn(t, target)
})

t.test('more data than the window holds ends the connection, and none beyond it arrives', async (t) => {
  const target = await stage(t, { limits: { inFlight: '64KiB' } })
  const agent = await agentOf(t, target)
  const channel = await opened(agent)
  const path = mark()
  t.equal(await agent.ask(channel, 'exec', `sleep 1; cat >${path}`), true)
  for (let count = 0; count < 100; count++) agent.send(MESSAGE.DATA, channel.remote, Buffer.alloc(30_000))
  t.equal(await agent.take((came) => came.type === MESSAGE.CLOSE), null)
  t.ok(agent.closed)
  await goesOn(t, target)
})

t.test('messages for channels that are not there, and a second end, harm nobody', async (t) => {
  const target = await stage(t)
  for (const type of [
    MESSAGE.DATA,
    MESSAGE.EOF,
    MESSAGE.CLOSE,
    MESSAGE.WINDOW_ADJUST,
    MESSAGE.REQUEST,
    MESSAGE.SUCCESS,
    MESSAGE.OPEN_CONFIRMATION,
  ]) {
    const agent = await agentOf(t, target)
    agent.send(type, 4711, 1, 'x')
    agent.sendBytes(Buffer.of(type))
    agent.sendBytes(Buffer.concat([Buffer.of(type), uint32(0), uint32(0xffff_ffff)]))
    await sleep(20)
    agent.destroy()
  }
  const agent = await agentOf(t, target)
  const channel = await opened(agent)
  for (const type of [MESSAGE.EOF, MESSAGE.EOF, MESSAGE.CLOSE, MESSAGE.CLOSE]) agent.send(type, channel.remote)
  agent.send(MESSAGE.DATA, channel.remote, 'x')
  await sleep(50)
  await goesOn(t, target)
})

t.test('ten thousand channels at once: ten are opened, the others are refused, and memory is as before', async (t) => {
  const target = await stage(t)
  const agent = await agentOf(t, target)
  await agent.exec('true')
  const before = process.memoryUsage().rss
  const body = (id: number) =>
    Buffer.concat([Buffer.of(MESSAGE.OPEN), wireString('session'), uint32(id), uint32(2 ** 21), uint32(2 ** 15)])
  for (let id = 1000; id < 11_000; id++) agent.sendBytes(body(id))
  let confirmed = 0
  for (let count = 0; count < 10_000; count++) {
    const answer = await agent.take(({ type }) => type === MESSAGE.OPEN_CONFIRMATION || type === MESSAGE.OPEN_FAILURE)
    if (answer?.type !== MESSAGE.OPEN_CONFIRMATION) continue
    confirmed++
    agent.send(MESSAGE.CLOSE, answer.sender)
  }
  t.ok(confirmed >= 10 && confirmed < 10_000, `${confirmed} were opened, no more than 10 at once`)
  t.ok(process.memoryUsage().rss - before < 128 * 1024 ** 2)
  t.match(await agent.exec('echo fine'), { stdout: 'fine\n' })
  await goesOn(t, target)
})

/** Shows a key that it has, and signs with another. */
class Forger extends BaseAgent {
  readonly #shown: ParsedKey
  readonly #signs: ParsedKey
  constructor(shown: ParsedKey, signs: ParsedKey) {
    super()
    this.#shown = shown
    this.#signs = signs
  }
  getIdentities(callback: (error: Error | null, keys?: ParsedKey[]) => void): void {
    callback(null, [this.#shown])
  }
  override sign(_: unknown, data: Buffer, ...rest: unknown[]): void {
    const callback = rest.findLast((each) => typeof each === 'function') as (
      error: Error | null,
      signature?: Buffer,
    ) => void
    callback(null, this.#signs.sign(data))
  }
}

t.test("a known key's public half opens nothing without its private half", async (t) => {
  const [known, own] = [await makeSshKey(join(directory, 'known')), await makeSshKey(join(directory, 'own'))]
  const users = { [server.user]: { keys: [known.line] } }
  const target = await stage(t, { agent: { authenticate: 'key', users } })
  const [shown, signs] = [known, own].map(({ file }) => ssh2.utils.parseKey(readFileSync(file)) as ParsedKey)
  if (shown === undefined || signs === undefined) throw new Error('no keys')
  const config = { username: server.user, authHandler: ['agent' as const] }
  await t.rejects(RawSsh.connect(target.port, { ...config, agent: new Forger(shown, signs) }))
  t.equal(target.record.records.length, 0, 'there was no session')
  const proper = await RawSsh.connect(target.port, { ...config, agent: new Forger(shown, shown) })
  t.match(await proper.exec('echo in'), { stdout: 'in\n' })
  proper.destroy()
  for (const method of ['none', 'password', 'keyboard-interactive', 'hostbased'] as const) {
    const attempt = { username: server.user, password: '', authHandler: [method] } as never
    await t.rejects(RawSsh.connect(target.port, attempt))
  }
})

t.test('a host that has changed is told nothing, and the agent why', async (t) => {
  const other = await startSshd()
  t.teardown(() => other.stop())
  const wire = await Tap.before(other.port)
  t.teardown(() => wire.close())
  const target = await startSshTarget(server, { upstreamPort: wire.port })
  t.teardown(() => target.close())
  const ended = await ssh(sshClient(target.address), ['there', 'echo secret'])
  t.equal(ended.code, 126)
  t.match(ended.stderr, /\[upstream\.untrusted\]/)
  t.notOk(ended.stderr.includes(server.client.line), 'nothing of the credential is shown')
  t.notMatch(other.log(), /publickey|Accepted|Failed/)
})
