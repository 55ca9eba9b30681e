import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Channel, Client, Connection, TcpConnectionDetails } from 'ssh2'
import t from 'tap'
import { refusal } from '../../../../src/gate/refusal.ts'
import { ALLOW, approve, deny, FakeApproval, FakePolicy } from '../../../support/fakes.ts'
import { collect, failure, stage, until } from './stage.ts'

interface Host {
  connection: Connection | null
  readonly requests: string[]
}

/** An upstream host that listens where it is asked to, on port 4022 where any would do. */
function listening(host: Host, answer: 'accept' | 'reject' = 'accept') {
  return (connection: Connection) => {
    host.connection = connection
    connection.on('request', (accept, reject, name, info: object) => {
      host.requests.push(`${name} ${Object.values(info).join(' ')}`)
      if (answer === 'accept') accept?.(4022)
      else reject?.()
    })
  }
}

const newHost = (): Host => ({ connection: null, requests: [] })

function listen(agent: Client, address: string, port: number): Promise<number> {
  return promisify(agent.forwardIn.bind(agent))(address, port)
}

/** Somebody connects to the listener upstream. */
function connect({ connection }: Host, address: string, port: number): Promise<Channel> {
  if (connection === null) throw new Error('nobody is connected')
  return promisify(connection.forwardOut.bind(connection))(address, port, '198.51.100.7', 999)
}

/** The agent's side of a listener: it echoes. */
function echo(agent: Client): TcpConnectionDetails[] {
  const seen: TcpConnectionDetails[] = []
  agent.on('tcp connection', (details, accept) => {
    seen.push(details)
    const channel = accept()
    channel.pipe(channel)
  })
  return seen
}

/** The end of such a server's channel closes it at once: the answer comes first. */
async function echoed(channel: Channel): Promise<string> {
  channel.write('x')
  const [answer] = await once(channel, 'data')
  channel.end()
  return String(answer)
}

t.test('a permitted listener lets connections through to the agent, and ends when it is cancelled', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  const seen = echo(s.agent)
  t.equal(await listen(s.agent, 'localhost', 8080), 8080)
  t.match(s.record.decisions[0]?.command.shape, {
    text: 'remote-forward localhost:8080',
    detail: { kind: 'remote-forward', destination: { host: 'localhost', port: 8080, path: null } },
  })
  const channel = await connect(host, 'localhost', 8080)
  channel.write('hello')
  const [first] = await once(channel, 'data')
  t.equal(String(first), 'hello')
  t.match(seen, [{ destIP: 'localhost', destPort: 8080, srcIP: '198.51.100.7', srcPort: 999 }])
  await promisify(s.agent.unforwardIn.bind(s.agent))('localhost', 8080)
  t.same(host.requests, ['tcpip-forward localhost 8080', 'cancel-tcpip-forward localhost 8080'])
  t.same(s.record.outcomes, [], 'what is connected goes on')
  channel.end(' and bye')
  await collect(channel)
  await until(() => s.record.outcomes.length === 1, 'settled')
  t.match(s.record.outcomes, [{ outcome: { status: 'completed', bytes: 'hello and bye'.length } }])
  t.match(await failure(connect(host, 'localhost', 8080)), { reason: 1 })
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})

t.test('an agent that asks for any port is told which, and connections name it', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  const seen = echo(s.agent)
  t.equal(await listen(s.agent, '', 0), 4022)
  // As servers do that name the address in their own words.
  const channel = await connect(host, '0.0.0.0', 4022)
  t.equal(await echoed(channel), 'x')
  t.match(seen, [{ destIP: '', destPort: 4022 }])
})

t.test('a denied listener is refused, and the upstream host is never asked', async (t) => {
  const host = newHost()
  const s = await stage(t, { policy: new FakePolicy(() => deny('listen.no')), upstream: listening(host) })
  await t.rejects(listen(s.agent, 'localhost', 8080))
  t.same(host.requests, [])
  t.match(s.record.decisions, [{ refusal: { code: 'listen.no' } }])
  t.match(await failure(connect(host, 'localhost', 8080)), { reason: 1 }, 'nothing comes in that nobody asked for')
})

