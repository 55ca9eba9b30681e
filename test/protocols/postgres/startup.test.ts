import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import pg from 'pg'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import {
  encodeCancelRequest,
  encodeGSSENCRequest,
  encodePassword,
  encodeQuery,
  encodeSSLRequest,
  encodeStartup,
  PROTOCOL_3_0,
  PROTOCOL_3_2,
} from '../../../src/protocols/postgres/messages.ts'
import { startPostgres } from '../../support/postgres.ts'
import { removeAtExit, run } from '../../support/process.ts'
import { createAuthority } from '../../support/tls.ts'
import { RawClient } from './raw-client.ts'
import { startWireRelay, target, type WireRelay } from './wire-relay.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-startup-'))
removeAtExit(directory)
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const server = await startPostgres()
t.teardown(async () => await server.stop())
const authority = createAuthority()
const certificate = authority.issue()
const ca = file('ca.pem', authority.cert)
const tls = { cert: file('cert.pem', certificate.cert), key: file('key.pem', certificate.key) }
const upstream = { host: server.host, port: server.port, tls: 'disable' }
const credential = { user: server.user, passwordFile: file('upstream', `${server.password}\n`) }
const users = {
  agent: { passwordFile: file('agent', 'agent-secret\n') },
  weird: { passwordFile: file('weird', 'p\u00a0äIX\u00ad') },
}

async function relay(t: Test, settings: Record<string, unknown> = {}, remote = false): Promise<WireRelay> {
  const started = await startWireRelay(target({ upstream, credential, ...settings }), remote)
  t.teardown(async () => await started.close())
  return started
}

async function raw(t: Test, { port }: WireRelay): Promise<RawClient> {
  const client = await RawClient.open(port)
  t.teardown(() => client.destroy())
  return client
}

const startup = (parameters: Record<string, string>, version: number = PROTOCOL_3_0) =>
  encodeStartup(version, Object.entries({ user: 'agent', database: 'postgres', ...parameters }))

async function psql(
  port: number,
  settings: string,
  sql = 'SELECT current_user, 6*7',
  env: Record<string, string> = {},
) {
  const line = `host=127.0.0.1 port=${port} dbname=postgres connect_timeout=5 ${settings}`
  return await run('psql', ['-XAtq', '-c', sql, line], { env: { ...process.env, ...env }, ms: 10_000 })
}

t.test('an agent on loopback connects without a proof, and acts as the workload', async (t) => {
  const gate = await relay(t)
  const found = await psql(gate.port, 'user=whoever')
  t.equal(found.stdout, 'postgres|42\n', found.stderr)
  t.match(gate.accepted[0], {
    kind: 'session',
    user: 'whoever',
    principal: { subject: 'system:serviceaccount:shop:agent', issuer: 'workload' },
  })
})

t.test('without a proof, nobody connects from elsewhere', async (t) => {
  const gate = await relay(t, {}, true)
  const found = await psql(gate.port, 'user=whoever')
  t.equal(found.code, 2)
  t.match(found.stderr, /without a proof, only loopback may connect/)
  t.match(found.stderr, /DETAIL: {2}identity.missing/)
})

t.test('psql proves its own password by SCRAM, bound to our TLS channel, and a wrong one is refused', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users, tls } })
  const bound = `user=agent sslmode=verify-full sslrootcert=${ca} channel_binding=require`
  const right = await psql(gate.port, bound, undefined, { PGPASSWORD: 'agent-secret' })
  t.equal(right.stdout, 'postgres|42\n', right.stderr)
  const plain = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'agent-secret' })
  t.equal(plain.stdout, 'postgres|42\n', plain.stderr)
  const wrong = await psql(gate.port, bound, undefined, { PGPASSWORD: 'other' })
  t.match(wrong.stderr, /password authentication failed for user "agent"/)
  t.equal(wrong.stdout, '')
  t.match(gate.accepted[0], { encrypted: true, principal: { subject: 'agent', issuer: 'password' } })
})

