import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PostgresTargetConfig } from '../../../src/config/schema.ts'
import { encodeAuthenticationOk } from '../../../src/protocols/postgres/messages.ts'
import {
  cancelUpstream,
  connectUpstream,
  searchPathSetting,
  type UpstreamRequest,
} from '../../../src/protocols/postgres/upstream.ts'
import { openQueries } from '../../../src/protocols/postgres/upstream/queries.ts'
import { startPostgres } from '../../support/postgres.ts'
import { removeAtExit } from '../../support/process.ts'
import { createAuthority } from '../../support/tls.ts'
import { target } from './wire-relay.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-upstream-'))
removeAtExit(directory)
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const authority = createAuthority()
const server = await startPostgres({
  tls: authority.issue(),
  settings: { password_encryption: 'scram-sha-256' },
  hba: [
    'hostssl all tls_only 127.0.0.1/32 scram-sha-256',
    'hostnossl all tls_only 127.0.0.1/32 reject',
    'host all md5_user 127.0.0.1/32 md5',
    'host all plain_user 127.0.0.1/32 password',
    'host all trusted 127.0.0.1/32 trust',
    'host all nobody 127.0.0.1/32 reject',
    'host all all 127.0.0.1/32 scram-sha-256',
  ],
})
t.teardown(async () => await server.stop())
await server.sql(
  "CREATE ROLE tls_only LOGIN PASSWORD 's3cret'; CREATE ROLE plain_user LOGIN PASSWORD 'pl\u00e4in'; CREATE ROLE trusted LOGIN",
)
await server.sql("SET password_encryption = 'md5'; CREATE ROLE md5_user LOGIN PASSWORD 'old'")
await server.sql(
  "CREATE ROLE odd LOGIN PASSWORD 'p\u00a0\u00e4\u2168\u00ad'; CREATE ROLE raw LOGIN PASSWORD 'a\u0007\u2168'",
)
const ca = file('ca.pem', authority.cert)
const otherCa = file('other.pem', createAuthority('another').cert)

type Config = PostgresTargetConfig['upstream']
const config = (more: Record<string, unknown> = {}): Config =>
  target({ upstream: { host: '127.0.0.1', port: server.port, ca, ...more } }).upstream

const request = (user: string, password: string | null, more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  user,
  password: async () => password,
  database: 'postgres',
  searchPath: ['public'],
  applicationName: 'test',
  settings: [],
  protocol: 0x00030000,
  timeout: 2_000,
  signal: AbortSignal.timeout(5_000),
  limits: { message: 1024 * 1024, inFlight: 65_536 },
  ...more,
})

async function ask(at: Config, asked: UpstreamRequest, sql: string): Promise<(string | null)[][]> {
  const queries = await openQueries(at, asked)
  try {
    return await queries.query(sql)
  } finally {
    queries.close()
  }
}

const channel = `SELECT current_user, coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), 'plain')`

t.test('the target is reached in every mode of TLS, and refused where it cannot prove who it is', async (t) => {
  const asked = request(server.user, server.password)
  for (const tls of ['verify-full', 'verify-ca', 'require'] as const) {
    t.strictSame(await ask(config({ tls }), asked, channel), [['postgres', 'TLSv1.3']], tls)
  }
  t.strictSame(await ask(config({ tls: 'disable' }), asked, channel), [['postgres', 'plain']])
  t.strictSame(await ask(config({ tls: 'require', ca: otherCa }), asked, channel), [['postgres', 'TLSv1.3']])
  const untrusted = { code: 'upstream.untrusted', sqlstate: '08001' }
  await t.rejects(ask(config({ ca: otherCa }), asked, channel), untrusted)
  await t.rejects(ask(config({ tls: 'verify-ca', ca: otherCa }), asked, channel), untrusted)
  await t.rejects(ask(config({ serverName: 'db.example.com' }), asked, channel), untrusted)
  t.match(await ask(config({ tls: 'verify-ca', serverName: 'db.example.com' }), asked, channel), [['postgres']])
  t.match(await ask(config({ serverName: 'localhost' }), asked, channel), [['postgres']])
  await t.rejects(ask(config({ ca: join(directory, 'none.pem') }), asked, channel), untrusted)
})