t.test('a listener that the upstream host refuses is refused, and settled as failed', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host, 'reject') })
  await t.rejects(listen(s.agent, 'localhost', 80))
  t.match(s.record.outcomes, [{ outcome: { status: 'failed' } }])
  t.equal(s.forwarding.size, 0)
})

t.test('unreadable addresses and a second listener in the same place are refused and recorded', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  await t.rejects(listen(s.agent, '0x7f.1', 8080))
  await t.rejects(listen(s.agent, 'localhost', 70_000))
  await listen(s.agent, 'localhost', 8080)
  await t.rejects(listen(s.agent, 'localhost', 8080))
  t.same(host.requests, ['tcpip-forward localhost 8080'])
  const codes = s.record.decisions.map(({ refusal: because }) => because?.code ?? null)
  t.same(codes, ['command.unparsable', 'command.unparsable', null, 'command.unsupported'])
})

t.test('a policy that takes a listener back ends it upstream, and what came in by it', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  echo(s.agent)
  await listen(s.agent, 'localhost', 8080)
  const channel = await connect(host, 'localhost', 8080)
  s.policy.change(() => deny('listen.no-more'))
  await collect(channel)
  await until(() => host.requests.length === 2, 'cancelled upstream')
  t.equal(host.requests[1], 'cancel-tcpip-forward localhost 8080')
  t.match(s.record.outcomes, [{ outcome: { status: 'refused', code: 'policy.revoked' } }])
  t.match(await failure(connect(host, 'localhost', 8080)), { reason: 1 })
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})

t.test('a listener held for people delays later answers and no channel, and is granted in order', async (t) => {
  const host = newHost()
  const approval = new FakeApproval()
  const ask = ({ command, grant }: { command: { shape: { action: string } }; grant: unknown }) =>
    command.shape.action === 'remote-forward' && grant === null ? approve('listen.ask') : ALLOW
  const upstream = (connection: Connection) => {
    listening(host)(connection)
    connection.on('tcpip', (accept) => accept().end('here'))
  }
  const s = await stage(t, { policy: new FakePolicy(ask), approval, upstream })
  const opening = listen(s.agent, 'localhost', 8080)
  await until(() => approval.holds.length === 1, 'held')
  const other = await promisify(s.agent.forwardOut.bind(s.agent))('', 0, '10.0.0.1', 80)
  t.equal((await collect(other)).toString(), 'here')
  approval.holds[0]?.settle({ grant: { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['listen.ask'] } })
  t.equal(await opening, 8080)
})

t.test('sockets are listened to as ports are', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  s.agent.on('unix connection', (_, accept) => {
    const channel = accept()
    channel.pipe(channel)
  })
  await promisify(s.agent.openssh_forwardInStreamLocal.bind(s.agent))('/run/app.sock')
  await t.rejects(promisify(s.agent.openssh_forwardInStreamLocal.bind(s.agent))('/run/../app.sock'))
  const { connection } = host
  if (connection === null) throw new Error('nobody is connected')
  const channel = await promisify(connection.openssh_forwardOutStreamLocal.bind(connection))('/run/app.sock')
  t.equal(await echoed(channel), 'x')
  await promisify(s.agent.openssh_unforwardInStreamLocal.bind(s.agent))('/run/app.sock')
  t.same(host.requests, [
    'streamlocal-forward@openssh.com /run/app.sock',
    'cancel-streamlocal-forward@openssh.com /run/app.sock',
  ])
  await until(() => s.forwarding.size === 0, 'settled')
})

t.test('more listeners than channels may be open are refused', async (t) => {
  const host = newHost()
  const s = await stage(t, { channels: 2, upstream: listening(host) })
  await listen(s.agent, 'localhost', 1001)
  await listen(s.agent, 'localhost', 1002)
  await t.rejects(listen(s.agent, 'localhost', 1003))
  t.match(s.record.decisions[2], { refusal: { code: 'session.limit' } })
})