t.test('psql sends a token as its password, inside TLS or on loopback and nowhere else', async (t) => {
  const pair = await generateKeyPair('ES256')
  const keys = { file: file('keys.json', JSON.stringify({ keys: [await exportJWK(pair.publicKey)] })) }
  const demands = { issuer: 'https://issuer.test', audience: 'orders' }
  const token = async (audience: string) =>
    await new SignJWT({ sub: 'agent-7', iss: demands.issuer, aud: audience, act: { sub: 'planner' } })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('1m')
      .sign(pair.privateKey)
  const gate = await relay(t, { agent: { authenticate: 'jwt', ...demands, keys, tls } })
  for (const mode of [`verify-full sslrootcert=${ca}`, 'disable']) {
    const found = await psql(gate.port, `user=a sslmode=${mode}`, undefined, { PGPASSWORD: await token('orders') })
    t.equal(found.stdout, 'postgres|42\n', found.stderr)
  }
  t.match(gate.accepted[0], { principal: { subject: 'agent-7', chain: [{ subject: 'planner' }] } })
  const other = await psql(gate.port, 'user=a sslmode=disable', undefined, { PGPASSWORD: await token('elsewhere') })
  t.match(other.stderr, /token authentication failed for user "a": the token’s claim aud was not accepted/)
  t.match(other.stderr, /DETAIL: {2}identity.invalid/)
  const open = await relay(t, { agent: { authenticate: 'jwt', ...demands, keys } }, true)
  const remote = await psql(open.port, 'user=a', undefined, { PGPASSWORD: await token('orders') })
  t.match(remote.stderr, /a token may only be sent inside TLS/)
})

t.test('a user that is not known is asked and refused exactly like one that is', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users } })
  const known = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'wrong' })
  const unknown = await psql(gate.port, 'user=nobody sslmode=disable', undefined, { PGPASSWORD: 'wrong' })
  const words = (text: string) => text.replaceAll(/agent|nobody/g, 'X')
  t.equal(words(unknown.stderr), words(known.stderr))
  t.match(known.stderr, /password authentication failed/)
})

t.test('a password beyond ASCII is prepared as libpq prepares it', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users } })
  for (const password of ['p\u00a0äIX\u00ad', 'p a\u0308IX', 'p äⅨ']) {
    const found = await psql(gate.port, 'user=weird sslmode=disable', undefined, { PGPASSWORD: password })
    t.equal(found.stdout, 'postgres|42\n', found.stderr)
  }
})

t.test('a rotated password holds at the next connection', async (t) => {
  const passwordFile = file('rotated', 'first')
  const gate = await relay(t, { agent: { authenticate: 'password', users: { agent: { passwordFile } } } })
  const ask = async (password: string) =>
    (await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: password })).code
  t.equal(await ask('first'), 0)
  file('rotated', 'second')
  t.equal(await ask('first'), 2)
  t.equal(await ask('second'), 0)
})

t.test('node-postgres and postgres.js connect in plain, over TLS, and directly in TLS', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users, tls } })
  const options = { host: '127.0.0.1', port: gate.port, user: 'agent', password: 'agent-secret', database: 'postgres' }
  const ssl = { ca: authority.cert }
  for (const more of [{}, { ssl }, { ssl, sslnegotiation: 'direct' as const }, { ssl, enableChannelBinding: true }]) {
    const client = new pg.Client({ ...options, ...more })
    await client.connect()
    t.strictSame((await client.query('SELECT $1::int + 1 AS n', [41])).rows, [{ n: 42 }])
    await client.end()
  }
  for (const more of [{}, { ssl }, { ssl, sslnegotiation: 'direct' as const }]) {
    const sql = postgres({ ...options, ...more, max: 1 })
    t.match(await sql`SELECT ${41}::int + 1 AS n`, [{ n: 42 }])
    await sql.end()
  }
  t.strictSame(
    gate.accepted.map((one) => one.kind === 'session' && one.encrypted),
    [false, true, true, true, false, true, true],
  )
})

t.test('direct TLS without the protocol name in ALPN is closed without a word', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'none', tls } })
  for (const ALPNProtocols of [undefined, ['http/1.1']]) {
    const client = await raw(t, gate)
    try {
      await client.secure({ ca: authority.cert, ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }) })
      client.send(startup({}))
      t.strictSame(await client.closed(), Buffer.alloc(0))
    } catch (error) {
      t.match(error, { code: /SSL|ECONNRESET/ }, 'the handshake itself fails')
    }
  }
  t.strictSame(
    gate.accepted.map((one) => one.kind),
    ['lost', 'lost'],
  )
})

t.test('a target with a certificate accepts plain connections from loopback only', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users, tls } }, true)
  const found = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'agent-secret' })
  t.match(found.stderr, /accepts TLS connections only/)
})