t.test('SCRAM, MD5 and cleartext prove the credential where they are allowed, and nowhere else', async (t) => {
  t.match(await ask(config(), request('tls_only', 's3cret'), channel), [['tls_only']])
  t.match(await ask(config(), request('odd', 'p \u00e4IX'), channel), [['odd']])
  t.match(await ask(config(), request('raw', 'a\u0007\u2168'), channel), [['raw']])
  t.match(await ask(config(), request('trusted', null), channel), [['trusted']])
  const rejected = { code: 'upstream.rejected', sqlstate: '08004' }
  for (const [user, password, way] of [
    ['md5_user', 'old', 'md5'],
    ['plain_user', 'pl\u00e4in', 'cleartext'],
  ] as const) {
    await t.rejects(ask(config(), request(user, password), channel), rejected, `${way} is not allowed`)
    t.match(await ask(config({ allow: [way] }), request(user, password), channel), [[user]])
    t.match(
      await ask(config({ allow: [way], tls: 'disable' }), request(user, password), channel),
      [[user]],
      'on loopback',
    )
  }
  await t.rejects(ask(config(), request('tls_only', 'wrong'), channel), rejected)
  await t.rejects(ask(config(), request('tls_only', null), channel), { ...rejected, message: /none is configured/ })
  await t.rejects(ask(config({ tls: 'disable' }), request('tls_only', 's3cret'), channel), rejected)
})

t.test('what the agent is told of a refusal names neither the user nor the words of the target', async (t) => {
  const reject = await ask(config(), request('nobody', 'x'), channel).catch((error: unknown) => error)
  t.match(reject, { code: 'upstream.rejected', message: 'the target did not accept the credential of the sidecar' })
  t.match((reject as Error).cause, { message: /28000 .*nobody/ })
  const missing = request(server.user, server.password, { database: 'absent' })
  await t.rejects(ask(config(), missing, channel), { sqlstate: '3D000', message: 'database "absent" does not exist' })
  const unreadable = request(server.user, null, {
    password: async () => await Promise.reject(new Error('/etc/secret')),
  })
  await t.rejects(ask(config(), unreadable, channel), { message: 'the credential for the target cannot be read' })
})

t.test('the pins are set and reported, and the agent’s settings cannot touch them', async (t) => {
  const settings: [string, string][] = [
    ['TimeZone', 'Europe/Berlin'],
    ['client_encoding', 'LATIN1'],
    ['Search_Path', 'evil'],
  ]
  const upstream = await connectUpstream(
    config(),
    request(server.user, server.password, { settings, searchPath: ['we"ird', 'Public'], applicationName: 'agent-7' }),
  )
  t.match(Object.fromEntries(upstream.parameters), {
    client_encoding: 'UTF8',
    standard_conforming_strings: 'on',
    TimeZone: 'Europe/Berlin',
    application_name: 'agent-7',
    search_path: '"we""ird", "Public", "pg_temp"',
  })
  t.equal(upstream.key.secret.length, 4)
  t.ok(upstream.key.processId > 0)
  upstream.leg.destroy()
})

t.test('pg_temp is always searched last', async (t) => {
  t.equal(searchPathSetting(['a']), '"a", "pg_temp"')
  t.equal(searchPathSetting(['pg_temp', 'a']), '"a", "pg_temp"')
})

t.test('protocol 3.2 gives a longer cancel key, which cancels', async (t) => {
  const asked = request(server.user, server.password, { protocol: 0x00030002 })
  const upstream = await connectUpstream(config(), asked)
  t.equal(upstream.key.secret.length, 32)
  upstream.leg.destroy()
})

t.test('a server that speaks 3.0 only is used all the same when 3.2 is asked for', async (t) => {
  const older = await startPostgres({ version: 15, tls: authority.issue() })
  t.teardown(async () => await older.stop())
  const asked = request(older.user, older.password, { protocol: 0x00030002 })
  const upstream = await connectUpstream(config({ port: older.port }), asked)
  t.equal(upstream.key.secret.length, 4)
  t.notOk(upstream.parameters.has('search_path'), 'this version does not report it')
  upstream.leg.destroy()
  const path = await ask(config({ port: older.port }), asked, 'SHOW search_path')
  t.strictSame(path, [['"public", "pg_temp"']])
})

t.test('a cancel goes through TLS to the backend that it names', async (t) => {
  const queries = await openQueries(config(), request(server.user, server.password))
  const [[pid] = []] = await queries.query('SELECT pg_backend_pid()')
  t.equal(Number(pid), queries.key.processId)
  const sleeping = queries.query('SELECT pg_sleep(30)')
  const failing = t.rejects(sleeping, { code: 'upstream.query', sqlstate: '57014' })
  for (let tries = 0; tries < 50; tries++) {
    const [row] = await server.sql(`SELECT state FROM pg_stat_activity WHERE pid = ${pid} AND query LIKE '%pg_sleep%'`)
    if (row?.['state'] === 'active') break
  }
  await cancelUpstream(config(), queries.key)
  await failing
  t.strictSame(await queries.query('SELECT 1'), [['1']], 'the connection lives')
  queries.close()
})

