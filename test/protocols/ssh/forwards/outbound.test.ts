import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { Channel, Client, ClientChannel, Connection } from 'ssh2'
import t from 'tap'
import { refusal } from '../../../../src/gate/refusal.ts'
import { ALLOW, approve, deny, FakeApproval, FakePolicy } from '../../../support/fakes.ts'
import { collect, failure, stage, until } from './stage.ts'

interface Asked {
  readonly destIP: string
  readonly destPort: number
  readonly channel: Channel
}

/** An upstream host on which every destination is there; what was asked for is kept. */
function hearing(asked: Asked[], answer: (channel: Channel) => void = (channel) => void channel.pipe(channel)) {
  return (connection: Connection) => {
    connection.on('tcpip', (accept, _, { destIP, destPort }) => {
      const channel = accept()
      channel.on('error', () => {})
      asked.push({ destIP, destPort, channel })
      answer(channel)
    })
  }
}

function forward(agent: Client, host: string, port: number): Promise<ClientChannel> {
  return promisify(agent.forwardOut.bind(agent))('203.0.113.9', 4711, host, port)
}

const addresses = (table: Readonly<Record<string, readonly string[]>>) => async (name: string) => {
  const found = table[name]
  if (found === undefined) throw new Error('ENOTFOUND')
  return found
}

t.test('a permitted forward reaches the address of the name, byte for byte, and is settled', async (t) => {
  const asked: Asked[] = []
  const s = await stage(t, { upstream: hearing(asked), lookUp: addresses({ 'db.example.com': ['10.1.2.3'] }) })
  const channel = await forward(s.agent, 'DB.Example.com', 5432)
  const sent = randomBytes(3 * 1024 ** 2)
  channel.end(sent)
  t.same(await collect(channel), sent)
  t.match(asked, [{ destIP: '10.1.2.3', destPort: 5432 }])
  await until(() => s.forwarding.size === 0, 'settled')
  const [decision] = s.record.decisions
  t.equal(decision?.command.shape.text, 'forward db.example.com:5432')
  t.match(decision?.command.shape.detail, {
    kind: 'forward',
    user: 'deploy',
    destination: { host: 'db.example.com', port: 5432, path: null },
  })
  t.match(s.record.outcomes, [{ outcome: { status: 'completed', bytes: sent.length } }])
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})

t.test('a destination that speaks first loses none of what it says', async (t) => {
  const asked: Asked[] = []
  const greet = (channel: Channel) => {
    channel.write('220 ready\r\n')
    channel.end('bye')
  }
  const s = await stage(t, { upstream: hearing(asked, greet) })
  for (let round = 0; round < 20; round++) {
    const channel = await forward(s.agent, '10.0.0.1', 25)
    t.equal((await collect(channel)).toString(), '220 ready\r\nbye')
    channel.end()
  }
})

t.test('the agent ends its data first and still gets the whole answer', async (t) => {
  const asked: Asked[] = []
  const answer = (channel: Channel) => void collect(channel).then((all) => channel.end(`got ${all.length}`))
  const s = await stage(t, { upstream: hearing(asked, answer) })
  const channel = await forward(s.agent, '10.0.0.1', 80)
  channel.end(Buffer.alloc(300_000))
  t.equal((await collect(channel)).toString(), 'got 300000')
})

t.test('a denied forward is refused with reason 1 and the code, and nothing is asked nor looked up', async (t) => {
  const asked: Asked[] = []
  let lookups = 0
  const lookUp = async () => [`10.0.0.${++lookups}`]
  const s = await stage(t, { policy: new FakePolicy(() => deny('forward.open')), upstream: hearing(asked), lookUp })
  const { reason, message } = await failure(forward(s.agent, 'secret.example.com', 443))
  t.equal(reason, 1)
  t.match(message, 'forward.open: refused by forward.open (do otherwise)')
  t.equal(lookups, 0)
  t.same(asked, [])
  t.equal(s.forwarding.size, 0)
})

t.test(
  'a name is followed to no address that a forward may not reach, and to none that does not resolve',
  async (t) => {
    const asked: Asked[] = []
    const table = {
      'loop.example.com': ['127.0.0.1'],
      'meta.example.com': ['10.0.0.1', '169.254.169.254'],
      'six.example.com': ['fe80::1'],
      'mapped.example.com': ['::ffff:127.0.0.1'],
      'empty.example.com': [],
      'odd.example.com': ['0x7f.1'],
    }
    const s = await stage(t, { upstream: hearing(asked), lookUp: addresses(table) })
    for (const name of [...Object.keys(table), 'nowhere.example.com']) {
      const { reason, message } = await failure(forward(s.agent, name, 80))
      t.equal(reason, 1, name)
      t.match(message, 'target.forbidden: ', name)
    }
    t.same(asked, [])
    t.ok(s.record.outcomes.every(({ outcome }) => outcome.status === 'refused' && outcome.code === 'target.forbidden'))
  },
)

