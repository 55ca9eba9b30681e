import t from 'tap'
import { ALLOW, approve, deny, FakeApproval } from '../../../support/fakes.ts'
import { startKubernetesTarget } from '../../../support/kubernetes-target.ts'
import { EXEC, KEY, type Peer, startFakeApiServer, switched, until, upgrade } from './wire.ts'
import { OPCODE } from '../../../../src/protocols/kubernetes/streams/frames.ts'
import { acceptOf } from '../../../../src/protocols/kubernetes/streams/handshake.ts'

const server = await startFakeApiServer()
const approval = new FakeApproval()
const target = await startKubernetesTarget(server, { approval, config: { limits: { inFlight: '256KiB' } } })
t.teardown(async () => {
  await target.close()
  server.close()
})
const switches = server.answer
t.beforeEach(() => {
  target.policy.change(() => ALLOW)
  target.record.records.length = 0
  approval.holds.length = 0
  server.asked.length = 0
  server.peers.length = 0
  server.answer = switches
})

/** An exec whose both ends the test plays. */
async function joined(path?: string, changed?: Readonly<Record<string, string>>) {
  const { peer, head } = await upgrade(target, path, changed)
  await until('the API server is asked', () => server.peers.length === 1)
  return { agent: peer as Peer, upstream: server.peers[0] as Peer, head }
}

function codes(): (string | undefined)[] {
  return target.record.decisions.map((decision) => decision.refusal?.code)
}

t.test(
  'what reaches the API server is made anew: its own key and proof, and nothing that the agent put beside it',
  async (t) => {
    const { head } = await joined(EXEC, {
      Authorization: 'Bearer worthless',
      Cookie: 'a=b',
      Origin: 'https://elsewhere',
      'Sec-WebSocket-Extensions': 'permessage-deflate',
      'Sec-WebSocket-Protocol': 'base64url.bearer.authorization.k8s.io.c2VjcmV0, v4.channel.k8s.io, v5.channel.k8s.io',
      'User-Agent': 'agent/1',
    })
    t.match(head, /^HTTP\/1\.1 101 /)
    t.match(head, `Sec-WebSocket-Accept: ${acceptOf(KEY)}`)
    t.match(head, /Sec-WebSocket-Protocol: v4\.channel\.k8s\.io$/m)
    const { headers, url, method } = server.asked[0]?.incoming ?? {}
    t.equal(method, 'GET')
    t.equal(url, EXEC)
    t.match(headers, {
      authorization: 'Bearer real-token',
      'sec-websocket-protocol': 'v4.channel.k8s.io, v5.channel.k8s.io',
      'user-agent': 'agent/1',
    })
    t.not(headers?.['sec-websocket-key'], KEY)
    t.strictSame(Object.keys(headers ?? {}).toSorted(), [
      'accept',
      'accept-encoding',
      'audit-id',
      'authorization',
      'connection',
      'host',
      'sec-websocket-key',
      'sec-websocket-protocol',
      'sec-websocket-version',
      'upgrade',
      'user-agent',
    ])
  },
)

t.test('only exec, attach and port-forward become another connection', async (t) => {
  for (const path of [
    '/api/v1/namespaces/shop/pods?watch=true',
    '/api/v1/watch/namespaces/shop/secrets',
    '/api/v1/namespaces/shop/pods/web/log?follow=true',
    '/api/v1/namespaces/shop/services/web/proxy',
    '/apis/example.com/v1/namespaces/shop/pods/web/exec',
  ]) {
    const { status, body } = await upgrade(target, path)
    t.equal(status, 403, path)
    t.match(JSON.parse(body), { kind: 'Status', reason: 'Forbidden', message: /\[command\.unsupported\]/ })
  }
  t.equal(server.asked.length, 0)
  t.equal(codes().length, 5, 'each is on record')
})

t.test('a request to upgrade that is not in order is refused, and nothing goes upstream', async (t) => {
  const cases: readonly [string, number, Parameters<typeof upgrade>[2], Parameters<typeof upgrade>[3]?][] = [
    ['another protocol', 403, { Upgrade: 'h2c' }],
    ['two protocols', 403, { Upgrade: 'websocket, h2c' }],
    ['no subprotocol', 403, { 'Sec-WebSocket-Protocol': null }],
    ['base64', 403, { 'Sec-WebSocket-Protocol': 'base64.channel.k8s.io' }],
    ['an old WebSocket', 400, { 'Sec-WebSocket-Version': '8' }],
    ['no key', 400, { 'Sec-WebSocket-Key': null }],
    ['a POST', 400, {}, { method: 'POST' }],
    ['somebody else', 403, { 'Impersonate-User': 'admin' }],
    ['a body', 400, { 'Content-Length': '5' }, { raw: 'hello' }],
    ['a chunked body', 400, { 'Transfer-Encoding': 'chunked' }, { raw: '0\r\n\r\n' }],
    ['bytes that do not wait', 400, {}, { raw: '\x82\x80\0\0\0\0' }],
  ]
  for (const [what, status, changed, options] of cases) {
    t.equal((await upgrade(target, EXEC, changed, options)).status, status, what)
  }
  t.equal(server.asked.length, 0)
  t.equal(codes().length, cases.length)
})