t.test('answers to queries of our own are text, NULL, or the target’s error', async (t) => {
  const queries = await openQueries(config(), request(server.user, server.password))
  t.strictSame(await queries.query("SELECT 'ä', NULL, 3 UNION ALL SELECT 'b', 'c', 4"), [
    ['ä', null, '3'],
    ['b', 'c', '4'],
  ])
  const many = await queries.query("SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i")
  t.equal(many.length, 20_000)
  t.equal((await queries.query("SELECT repeat('x', 300000)"))[0]?.[0]?.length, 300_000)
  await t.rejects(queries.query('SELECT nothing'), { code: 'upstream.query', sqlstate: '42703' })
  const first = queries.query('SELECT 1')
  await t.rejects(queries.query('SELECT 2'), { message: /running/ })
  t.strictSame(await first, [['1']])
  await server.sql(`SELECT pg_terminate_backend(${queries.key.processId})`)
  await t.rejects(queries.query('SELECT 1'))
  t.ok(queries.closed)
})

/** A server that is none: what it says to each connection is the test's. */
async function impostor(t: Test, speak: (socket: Socket) => void): Promise<Config> {
  const fake = createServer((socket) => {
    socket.on('error', () => {})
    speak(socket)
  }).listen(0, '127.0.0.1')
  await once(fake, 'listening')
  t.teardown(() => fake.close())
  return config({ port: (fake.address() as AddressInfo).port })
}

t.test('nothing that an impostor says before TLS is believed or passed on', async (t) => {
  const asked = () => request('u', 'p', { signal: AbortSignal.timeout(1_000) })
  const error = Buffer.from('E\0\0\0\x1dSFATAL\0C28000\0MEvil words\0\0', 'latin1')
  for (const words of [error, Buffer.from('N'), Buffer.from('SE'), Buffer.from('X')]) {
    const at = await impostor(t, (socket) => socket.once('data', () => socket.write(words)))
    const refused = await connectUpstream(at, asked()).catch((problem: unknown) => problem)
    t.match(refused, { code: /upstream\.(untrusted|unavailable)/ })
    t.notMatch((refused as Error).message, /Evil/)
  }
})

t.test('a target that does not keep the pins is not used', async (t) => {
  const status = (name: string, value: string) => {
    const body = Buffer.from(`${name}\0${value}\0`)
    return Buffer.concat([Buffer.from([0x53, 0, 0, 0, body.length + 4]), body])
  }
  const ready = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])
  for (const [reported, kept] of [
    [[status('client_encoding', 'LATIN1'), status('standard_conforming_strings', 'on')], 'client_encoding'],
    [[status('client_encoding', 'UTF8'), status('standard_conforming_strings', 'off')], 'standard_conforming_strings'],
    [[], 'client_encoding'],
  ] as const) {
    const at = await impostor(t, (socket) =>
      socket.once('data', () => socket.write(Buffer.concat([encodeAuthenticationOk(), ...reported, ready]))),
    )
    await t.rejects(connectUpstream({ ...at, tls: 'disable' }, request('u', null)), {
      code: 'upstream.untrusted',
      message: `the target does not keep ${kept} as it must be`,
    })
  }
})

t.test('a target that is away, silent, or closes is told apart in time', async (t) => {
  const gone = await impostor(t, () => {})
  const silent = { ...gone, tls: 'disable' as const }
  const hurried = () => request('u', 'p', { signal: AbortSignal.timeout(100) })
  await t.rejects(connectUpstream(silent, hurried()), { code: 'upstream.unavailable' })
  await t.rejects(connectUpstream(gone, hurried()), { code: 'upstream.unavailable' })
  const closing = await impostor(t, (socket) => socket.once('data', () => socket.end()))
  const closed = { code: 'upstream.unavailable', sqlstate: '08006' }
  await t.rejects(connectUpstream({ ...closing, tls: 'disable' }, request('u', 'p')), closed)
  await t.rejects(connectUpstream(config({ port: 1 }), request('u', 'p')), {
    code: 'upstream.unavailable',
    sqlstate: '08001',
  })
})