t.test('bytes that come with an SSLRequest are never taken for bytes inside TLS', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'none', tls } })
  const client = await raw(t, gate)
  client.send(encodeSSLRequest(), startup({}))
  t.match(await client.error(), { C: '08P01', D: 'protocol.violation', V: 'FATAL' })
  await client.closed()
})

t.test('GSSENCRequest and SSLRequest are each answered once, in either order', async (t) => {
  const gate = await relay(t)
  for (const [one, other] of [
    [encodeGSSENCRequest(), encodeSSLRequest()],
    [encodeSSLRequest(), encodeGSSENCRequest()],
  ] as const) {
    const client = await raw(t, gate)
    client.send(one)
    t.equal(await client.byte(), 'N')
    client.send(other)
    t.equal(await client.byte(), 'N')
    client.send(one)
    t.match(await client.error(), { C: '08P01' })
  }
})

t.test('inside TLS neither encryption can be asked for again', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'none', tls } })
  const client = await raw(t, gate)
  client.send(encodeSSLRequest())
  t.equal(await client.byte(), 'S')
  await client.secure({ ca: authority.cert, host: 'localhost' })
  client.send(encodeSSLRequest())
  t.match(await client.error(), { C: '08P01' })
})

t.test('newer protocols and unknown options are negotiated down before anything else is said', async (t) => {
  const gate = await relay(t)
  const negotiated = async (version: number, parameters: Record<string, string>) => {
    const client = await raw(t, gate)
    client.send(startup(parameters, version))
    const { type, bytes } = await client.frame()
    return type === 'v' ? { version: bytes.readUInt32BE(5), rest: bytes.subarray(9).toString('latin1') } : type
  }
  t.equal(await negotiated(PROTOCOL_3_0, {}), 'R')
  t.equal(await negotiated(PROTOCOL_3_2, {}), 'R')
  t.strictSame(await negotiated(PROTOCOL_3_0, { '_pq_.x': '1', '_pq_.y': '' }), {
    version: PROTOCOL_3_0,
    rest: '\0\0\0\x02_pq_.x\0_pq_.y\0',
  })
  t.match(await negotiated(0x0003270f, { '_pq_.test_protocol_negotiation': '' }), { version: PROTOCOL_3_2 })
  const client = await raw(t, gate)
  client.send(startup({}, 0x00040000))
  t.match(await client.error(), { C: '0A000', V: 'FATAL', M: /unsupported frontend protocol 4.0/ })
})

t.test('an agent that speaks 3.2 gets a cancel key of 32 bytes, one that speaks 3.0 gets 4', async (t) => {
  const gate = await relay(t)
  for (const [version, size] of [
    [PROTOCOL_3_0, 4],
    [PROTOCOL_3_2, 32],
  ] as const) {
    const client = await raw(t, gate)
    client.send(startup({}, version))
    for (let frame = await client.frame(); frame.type !== 'Z'; frame = await client.frame()) {
      if (frame.type === 'K') t.equal(frame.bytes.length, 9 + size)
    }
  }
})

t.test('the target is told only what is allowed, and the pins hold whatever the agent asks for', async (t) => {
  const gate = await relay(t, { searchPath: ['shop', 'public'] })
  const client = new pg.Client({
    host: '127.0.0.1',
    port: gate.port,
    user: 'agent',
    database: 'postgres',
    application_name: 'my\u00e4pp',
    options: String.raw`-c timezone=Europe/Berlin --statement_timeout=7s -cDateStyle=ISO,\ DMY -c search_path=shop,public`,
  })
  await client.connect()
  const shown = async (name: string) =>
    Object.values(((await client.query(`SHOW ${name}`)).rows as object[])[0] ?? {})[0]
  t.equal(await shown('TimeZone'), 'Europe/Berlin')
  t.equal(await shown('statement_timeout'), '7s')
  t.equal(await shown('DateStyle'), 'ISO, DMY')
  t.equal(await shown('application_name'), 'my?pp')
  t.equal(await shown('search_path'), '"shop", "public", "pg_temp"')
  await client.query('SET search_path TO other; SET client_encoding TO latin1')
  await client.query('DISCARD ALL')
  t.equal(await shown('search_path'), '"shop", "public", "pg_temp"')
  t.equal(await shown('client_encoding'), 'UTF8')
  await client.end()
})