t.test('connections beyond the channels that may be open are turned away upstream', async (t) => {
  const host = newHost()
  const s = await stage(t, { channels: 2, upstream: listening(host) })
  echo(s.agent)
  await listen(s.agent, 'localhost', 1001)
  const channels = await Promise.all([connect(host, 'localhost', 1001), connect(host, 'localhost', 1001)])
  t.match(await failure(connect(host, 'localhost', 1001)), { reason: 4 })
  for (const channel of channels) channel.end()
  await Promise.all(channels.map(collect))
  await until(() => s.agentChannels.size === 0, 'closed')
  await connect(host, 'localhost', 1001)
})

t.test('after no-more-sessions no session is opened, unknown global requests fail, and forwards go on', async (t) => {
  const s = await stage(t, { upstream: (connection) => connection.on('tcpip', (accept) => accept().end('here')) })
  await promisify(s.agent.openssh_noMoreSessions.bind(s.agent))()
  t.match(await failure(promisify((done: (error?: Error) => void) => s.agent.exec('true', done))()), { reason: 1 })
  const wire = s.agent as unknown as {
    readonly _callbacks: ((failed: boolean) => void)[]
    readonly _protocol: { openssh_hostKeysProve(keys: readonly []): void; ping(): void }
  }
  const answers: Promise<boolean>[] = [1, 2].map(() => new Promise((resolve) => wire._callbacks.push(resolve)))
  wire._protocol.openssh_hostKeysProve([])
  wire._protocol.ping()
  t.same(await Promise.all(answers), [true, true], 'keepalives are answered, nothing is proved')
  const channel = await promisify(s.agent.forwardOut.bind(s.agent))('', 0, '10.0.0.1', 80)
  t.equal((await collect(channel)).toString(), 'here')
})

t.test('a listener that nobody waits for an answer to is there, unless its port would be a secret', async (t) => {
  const host = newHost()
  const s = await stage(t, { upstream: listening(host) })
  const { _protocol: wire } = s.agent as unknown as {
    readonly _protocol: { tcpipForward(address: string, port: number, wantReply: boolean): void }
  }
  wire.tcpipForward('localhost', 0, false)
  wire.tcpipForward('LocalHost', 8080, false)
  await until(() => host.requests.length === 1, 'asked')
  t.same(host.requests, ['tcpip-forward localhost 8080'], 'what was judged is asked for')
  t.match(s.record.decisions, [{ refusal: { code: 'command.unsupported' } }, { refusal: null }])
})

t.test('listeners that are held count, however many are asked for', async (t) => {
  const approval = new FakeApproval()
  const s = await stage(t, { policy: new FakePolicy(() => approve('listen.ask')), approval, channels: 3 })
  const answers = Array.from({ length: 50 }, (_, index) => listen(s.agent, 'localhost', 1000 + index).catch(() => 'no'))
  await until(() => s.record.decisions.length === 47, 'refused')
  t.equal(approval.holds.length, 3)
  for (const { settle } of approval.holds) settle({ refusal: refusal('approval.denied') })
  t.same(new Set(await Promise.all(answers)), new Set(['no']))
})

t.test('a session that is ended from outside ends its forwards and listeners, and begins none anew', async (t) => {
  const host = newHost()
  const upstream = (connection: Connection) => {
    listening(host)(connection)
    connection.on('tcpip', (accept) => void accept().resume())
  }
  const s = await stage(t, { upstream })
  await listen(s.agent, 'localhost', 8080)
  const channel = await promisify(s.agent.forwardOut.bind(s.agent))('', 0, '10.0.0.1', 80)
  s.forwarding.close(refusal('session.ended'))
  await collect(channel)
  const ended = { status: 'cancelled', code: 'session.ended' }
  t.match(s.record.outcomes, [{ outcome: ended }, { outcome: ended }])
  await until(() => host.requests.length === 2, 'cancelled upstream')
  t.match(await failure(promisify(s.agent.forwardOut.bind(s.agent))('', 0, '10.0.0.1', 80)), { reason: 1 })
  await t.rejects(listen(s.agent, 'localhost', 8081))
  t.match(await failure(connect(host, 'localhost', 8080)), { reason: 1 })
  t.equal(host.requests.length, 2)
  t.equal(s.forwarding.size, 0)
})