t.test('odd spellings of an address are refused before policy is asked', async (t) => {
  const asked: Asked[] = []
  const s = await stage(t, { upstream: hearing(asked) })
  const odd = [
    '0x7f.1',
    '2130706433',
    '127.1',
    '017700000001',
    'example.com.',
    '',
    '[::1]',
    'fe80::1%eth0',
    'a b',
    'x\0',
  ]
  for (const host of [...odd, '*', 'exämple.com', '10.0.0.1 ', '0x7f', 'a.0x7f', '1.2.3.4.5']) {
    const { reason, message } = await failure(forward(s.agent, host, 80))
    t.equal(reason, 1, host)
    t.match(message, 'command.unparsable', host)
  }
  for (const host of [
    '169.254.169.254',
    '0.0.0.0',
    '::',
    '::ffff:10.0.0.1',
    '224.0.0.1',
    'FE80::1',
    '64:ff9b::a00:1',
  ]) {
    t.match(await failure(forward(s.agent, host, 80)), { reason: 1, message: /target\.forbidden/ }, host)
  }
  t.match(await failure(forward(s.agent, '10.0.0.1', 65_536)), { reason: 1, message: /command\.unparsable/ })
  t.match(await failure(forward(s.agent, '10.0.0.1', 0)), { reason: 1, message: /command\.unparsable/ })
  t.same(asked, [])
  t.same(s.policy.questions, [])
  t.ok(s.record.decisions.every(({ refusal: because }) => because !== null))
})

t.test(
  'localhost is the upstream host itself: no name is looked up, and IPv6 is tried where IPv4 does not answer',
  async (t) => {
    const asked: string[] = []
    const upstream = (connection: Connection) =>
      connection.on('tcpip', (accept, reject, { destIP }) => {
        asked.push(destIP)
        if (destIP === '127.0.0.1') reject()
        else accept().end('here')
      })
    const s = await stage(t, { upstream, lookUp: addresses({}) })
    const channel = await forward(s.agent, 'LocalHost', 5432)
    t.equal((await collect(channel)).toString(), 'here')
    t.same(asked, ['127.0.0.1', '::1'])
    t.equal(s.policy.questions[0]?.command.shape.text, 'forward localhost:5432')
  },
)

t.test('what the upstream host says of a connection that fails is passed on with its reason', async (t) => {
  const upstream = (connection: Connection) => connection.on('tcpip', (_, reject) => reject())
  const s = await stage(t, { upstream })
  t.match(await failure(forward(s.agent, '10.0.0.1', 80)), { reason: 2 })
  t.match(s.record.outcomes, [{ outcome: { status: 'failed', code: 'connect-failed' } }])
  const silent = await stage(t)
  t.match(await failure(forward(silent.agent, '10.0.0.1', 80)), { reason: 1 })
  const away = await stage(t, { unreachable: refusal('upstream.unavailable') })
  t.match(await failure(forward(away.agent, '10.0.0.1', 80)), { reason: 2, message: /upstream\.unavailable/ })
  t.match(away.record.outcomes, [{ outcome: { status: 'failed', code: 'upstream.unavailable' } }])
})

t.test('a forward that cannot be recorded is refused', async (t) => {
  const asked: Asked[] = []
  const s = await stage(t, { upstream: hearing(asked) })
  s.record.fail('record.spool-full')
  t.match(await failure(forward(s.agent, '10.0.0.1', 80)), { reason: 1, message: /record\.spool-full/ })
  s.record.failure = null
  s.record.automatic = false
  const opening = failure(forward(s.agent, '10.0.0.1', 80))
  await until(() => s.record.decisions.length === 1, 'decided')
  t.same(asked, [], 'nothing is asked before the decision is on record')
  s.record.fail('record.unavailable')
  s.record.flush()
  t.match(await opening, { reason: 1, message: /record\.unavailable/ })
  t.same(asked, [])
  t.equal(s.forwarding.size, 0)
})

t.test('a forward held for people is opened when they grant it, and not one byte is lost', async (t) => {
  const asked: Asked[] = []
  const approval = new FakeApproval()
  const policy = new FakePolicy(({ grant }) => (grant === null ? approve('forward.ask') : ALLOW))
  const s = await stage(t, { policy, approval, upstream: hearing(asked) })
  const opening = forward(s.agent, '10.0.0.1', 80)
  await until(() => approval.holds.length === 1, 'held')
  t.same(asked, [])
  approval.holds[0]?.settle({ grant: { by: ['ann'], at: '2026-01-01T00:00:00Z', codes: ['forward.ask'] } })
  const channel = await opening
  channel.end('hello')
  t.equal((await collect(channel)).toString(), 'hello')
})

t.test('an agent that leaves while a forward is held withdraws it', async (t) => {
  const approval = new FakeApproval()
  const s = await stage(t, { policy: new FakePolicy(() => approve('forward.ask')), approval })
  const opening = failure(forward(s.agent, '10.0.0.1', 80))
  await until(() => approval.holds.length === 1, 'held')
  s.agent.end()
  await opening
  await until(() => approval.holds[0]?.signal.aborted === true, 'withdrawn')
  approval.holds[0]?.settle({ refusal: refusal('approval.withdrawn') })
  await until(() => s.forwarding.size === 0, 'settled')
  t.same(s.record.outcomes, [])
})