t.test('every spelling of UTF-8 that drivers use is accepted', async (t) => {
  const gate = await relay(t)
  for (const encoding of ['UTF8', 'utf-8', "'utf-8'", 'unicode', 'SQL_ASCII']) {
    const client = await raw(t, gate)
    client.send(startup({ client_encoding: encoding }))
    t.equal((await client.frame()).type, 'R', encoding)
  }
})

t.test(
  'settings that are not on the list, replication and duplicates are refused at start-up, and say what would do',
  async (t) => {
    const gate = await relay(t, { databases: ['postgres'] })
    const refused = async (...parameters: [string, string][]) => {
      const client = await raw(t, gate)
      client.send(encodeStartup(PROTOCOL_3_0, [['user', 'agent'], ['database', 'postgres'], ...parameters]))
      const error = await client.error()
      await client.closed()
      return error
    }
    t.match(await refused(['client_encoding', 'LATIN1']), { C: '22023', D: 'target.forbidden', V: 'FATAL' })
    t.match(await refused(['search_path', 'evil']), { C: '22023', H: /public/ })
    t.match(await refused(['standard_conforming_strings', 'off']), { C: '22023' })
    t.match(await refused(['role', 'postgres']), { C: '42501', M: /"role"/, H: /statement_timeout/ })
    t.match(await refused(['ROLE', 'postgres']), { C: '42501' })
    t.match(await refused(['session_preload_libraries', 'x']), { C: '42501' })
    t.match(await refused(['options', '-c role=postgres']), { C: '42501', M: /"role"/ })
    t.match(await refused(['options', '--role=postgres']), { C: '42501', M: /"role"/ })
    t.match(await refused(['options', '-crole=postgres']), { C: '42501', M: /"role"/ })
    t.match(await refused(['options', '-P']), { C: '42501', M: /only settings/ })
    t.match(await refused(['options', '-c TimeZone=UTC -c timezone=GMT']), { C: '42501', M: /twice/ })
    t.match(await refused(['TimeZone', 'UTC'], ['timezone', 'GMT']), { C: '42501', M: /twice/ })
    t.match(await refused(['user', 'postgres']), { C: '42501', M: /twice/ })
    t.match(await refused(['replication', 'database']), { C: '42501', M: /replication/ })
  },
)

t.test('only the databases and users of the target are offered, and the refusal comes after the proof', async (t) => {
  const settings = { databases: ['orders'], agent: { authenticate: 'password', users } }
  const gate = await relay(t, settings)
  const found = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'agent-secret' })
  t.match(found.stderr, /database "postgres" is not offered/)
  t.match(found.stderr, /HINT: {2}offered: orders/)
  const wrong = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'no' })
  t.notMatch(wrong.stderr, /orders/)
  const mapped = await relay(t, { credential: { users: { reader: credential } } })
  t.match((await psql(mapped.port, 'user=other')).stderr, /role "other" is not offered/)
  t.match((await psql(mapped.port, 'user=toString')).stderr, /role "toString" is not offered/)
})

t.test('a message that is not the one asked for ends the handshake', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users } })
  const say = async (bytes: Buffer) => {
    const client = await raw(t, gate)
    client.send(startup({}))
    t.equal((await client.frame()).type, 'R')
    client.send(bytes)
    return await client.error()
  }
  t.match(await say(encodeQuery('SELECT 1')), { C: '08P01', V: 'FATAL' })
  t.match(await say(encodePassword('agent-secret')), { C: '08P01' })
  t.match(await say(Buffer.from([0x70, 0, 1, 0, 0])), { C: '08P01', M: /65536 bytes, and 65535 are permitted/ })
})

t.test('an agent that says nothing is let go when its time is up', async (t) => {
  const gate = await relay(t, { limits: { handshake: '150ms' } })
  const silent = await raw(t, gate)
  t.match(await silent.error(), { C: '57014', D: 'session.limit' })
  const slow = await raw(t, gate)
  slow.send(startup({}).subarray(0, 7))
  t.match(await slow.error(), { C: '57014' })
  await slow.closed()
})

t.test('an agent that asks for TLS and then says nothing, or leaves, is let go', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'none', tls }, limits: { handshake: '300ms' } })
  for (const said of [encodeSSLRequest(), Buffer.from([0x16, 3, 1, 0, 5])]) {
    const silent = await raw(t, gate)
    silent.send(said)
    await silent.closed()
  }
  t.match(gate.accepted[0], { kind: 'refused', refusal: { code: 'session.limit' } })
  const patient = await relay(t, { agent: { authenticate: 'none', tls } })
  const leaving = await raw(t, patient)
  leaving.send(encodeSSLRequest())
  t.equal(await leaving.byte(), 'S')
  leaving.socket.end()
  await leaving.closed()
  t.match(patient.accepted[0], { kind: 'lost' })
})

