import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { askAdmin } from '../../../src/commands/admin-port.ts'
import { serveAdmin } from '../../../src/commands/run/admin.ts'
import { json, MAX_CONNECTIONS, text } from '../../../src/commands/run/http.ts'
import { serveProbes } from '../../../src/commands/run/probes.ts'
import { isProof } from '../../../src/commands/run/proof.ts'
import { folder } from './fixture.ts'

const NO_SESSIONS = { sessions: () => json(200, []), end: () => json(404, {}) }
const LOOPBACK = { host: '127.0.0.1', port: 0 }

async function probes(t: Test, reasons: () => readonly string[]) {
  const sources = { notReady: reasons, metrics: async () => text(200, 'sidegate_ready 1') }
  const server = await serveProbes(LOOPBACK, sources)
  t.teardown(() => server.close())
  return (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, init)
}

type Test = { teardown(undo: () => void | Promise<void>): void }

t.test('probes say whether the sidecar lives, whether it takes commands, and why not', async (t) => {
  let reasons: readonly string[] = ['policy.unavailable: the bundle carries no signature']
  const get = await probes(t, () => reasons)
  t.equal((await get('/healthz')).status, 200)
  const unready = await get('/readyz')
  t.equal(unready.status, 503)
  t.match(await unready.text(), /policy\.unavailable/)
  reasons = []
  t.equal((await get('/readyz?verbose')).status, 200)
  t.equal(await (await get('/metrics')).text(), 'sidegate_ready 1\n')
})

t.test('the probe port serves nothing else and takes nothing', async (t) => {
  const get = await probes(t, () => [])
  for (const path of ['/', '/status', '/healthz/', '/../status', '/__proto__'])
    t.equal((await get(path)).status, 404, path)
  t.equal((await get('/healthz', { method: 'POST', body: 'x' })).status, 405)
  const head = await get('/healthz', { method: 'HEAD' })
  t.same([head.status, await head.text()], [200, ''])
})

t.test('headers without end are cut off', async (t) => {
  const get = await probes(t, () => [])
  t.equal((await get('/healthz', { headers: { 'x-long': 'x'.repeat(20_000) } })).status, 431)
})

t.test('status is for whoever holds the token of the moment', async (t) => {
  let token = 'first'
  const server = await serveAdmin(LOOPBACK, {
    token: async () => token,
    status: () => json(200, { ready: true }),
    ...NO_SESSIONS,
  })
  t.teardown(() => server.close())
  const get = (authorization?: string) =>
    fetch(`http://127.0.0.1:${server.port}/status`, { headers: authorization === undefined ? {} : { authorization } })
  t.same(await (await get('Bearer first')).json(), { ready: true })
  for (const wrong of [undefined, 'Bearer ', 'Bearer firs', 'Bearer first2', 'bearer first', 'Basic first', 'first']) {
    const refused = await get(wrong)
    t.equal(refused.status, 401, String(wrong))
    t.match(refused.headers.get('www-authenticate'), /Bearer/)
    t.notMatch(await refused.text(), /ready/)
  }
  token = 'second'
  t.equal((await get('Bearer first')).status, 401, 'a rotated token holds at once')
  t.equal((await get('Bearer second')).status, 200)
})

t.test('the admin port proves that it holds the token, once for each question', async (t) => {
  const server = await serveAdmin(LOOPBACK, { token: async () => 'token', status: () => json(200, {}), ...NO_SESSIONS })
  t.teardown(() => server.close())
  const ask = (query: string) => fetch(`http://127.0.0.1:${server.port}/proof${query}`)
  const [one, other] = ['0', '1'].map((digit) => digit.repeat(64))
  const { proof } = (await (await ask(`?nonce=${one}`)).json()) as { proof: string }
  t.ok(isProof(proof, 'token', one ?? ''))
  t.notOk(isProof(proof, 'token', other ?? ''))
  t.notOk(isProof(proof, 'tokem', one ?? ''))
  for (const wrong of [null, 7, '', `${proof}0`, proof.slice(1)]) t.notOk(isProof(wrong, 'token', one ?? ''))
  for (const query of ['', '?nonce=', '?nonce=12', `?nonce=${one}0`, `?nonce=${'g'.repeat(64)}`, `?n=${one}`]) {
    t.equal((await ask(query)).status, 400, query)
  }
})