t.test('a mask and a limit of rows are refused, since what is forwarded is opaque', async (t) => {
  const mask = { column: null, detector: 'email', path: null, with: 'redact', policy: 'policy.test' } as const
  const s = await stage(t, { policy: new FakePolicy(() => ({ ...ALLOW, masks: [mask] })) })
  t.match(await failure(forward(s.agent, '10.0.0.1', 80)), { reason: 1, message: /obligation\.unsupported/ })
  s.policy.rule = () => ({ ...ALLOW, limits: { rows: 1, bytes: null, seconds: null } })
  t.match(await failure(forward(s.agent, '10.0.0.1', 80)), { reason: 1, message: /obligation\.unsupported/ })
})

t.test('a limit of bytes lets through exactly as many, of both directions together', async (t) => {
  const asked: Asked[] = []
  const policy = new FakePolicy(() => ({ ...ALLOW, limits: { rows: null, bytes: 100_000, seconds: null } }))
  const flood = (channel: Channel) => void channel.write(Buffer.alloc(500_000))
  const s = await stage(t, { policy, upstream: hearing(asked, flood) })
  const channel = await forward(s.agent, '10.0.0.1', 80)
  t.equal((await collect(channel)).length, 100_000)
  await until(() => s.record.outcomes.length === 1, 'settled')
  t.match(s.record.outcomes, [{ outcome: { status: 'refused', code: 'obligation.limit', bytes: 100_000 } }])
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})

t.test('a limit of seconds ends a forward that is idle', async (t) => {
  const policy = new FakePolicy(() => ({ ...ALLOW, limits: { rows: null, bytes: null, seconds: 1 } }))
  const s = await stage(t, { policy, upstream: hearing([]) })
  const channel = await forward(s.agent, '10.0.0.1', 80)
  t.equal((await collect(channel)).length, 0)
  t.match(s.record.outcomes, [{ outcome: { status: 'refused', code: 'obligation.limit' } }])
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
  policy.rule = () => ({ ...ALLOW, limits: { rows: null, bytes: null, seconds: 0 } })
  const none = forward(s.agent, '10.0.0.1', 80).then(collect, () => Buffer.alloc(0))
  t.equal((await none).length, 0, 'and none at all is over at once')
})

t.test('a policy that takes a forward back ends it on both sides', async (t) => {
  const asked: Asked[] = []
  const s = await stage(t, { upstream: hearing(asked) })
  const channel = await forward(s.agent, '10.0.0.1', 80)
  channel.write('before')
  await until(() => s.record.records.some(({ type }) => type === 'frame'), 'connected')
  s.policy.change(() => deny('forward.no-more'))
  await collect(channel)
  await until(() => s.record.outcomes.length === 1, 'settled')
  t.match(s.record.outcomes, [{ outcome: { status: 'refused', code: 'policy.revoked' } }])
  t.equal(s.forwarding.size, 0)
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})

t.test('a channel of a type that nobody knows is refused with reason 3, and that is recorded', async (t) => {
  const s = await stage(t)
  const wire = s.agent as unknown as {
    readonly _chanMgr: { add(done: unknown): number }
    readonly _protocol: { directTcpip(...all: unknown[]): void; _packetRW: unknown }
  }
  // The client knows only the types of its own: one of these, with another name of the same length.
  const opening = new Promise<{ reason: number; message: string }>((resolve) => {
    const done = Object.assign((error: { reason: number; message: string }) => resolve(error), { type: 'direct-tunip' })
    const packets = wire._protocol._packetRW as { write: { finalize(packet: Buffer): Buffer } }
    const { write } = packets
    const finalize = write.finalize.bind(write)
    write.finalize = (packet) => {
      write.finalize = finalize
      packet.write('direct-tunip', packet.indexOf('direct-tcpip'))
      return finalize(packet)
    }
    const to = { srcIP: '', srcPort: 0, dstIP: '10.0.0.1', dstPort: 1 }
    wire._protocol.directTcpip(wire._chanMgr.add(done), 1_000_000, 32_768, to)
  })
  t.match(await opening, { reason: 3, message: /command\.unsupported/ })
  t.match(s.record.decisions[0]?.command.shape.text, 'forward channel of type "direct-tunip"')
})

t.test('when the connection ends, what is under way is settled as lost', async (t) => {
  const s = await stage(t, { upstream: hearing([]) })
  const channel = await forward(s.agent, '10.0.0.1', 80)
  channel.write('x')
  s.agent.end()
  await until(() => s.record.outcomes.length === 1, 'settled')
  t.match(s.record.outcomes, [{ outcome: { status: 'lost', code: '' } }])
  await until(() => s.agentChannels.size === 0 && s.upstreamChannels.size === 0, 'no channel is left')
})
