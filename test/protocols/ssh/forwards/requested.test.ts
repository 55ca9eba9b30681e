import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import type { Channel, Client, Connection, ServerChannel } from 'ssh2'
import t from 'tap'
import { fields } from '../../../../src/protocols/ssh/channels/messages.ts'
import { deny, FakePolicy } from '../../../support/fakes.ts'
import { collect, failure, type Stage, stage, until } from './stage.ts'

const COOKIE = '00112233445566778899aabbccddeeff'
const x11 = (single: boolean) => fields(single, 'MIT-MAGIC-COOKIE-1', COOKIE, 3)
const ABOUT = { tty: false, signal: new AbortController().signal }

/** What ssh2 keeps of an agent's consent, and how it opens a channel towards a key agent. */
interface Inside {
  _acceptX11: number
  _agentFwdEnabled: boolean
  _agent: { getStream(done: (error: null, stream: Duplex) => void): void }
  readonly _chanMgr: { add(done: unknown): number }
  readonly _protocol: { openssh_authAgent(channel: number, window: number, packet: number): void }
}

interface Host {
  connection: Connection | null
  readonly asked: unknown[]
}

function asking(host: Host) {
  return (connection: Connection) => {
    host.connection = connection
    connection.on('session', (accept) => {
      const session = accept()
      session.on('x11', (ok, _, info) => {
        host.asked.push(info)
        ok?.()
      })
      session.on('auth-agent', (ok) => {
        host.asked.push('agent')
        ok?.()
      })
    })
  }
}

function display({ connection }: Host): Promise<ServerChannel> {
  if (connection === null) throw new Error('nobody is connected')
  return promisify(connection.x11.bind(connection))('127.0.0.1', 6010)
}

function keyAgent({ connection }: Host): Promise<Channel> {
  const { _chanMgr: numbers, _protocol: protocol } = connection as unknown as Inside
  return promisify((done: (error: Error | null, channel?: Channel) => void) => {
    const type = 'auth-agent@openssh.com'
    protocol.openssh_authAgent(numbers.add(Object.assign(done, { type })), 1_000_000, 32_768)
  })() as Promise<Channel>
}

/** The agent's display and its key agent: both echo. */
function consents(agent: Client): void {
  const inside = agent as unknown as Inside
  inside._acceptX11 = 1
  inside._agentFwdEnabled = true
  inside._agent = {
    getStream(done) {
      const stream: Duplex = new Duplex({
        read() {},
        write(chunk, _, next) {
          stream.push(chunk)
          next()
        },
        final(next) {
          stream.push(null)
          next()
        },
      })
      done(null, stream)
    },
  }
  agent.on('x11', (_, accept) => {
    const channel = accept()
    channel.pipe(channel)
  })
}

async function echoes(channel: Channel): Promise<string> {
  channel.write('hello')
  const [answer] = await once(channel, 'data')
  return String(answer)
}

/** Judged, on record, and sent upstream on a session channel. */
async function grant(s: Stage, name: 'x11-req' | 'auth-agent-req@openssh.com', body: Buffer) {
  const requested = s.forwarding.requested(name, body, ABOUT)
  const ruled = await requested.ruled
  if (ruled !== null) throw new Error(ruled.code)
  await new Promise((resolve) => s.gate.whenRecorded(resolve))
  requested.send(await s.upstreamChannels.open('session'))
  return requested
}

t.test('an X11 display that policy grants is reached from upstream, with the cookie as it was given', async (t) => {
  const host: Host = { connection: null, asked: [] }
  const s = await stage(t, { upstream: asking(host) })
  consents(s.agent)
  t.match(await failure(display(host)), { reason: 1 }, 'not before it was granted')
  const requested = await grant(s, 'x11-req', x11(false))
  await until(() => host.asked.length === 1, 'asked')
  t.match(host.asked, [{ single: false, protocol: 'MIT-MAGIC-COOKIE-1', screen: 3 }])
  t.match(s.record.decisions[0]?.command.shape, { action: 'x11', detail: { kind: 'x11', destination: null } })
  const first = await display(host)
  const second = await display(host)
  t.equal(await echoes(first), 'hello')
  t.equal(await echoes(second), 'hello')
  requested.release()
  t.match(await failure(display(host)), { reason: 1 }, 'nor after its session')
  t.same(s.record.outcomes, [], 'what is connected goes on')
  for (const channel of [first, second]) {
    channel.end()
    channel.resume()
  }
  await until(() => s.record.outcomes.length === 1, 'settled')
  t.match(s.record.outcomes, [{ outcome: { status: 'completed', bytes: 10 } }])
})

t.test('a display that is granted for one connection takes one', async (t) => {
  const host: Host = { connection: null, asked: [] }
  const s = await stage(t, { upstream: asking(host) })
  consents(s.agent)
  await grant(s, 'x11-req', x11(true))
  await until(() => host.asked.length === 1, 'asked')
  t.equal(await echoes(await display(host)), 'hello')
  t.match(await failure(display(host)), { reason: 1 })
})

t.test('a key agent that policy grants is reached from upstream, until policy takes it back', async (t) => {
  const host: Host = { connection: null, asked: [] }
  const s = await stage(t, { upstream: asking(host) })
  consents(s.agent)
  t.match(await failure(keyAgent(host)), { reason: 1 })
  await grant(s, 'auth-agent-req@openssh.com', Buffer.alloc(0))
  await until(() => host.asked.length === 1, 'asked')
  const channel = await keyAgent(host)
  t.equal(await echoes(channel), 'hello')
  s.policy.change(() => deny('agent.no-more'))
  await collect(channel)
  t.match(s.record.outcomes, [{ outcome: { status: 'refused', code: 'policy.revoked' } }])
  t.match(await failure(keyAgent(host)), { reason: 1 })
})

t.test('what policy denies is not sent, and nothing comes in by it', async (t) => {
  const host: Host = { connection: null, asked: [] }
  const s = await stage(t, { policy: new FakePolicy(() => deny('agent.forward')), upstream: asking(host) })
  consents(s.agent)
  const requested = s.forwarding.requested('auth-agent-req@openssh.com', Buffer.alloc(0), ABOUT)
  t.match(requested.ruled, { code: 'agent.forward' })
  requested.send(await s.upstreamChannels.open('session'))
  t.match(await failure(keyAgent(host)), { reason: 1 })
  t.same(host.asked, [])
  t.equal(s.forwarding.size, 0)
})

t.test(
  'a request for X11 that could not be what a client sends is refused, and one without its parts ends it',
  async (t) => {
    const s = await stage(t)
    const odd = fields(false, 'MIT-MAGIC-COOKIE-1', 'no cookie; rm -rf', 0)
    t.match(s.forwarding.requested('x11-req', odd, ABOUT).ruled, { code: 'command.unparsable' })
    t.throws(() => s.forwarding.requested('x11-req', Buffer.from([1, 0]), ABOUT), { code: 'protocol.violation' })
    t.match(s.record.decisions, [{ refusal: { code: 'command.unparsable' } }])
  },
)

t.test('a request whose program never ran is settled as skipped', async (t) => {
  const s = await stage(t)
  const requested = s.forwarding.requested('x11-req', x11(false), ABOUT)
  requested.release()
  requested.release()
  t.match(s.record.outcomes, [{ outcome: { status: 'skipped' } }])
  t.equal(s.forwarding.size, 0)
})