t.test('whatever an agent sends first, it is refused or let go, and the next one is served', async (t) => {
  const gate = await relay(t, { agent: { authenticate: 'password', users, tls }, limits: { handshake: '2s' } })
  const pieces = fc.constantFrom<Uint8Array>(
    encodeSSLRequest(),
    encodeGSSENCRequest(),
    startup({}),
    startup({ x: 'y' }),
    encodePassword('x'),
    encodeQuery('SELECT 1'),
    encodeCancelRequest(1, Buffer.alloc(4)),
    Buffer.from([0x16, 3, 1, 0, 5]),
  )
  const script = fc.array(fc.oneof(pieces, fc.uint8Array({ maxLength: 30 })), { maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(script, async (parts) => {
      const client = await RawClient.open(gate.port)
      client.send(...parts)
      client.socket.end()
      await client.closed()
      client.destroy()
    }),
    { numRuns: 60 },
  )
  t.notOk(gate.accepted.some((one) => one.kind === 'session'))
  t.strictSame(gate.failures, [])
  const found = await psql(gate.port, 'user=agent sslmode=disable', undefined, { PGPASSWORD: 'agent-secret' })
  t.equal(found.stdout, 'postgres|42\n')
})

t.test('an agent that leaves while the target is being reached ends that attempt', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const gate = await relay(t, { upstream: { ...upstream, port } })
  const arrival = once(silent, 'connection')
  const client = await raw(t, gate)
  client.send(startup({}))
  const [socket] = (await arrival) as [Socket]
  const gone = once(socket.on('error', () => {}).resume(), 'close')
  client.destroy()
  await gone
  t.match(gate.failures, [{ code: 'upstream.unavailable' }])
  silent.close()
})

t.test('a start-up packet may come byte by byte, and a query right behind it is not lost', async (t) => {
  const gate = await relay(t)
  const client = await raw(t, gate)
  for (const byte of startup({})) {
    client.send(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  client.send(encodeQuery("SELECT 'at once'"))
  const seen: string[] = []
  while (seen.filter((type) => type === 'Z').length < 2) seen.push((await client.frame()).type)
  t.match(seen.join(''), /^RS+KZTDCZ$/)
})

t.test('a cancel with our key reaches the backend, one with another key does nothing', async (t) => {
  const gate = await relay(t)
  const client = await raw(t, gate)
  client.send(startup({}))
  let key = Buffer.alloc(0)
  for (let frame = await client.frame(); frame.type !== 'Z'; frame = await client.frame()) {
    if (frame.type === 'K') key = Buffer.from(frame.bytes.subarray(5))
  }
  client.send(encodeQuery('DO $$ BEGIN PERFORM pg_sleep(30); END $$'))
  const cancel = async (secret: Buffer) => {
    const other = await raw(t, gate)
    other.send(encodeCancelRequest(key.readInt32BE(0), secret))
    t.strictSame(await other.closed(), Buffer.alloc(0), 'there is no answer')
  }
  const secret = key.subarray(4)
  await cancel(Buffer.from(secret.map((byte) => byte ^ 1)))
  await cancel(Buffer.concat([secret, Buffer.from([0])]))
  const failed = client.error()
  t.equal(await Promise.race([failed, sleep(200)]), undefined)
  await cancel(secret)
  t.match(await failed, { C: '57014' })
  t.equal((await client.frame()).type, 'Z')
})

t.test('a renewed certificate is used by the next connection', async (t) => {
  const files = { cert: file('renewed.pem', certificate.cert), key: file('renewed.key', certificate.key) }
  const gate = await relay(t, { agent: { authenticate: 'none', tls: files } })
  const connects = async (trusted: string) =>
    (await psql(gate.port, `user=x sslmode=verify-full sslrootcert=${trusted}`)).code === 0
  t.ok(await connects(ca))
  const other = createAuthority('another authority')
  const renewed = other.issue()
  file('renewed.key', renewed.key)
  file('renewed.pem', renewed.cert)
  const otherCa = file('other.pem', other.cert)
  t.ok(await connects(otherCa))
  t.notOk(await connects(ca))
})
