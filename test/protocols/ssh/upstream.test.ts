import { createServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { connectUpstream } from '../../../src/protocols/ssh/upstream.ts'
import { freePort } from '../../support/ports.ts'
import { startSshd } from '../../support/sshd.ts'
import { connect, end, log, prepare, refusalOf, run, targetOf } from './upstream/dialing.ts'
import { hostKey, startHost, targetAt } from './upstream/host.ts'

const UNAVAILABLE = { code: 'upstream.unavailable' }

/** A server that does nothing but accept, and whatever this does. */
async function listening(t: Test, accepted: (socket: Socket) => void = () => {}): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    accepted(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

t.test('A host that is away is unavailable, and the operator learns why', async (t) => {
  const { cause, ...told } = await refusalOf(connect(targetAt({ port: await freePort() })))
  t.same(told, { ...UNAVAILABLE, message: 'the target cannot be reached' })
  t.match(cause, /ECONNREFUSED/)
  const upstream = { host: 'no-such-host.invalid', hostKeys: [hostKey.line] }
  const named = await refusalOf(connect(targetOf({ upstream, credential: { user: 'deploy' } })))
  t.match(named, { ...UNAVAILABLE, message: 'the target cannot be reached', cause: /ENOTFOUND|EAI_AGAIN/ })
})

t.test('A host that says nothing is given up when the time for it is over', async (t) => {
  const silent = await listening(t)
  const begin = performance.now()
  const refusal = await refusalOf(connect(targetAt({ port: silent }, {}, { handshake: '200ms' })))
  t.match(refusal, { ...UNAVAILABLE, message: 'the target did not answer in time' })
  t.ok(performance.now() - begin < 2_000)
})

t.test('A host that stops in the middle is given up when the time for it is over', async (t) => {
  const host = await startHost({ authenticate: () => {} })
  t.teardown(() => host.close())
  const refusal = await refusalOf(connect(targetAt(host, {}, { handshake: '300ms' })))
  t.match(refusal, { ...UNAVAILABLE, message: 'the target did not answer in time' })
})

t.test('A host that hangs up, or speaks something else, is unavailable', async (t) => {
  for (const spoken of [
    null,
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    'SSH-1.5-old\r\n',
    'SSH-2.0-\r\n',
    '\0'.repeat(9_000),
  ]) {
    const port = await listening(t, (socket) => {
      if (spoken === null) socket.destroy()
      else socket.end(spoken)
    })
    t.match(
      await refusalOf(connect(targetAt({ port }, {}, { handshake: '2s' }))),
      UNAVAILABLE,
      JSON.stringify(spoken?.slice(0, 20)),
    )
  }
})

t.test('A host with old algorithms only is unavailable', async (t) => {
  const old = await startSshd({
    settings: { Ciphers: 'chacha20-poly1305@openssh.com', HostKeyAlgorithms: 'ssh-ed25519' },
  })
  t.teardown(() => old.stop())
  const upstream = { host: old.host, port: old.port, hostKeys: old.hostKeys }
  const message = 'the target and the sidecar have no algorithms in common'
  t.match(await refusalOf(connect(targetOf({ upstream, credential: { user: old.user } }))), { ...UNAVAILABLE, message })
})

t.test('A session that ends while its host is reached ends that too', async (t) => {
  const closed: Promise<void>[] = []
  const silent = await listening(t, (socket) => {
    closed.push(new Promise((resolve) => socket.resume().on('close', () => resolve())))
  })
  const side = await prepare(targetAt({ port: silent }))
  const ended = new AbortController()
  const connecting = refusalOf(connectUpstream(side, 'agent', ended.signal))
  while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  ended.abort(new Error('the agent left'))
  const message = 'connecting to the target was given up'
  t.match(await connecting, { ...UNAVAILABLE, message, cause: 'the agent left' })
  await Promise.all(closed)
  t.match(await refusalOf(connectUpstream(side, 'agent', AbortSignal.abort())), { ...UNAVAILABLE, message })
  t.equal(closed.length, 1, 'nobody is called for who has left before')
})

t.test('A signal that comes after the leg stands does nothing to it', async (t) => {
  const host = await startHost({ authenticate: (context) => context.accept() })
  t.teardown(() => host.close())
  const ended = new AbortController()
  const leg = await connect(targetAt(host, {}, { handshake: '300ms' }), { signal: ended.signal })
  ended.abort()
  await new Promise((resolve) => setTimeout(resolve, 400))
  t.equal(await run(leg, 'this'), 'ran this')
  await end(leg)
})

t.test(
  'Two hundred connections are made at once, each with a certificate of its own, and none is left over',
  async (t) => {
    const server = await startSshd({ hostCertificate: ['127.0.0.1'] })
    t.teardown(() => server.stop())
    const config = targetOf({
      upstream: { host: server.host, port: server.port, hostAuthorities: [server.hostAuthority.line] },
      credential: { user: server.user, certificate: { authorityFile: server.authority.file } },
    })
    const side = await prepare(config)
    const dial = (_: unknown, index: number) =>
      connectUpstream(side, 'agent', new AbortController().signal, `session-${index}`)
    const legs = await Promise.all(Array.from({ length: 200 }, dial))
    t.same(new Set(legs.map(({ host }) => host.by)), new Set(['authority']))
    t.equal(await run(legs[199] ?? legs[0] ?? (await connect(config)), 'echo it runs'), 'it runs\n')
    await Promise.all(legs.map(end))
    const keys = new Set(server.log().match(/ID sidegate:session=session-\d+,/g))
    t.equal(keys.size, 200)
  },
)

t.test('Nothing that was logged holds a secret', async (t) => {
  t.notMatch(log.join(''), /PRIVATE KEY/)
})