t.test('whoever listens in place of the sidecar is not told the token', async (t) => {
  const heard: string[] = []
  const thief = createServer((request, response) => {
    heard.push(JSON.stringify([request.url, request.headers]))
    response.end('{"proof":"00","ready":true}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => thief.close())
  await once(thief, 'listening')
  const base = folder(t)
  const listen = { host: '127.0.0.1', port: (thief.address() as AddressInfo).port }
  const admin = { listen, tokenFile: join(base, 'token') }
  await t.rejects(askAdmin(admin, '/status'), /does not hold the token in .*, which was not sent there/)
  t.equal(heard.length, 1)
  t.notMatch(heard[0], 'the-token-of-the-tests')
})

t.test('a token that cannot be read lets nobody in', async (t) => {
  const server = await serveAdmin(LOOPBACK, {
    token: () => Promise.reject(new Error('/secret/path is gone')),
    status: () => json(200, { ready: true }),
    ...NO_SESSIONS,
  })
  t.teardown(() => server.close())
  const reply = await fetch(`http://127.0.0.1:${server.port}/status`, { headers: { authorization: 'Bearer x' } })
  t.equal(reply.status, 500)
  t.notMatch(await reply.text(), /secret/)
})

t.test('closing does not wait for a client that keeps its connection', async (t) => {
  const server = await serveProbes(LOOPBACK, { notReady: () => [], metrics: async () => text(200, '') })
  const kept = request({
    host: '127.0.0.1',
    port: server.port,
    path: '/healthz',
    headers: { connection: 'keep-alive' },
  })
  kept.on('error', () => {}).end()
  await new Promise((resolve) => kept.once('response', resolve))
  await server.close()
  t.pass()
})

t.test('sessions are listed and ended by whoever holds the token, with a reason for the record', async (t) => {
  const ended: [string, string][] = []
  const server = await serveAdmin(LOOPBACK, {
    token: async () => 'token',
    status: () => json(200, {}),
    sessions: () => json(200, [{ id: 'abc-1' }]),
    end: (session, reason) => {
      ended.push([session, reason])
      return json(200, { id: session, ending: true })
    },
  })
  t.teardown(() => server.close())
  const ask = (path: string, init: RequestInit = {}, token = 'token') =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { authorization: `Bearer ${token}` }, ...init })
  const end = (body: string, token = 'token', path = '/sessions/abc-1/end') =>
    ask(path, { method: 'POST', body }, token)
  t.same(await (await ask('/sessions')).json(), [{ id: 'abc-1' }])
  t.equal((await ask('/sessions', {}, 'other')).status, 401)
  t.equal((await end('{"reason":"left open"}', 'other')).status, 401)
  t.same(ended, [], 'nothing was ended without the token')
  t.same(await (await end('{"reason":"left open"}')).json(), { id: 'abc-1', ending: true })
  t.same(ended, [['abc-1', 'left open']])
  for (const body of ['', '{', 'null', '[]', '{}', '{"reason":1}', '{"reason":" "}', '{"reason":"two\\nlines"}']) {
    t.equal((await end(body)).status, 400, body)
  }
  t.equal((await end(JSON.stringify({ reason: 'x'.repeat(501) }))).status, 400)
  t.equal((await end(JSON.stringify({ reason: 'x'.repeat(10_000) }))).status, 413, 'a body without bounds is not read')
  t.equal((await ask('/sessions/abc-1/end')).status, 405)
  t.equal((await ask('/sessions', { method: 'POST', body: '{"reason":"x"}' })).status, 405)
  for (const path of ['/sessions/', '/sessions/a/b/end', '/sessions/%2e%2e/end', '/sessions/ABC/end']) {
    t.equal((await end('{"reason":"x"}', 'token', path)).status, 404, path)
  }
  t.equal(ended.length, 1)
})

t.test('an agent that holds all connections keeps nobody from the kill switch', async (t) => {
  const ended: string[] = []
  const server = await serveAdmin(LOOPBACK, {
    token: async () => 'token',
    status: () => json(200, {}),
    sessions: () => json(200, []),
    end: (session) => {
      ended.push(session)
      return json(200, { id: session, ending: true })
    },
  })
  const held: Socket[] = []
  const hold = async (said: string) => {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    held.push(socket)
    await once(socket, 'connect')
    socket.write(said)
  }
  t.teardown(async () => {
    for (const socket of held) socket.destroy()
    await server.close()
  })
  for (let count = 0; count < 2 * MAX_CONNECTIONS; count++) {
    await hold(count % 2 === 0 ? '' : 'POST /sessions/abc-1/end HTTP/1.1\r\nauthorization: Bea')
  }
  const reply = await fetch(`http://127.0.0.1:${server.port}/sessions/abc-1/end`, {
    method: 'POST',
    headers: { authorization: 'Bearer token' },
    body: '{"reason":"enough"}',
  })
  t.equal(reply.status, 200)
  t.same(ended, ['abc-1'])
})

t.test('a connection that never says a word is closed', async (t) => {
  const server = await serveProbes(LOOPBACK, { notReady: () => [], metrics: async () => text(200, '') })
  t.teardown(() => server.close())
  const silent = connect(server.port, '127.0.0.1').on('error', () => {})
  t.teardown(() => silent.destroy())
  silent.resume()
  await once(silent, 'close')
  t.pass('within the limit of the test')
})

t.test('an answer is the last on its connection, so that none is held by asking', async (t) => {
  const server = await serveProbes(LOOPBACK, { notReady: () => [], metrics: async () => text(200, '') })
  t.teardown(() => server.close())
  const socket = connect(server.port, '127.0.0.1')
  socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n')
  let said = ''
  for await (const part of socket) said += String(part)
  t.equal(said.match(/^HTTP/gm)?.length, 1)
  t.match(said, /connection: close/i)
})