t.test("an answer that switches nothing is the agent's answer, and a redirect leads nowhere", async (t) => {
  const answers: readonly [number, string][] = [
    [404, 'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
    [302, `HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:${server.port}/elsewhere\r\nContent-Length: 0\r\n\r\n`],
    [200, 'HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok'],
  ]
  for (const [status, bytes] of answers) {
    server.asked.length = 0
    server.answer = ({ socket }) => void socket.end(bytes)
    const answer = await upgrade(target)
    t.equal(answer.status, status)
    t.notMatch(answer.head, /location|upgrade:/i)
    t.equal(server.asked.length, 1)
  }
  t.strictSame(
    target.record.outcomes.map(({ outcome }) => outcome.code),
    ['404', '302', '200'],
  )
})

t.test('an API server that switches to something else is not believed', async (t) => {
  for (const changed of [
    { 'Sec-WebSocket-Accept': 'AAAA' },
    { 'Sec-WebSocket-Protocol': 'channel.k8s.io' },
    { Upgrade: 'SPDY/3.1' },
    { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
  ]) {
    server.answer = (asked) => void switched(asked, changed)
    const { peer } = await upgrade(target)
    await until('it is told', () => peer?.ended === true)
    t.match(peer?.on(2), /\[upstream\.unavailable\]/)
  }
})

t.test('an API server that is silent, leaves or talks nonsense is told of', async (t) => {
  for (const bytes of [
    '',
    'SSH-2.0-x\r\n',
    `HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
  ]) {
    server.answer = ({ socket }) => void socket.end(bytes)
    const { peer } = await upgrade(target)
    await until('it is told', () => peer?.ended === true)
    t.match(peer?.on(2), /\[upstream\.unavailable\]/)
  }
})

t.test('a credential that the API server does not accept is no business of the agent', async (t) => {
  server.answer = ({ socket }) => void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nsecret')
  const { peer } = await upgrade(target)
  await until('it is told', () => peer?.ended === true)
  t.match(peer?.on(2), /\[upstream\.rejected\]/)
  t.notMatch(peer?.on(3), /secret/)
})

t.test(
  'both sides are masked as each must be, pings are answered where they come from, and text is bytes',
  async (t) => {
    const { agent, upstream } = await joined()
    agent.frame(OPCODE.PING, Buffer.from('agent?'))
    upstream.frame(OPCODE.PING, Buffer.from('upstream?'))
    agent.frame(OPCODE.TEXT, Buffer.from('\0grüße'))
    agent.send(255, Buffer.of(0))
    upstream.send(1, 'out')
    upstream.send(2, 'err')
    upstream.send(3, '{"status":"Success"}')
    upstream.frame(OPCODE.CLOSE, Buffer.from([3, 232]))
    await until('the agent is told the end', () => agent.closeCode === 1000 && agent.ended)
    t.strictSame([agent.pongs, upstream.pongs], [['agent?'], ['upstream?']])
    t.strictSame([agent.pings, upstream.pings], [[], []])
    t.equal(upstream.on(0), 'grüße')
    t.strictSame(upstream.messages.at(-1), Buffer.from([255, 0]))
    t.strictSame([agent.on(1), agent.on(2), agent.on(3)], ['out', 'err', '{"status":"Success"}'])
    t.match(target.record.outcomes[0]?.outcome, { status: 'completed', code: '0' })
  },
)

t.test('an agent that breaks the protocol is told so and ends, and so does what it began', async (t) => {
  const wrong: Readonly<Record<string, (agent: Peer) => void>> = {
    'does not mask': (agent) => void agent.socket.write(Buffer.from([0x82, 0x01, 0x00])),
    'uses an extension': (agent) => void agent.socket.write(Buffer.from([0xc2, 0x80, 1, 2, 3, 4])),
    'sends output': (agent) => agent.send(1, 'x'),
    'closes what is not its input': (agent) => agent.send(255, Buffer.of(1)),
  }
  for (const [what, act] of Object.entries(wrong)) {
    server.peers.length = 0
    const { agent, upstream } = await joined()
    act(agent)
    await until('both have ended', () => agent.ended && upstream.ended)
    t.equal(agent.closeCode, 1002, what)
  }
  t.match(target.record.outcomes.at(-1)?.outcome, { status: 'cancelled', code: 'protocol.violation' })
})

t.test('an API server that breaks the protocol or is cut off is told of on the stream', async (t) => {
  for (const act of [
    (upstream: Peer) => upstream.send(0, 'input?'),
    (upstream: Peer) => void upstream.socket.write(Buffer.from([0x82, 0x81, 1, 2, 3, 4, 5])),
    (upstream: Peer) => void upstream.socket.destroy(),
  ]) {
    server.peers.length = 0
    const { agent, upstream } = await joined()
    act(upstream)
    await until('the agent is told', () => agent.ended)
    t.match(agent.on(2), /\[upstream\.unavailable\]/)
    t.match(JSON.parse(agent.on(3)), { status: 'Failure', reason: 'NonZeroExitCode' })
  }
  t.match(target.record.outcomes.at(-1)?.outcome, { status: 'lost', code: 'upstream.unavailable' })
})

t.test('an agent that leaves ends what it began', async (t) => {
  const { agent, upstream } = await joined()
  agent.send(0, 'last words')
  agent.frame(OPCODE.CLOSE, Buffer.from([3, 232]))
  await until('the API server hears of it', () => upstream.ended)
  t.equal(upstream.on(0), 'last words')
  t.match(target.record.outcomes[0]?.outcome, { status: 'cancelled' })
})

t.test('input that nobody asked to send goes nowhere', async (t) => {
  const { agent, upstream } = await joined('/api/v1/namespaces/shop/pods/web/exec?command=cat&stdout=true')
  agent.send(0, 'input')
  agent.send(4, '{"Width":1,"Height":2}')
  agent.frame(OPCODE.PING, Buffer.from('x'))
  await until('all was read', () => agent.pongs.length === 1)
  upstream.send(1, 'x')
  await until('output comes', () => agent.on(1) === 'x')
  t.strictSame(upstream.messages, [])
})

t.test('who waits for people is answered, and its pings are', async (t) => {
  target.policy.change(({ grant }) => (grant === null ? approve('test.people') : ALLOW))
  const { peer, status } = await upgrade(target)
  t.equal(status, 101)
  const agent = peer as Peer
  agent.frame(OPCODE.PING, Buffer.from('still there?'))
  agent.send(0, 'early')
  await until('a ping is answered', () => agent.pongs.length === 1)
  t.match(agent.on(2), /waiting for an approval/)
  t.equal(server.asked.length, 0, 'nothing goes upstream meanwhile')
  approval.holds[0]?.settle({ grant: { by: ['somebody'], at: new Date().toISOString(), codes: ['test.people'] } })
  await until('what came early goes on', () => server.peers[0]?.on(0) === 'early')
})

t.test('who waits for people fills no memory', async (t) => {
  target.policy.change(() => approve('test.people'))
  const { peer } = await upgrade(target)
  const agent = peer as Peer
  for (let sent = 0; sent < 200; sent++) agent.send(0, Buffer.alloc(64 * 1024))
  await new Promise((resolve) => setTimeout(resolve, 300))
  t.ok(agent.socket.writableLength > 1024 ** 2, 'it is not read beyond what may wait')
  agent.socket.destroy()
})

t.test('an agent that does not read keeps the API server from sending', async (t) => {
  const { agent, upstream } = await joined()
  agent.socket.pause()
  const chunk = Buffer.alloc(64 * 1024, 'x')
  for (let sent = 0; sent < 512; sent++) upstream.send(1, chunk)
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.ok(upstream.socket.writableLength > 8 * 1024 ** 2, 'most of 32 MiB waits where it came from')
  agent.socket.resume()
  await until(
    'all of it arrives',
    () => agent.messages.reduce((sum, { length }) => sum + length - 1, 0) === 512 * chunk.length,
  )
})

t.test('an agent that asks and asks, and reads no answer, is not read any more', async (t) => {
  const { agent } = await joined()
  agent.socket.pause()
  for (let sent = 0; sent < 200_000; sent++) agent.frame(OPCODE.PING, Buffer.alloc(125))
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  t.ok(agent.socket.writableLength > 1024 ** 2, 'its pings wait at its own side')
  agent.socket.destroy()
})

t.test('a tunnel carries bytes as they are, and keeps messages of channels whole', async (t) => {
  const path = '/api/v1/namespaces/shop/pods/web/portforward?ports=80'
  for (const protocol of ['SPDY/3.1+portforward.k8s.io', 'v4.channel.k8s.io']) {
    server.peers.length = 0
    const { agent, upstream } = await joined(path, { 'Sec-WebSocket-Protocol': protocol })
    const big = Buffer.alloc(100_000, 'y')
    agent.send(0, big)
    upstream.send(1, big)
    const all = (peer: Peer) => Buffer.concat(peer.messages).length === big.length + 1
    await until('both have arrived', () => all(agent) && all(upstream))
    if (protocol.startsWith('v4')) t.strictSame([agent.messages.length, upstream.messages.length], [1, 1])
    agent.frame(OPCODE.CLOSE, Buffer.alloc(0))
    await until('both have ended', () => agent.ended && upstream.ended)
  }
  t.match(
    target.record.frames.map(({ data }) => data.toString()),
    [
      'opaque: SPDY/3.1+portforward.k8s.io',
      '100001 bytes from the agent, 100001 bytes to it',
      'opaque: v4.channel.k8s.io',
      '100001 bytes from the agent, 100001 bytes to it',
    ],
  )
})

t.test('a tunnel has ended well, and says what passed, however its agent leaves', async (t) => {
  const path = '/api/v1/namespaces/shop/pods/web/portforward?ports=80'
  const leave = {
    'with a word': (agent: Peer) => agent.frame(OPCODE.CLOSE, Buffer.alloc(0)),
    'without one': (agent: Peer) => void agent.socket.end(),
    // A kernel resets a connection that is closed with something unread.
    'with a reset': async (agent: Peer, upstream: Peer) => {
      agent.socket.pause()
      upstream.send(1, Buffer.alloc(300_000))
      await until('something is unread', () => upstream.socket.writableLength === 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
      agent.socket.destroy()
    },
  }
  for (const [how, go] of Object.entries(leave)) {
    server.peers.length = 0
    target.record.records.length = 0
    const { agent, upstream } = await joined(path, { 'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io' })
    agent.send(0, 'abc')
    await until('it has arrived', () => upstream.messages.length === 1)
    await go(agent, upstream)
    await until('it is settled', () => target.record.outcomes.length === 1)
    t.match(target.record.outcomes[0]?.outcome, { status: 'completed' }, how)
    t.match(target.record.frames.at(-1)?.data.toString(), /^4 bytes from the agent, \d+ bytes to it$/, how)
    await until('the API server is left', () => upstream.ended)
  }
})

t.test('a tunnel whose agent breaks the protocol has not ended well', async (t) => {
  const path = '/api/v1/namespaces/shop/pods/web/portforward?ports=80'
  const { agent, upstream } = await joined(path, { 'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io' })
  // Frames of clients are masked.
  agent.socket.write(Buffer.of(0x82, 0x01, 0x00))
  await until('both have ended', () => agent.ended && upstream.ended)
  t.match(target.record.outcomes[0]?.outcome, { status: 'cancelled', code: 'protocol.violation' })
  t.match(target.record.frames.at(-1)?.data.toString(), '0 bytes from the agent, 0 bytes to it')
})

t.test('a tunnel that is refused is refused before anything switches', async (t) => {
  target.policy.change(() => deny('test.denied'))
  const { status, body } = await upgrade(target, '/api/v1/namespaces/shop/pods/web/portforward', {
    'Sec-WebSocket-Protocol': 'SPDY/3.1+portforward.k8s.io',
  })
  t.equal(status, 403)
  t.match(JSON.parse(body), { message: /\[test\.denied\]/ })
  t.equal(server.asked.length, 0)
})

t.test('exec is told apart by what it would become', async (t) => {
  target.policy.change(({ command }) => (command.shape.detail['upgrade'] === 'websocket' ? ALLOW : deny('test.denied')))
  const spdy = { Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io', 'Sec-WebSocket-Key': null }
  t.equal((await upgrade(target, EXEC, spdy, { method: 'POST' })).status, 403)
  t.equal((await upgrade(target)).status, 101)
})

t.test('a request to upgrade whose decision cannot be recorded is told so, before anything switches', async (t) => {
  const { record } = target
  record.automatic = false
  t.teardown(() => void Object.assign(record, { automatic: true, failure: null }))
  for (const path of ['log', 'portforward']) {
    for (const code of ['record.unavailable', 'record.spool-full'] as const) {
      record.records.length = 0
      record.failure = null
      const answer = upgrade(target, `/api/v1/namespaces/shop/pods/web/${path}`, {
        'Sec-WebSocket-Protocol': 'v4.channel.k8s.io',
      })
      await until('it is ruled', () => record.decisions.length > 0)
      record.fail(code)
      record.flush()
      const { status, body } = await answer
      t.equal(status, 503, path)
      t.match(JSON.parse(body), { kind: 'Status', reason: 'ServiceUnavailable', code: 503 })
      t.match(body, `[${code}]`)
    }
  }
  t.equal(server.asked.length, 0)
})
