import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { encodeQuery, encodeStartup, PROTOCOL_3_0 } from '../../src/protocols/postgres/messages.ts'
import { encodePassword } from '../../src/protocols/postgres/messages/authentication.ts'
import { buildBundle } from '../support/bundle.ts'
import { freePort } from '../support/ports.ts'
import { startPostgres } from '../support/postgres.ts'
import { startRedis } from '../support/redis.ts'
import { createAuthority } from '../support/tls.ts'
import { shown, WireClient } from '../support/wire.ts'
import { place, refusalIn, type Running, spawned, started, until } from './sidecar.ts'
import { differences, entriesOf } from './streams.ts'

// All of it is much quicker, on a machine that has nothing else to do.
t.setTimeout(150_000)

/** What Kubernetes gives a pod before it kills it. */
const TERMINATION_GRACE_MS = 30_000

const PERMISSIVE = buildBundle('bundles/permissive')

/** Connects, with a password where one is asked for, and gives all that came up to ReadyForQuery or the end. */
async function attempt({ port }: Running, database: string, password = '') {
  const client = await WireClient.open(port)
  client.send(
    encodeStartup(PROTOCOL_3_0, [
      ['user', 'agent'],
      ['database', database],
    ]),
  )
  if (password !== '') {
    await client.until(({ type }) => type === 'R')
    client.send(encodePassword(password))
  }
  const answers = await client.ready()
  const bytes = Buffer.concat(client.answers.map(({ raw }) => raw))
  return { client, said: refusalIn(answers), bytes, ended: client.ended }
}

t.test(
  'a target that is away, untrusted, or takes no such credential is a connection error, and no secret shows',
  async (t) => {
    const at = await place(t)
    const authority = createAuthority()
    const server = await startPostgres({ tls: authority.issue({ names: ['DNS:localhost', 'IP:127.0.0.1'] }) })
    t.teardown(() => server.stop())
    await server.sql(`CREATE DATABASE ${at.database}`)
    const [ca, stranger] = [at.file('ca.pem', authority.cert), at.file('stranger.pem', createAuthority('Other').cert)]
    const secret = 'secret-that-the-target-does-not-know'
    const wrong = { user: 'role-of-the-sidecar', passwordFile: at.file('wrong', secret) }
    const right = { user: server.user, passwordFile: at.file('right', server.password) }
    const upstream = { host: '127.0.0.1', port: server.port, tls: 'verify-full', ca }
    const plain = await freePort()
    const cases: readonly [name: string, target: object, expected: string][] = [
      ['nobody listens', { upstream: { ...upstream, port: plain } }, 'FATAL 08001 upstream.unavailable'],
      ['its authority is another', { upstream: { ...upstream, ca: stranger } }, 'FATAL 08001 upstream.untrusted'],
      [
        'its name is another',
        { upstream: { ...upstream, serverName: 'db.internal' } },
        'FATAL 08001 upstream.untrusted',
      ],
      ['the credential is wrong', { upstream, credential: wrong }, 'FATAL 08004 upstream.rejected'],
      ['the database is not there', { upstream, databases: ['absent'] }, 'FATAL 3D000 upstream.rejected'],
      ['the database is not offered', { upstream, databases: ['other'] }, 'FATAL 3D000 target.forbidden'],
      ['all is well', { upstream }, ''],
    ]
    for (const [name, target, expected] of cases) {
      const sidecar = await started(t, at, await PERMISSIVE, { target: { credential: right, ...target } })
      const database = name === 'the database is not there' ? 'absent' : at.database
      const { client, said, bytes } = await attempt(sidecar, database)
      t.equal(said, expected, name)
      for (const hidden of [secret, server.password, 'role-of-the-sidecar']) {
        t.notOk(bytes.includes(hidden), `the agent never sees ${hidden}`)
      }
      for (const hidden of [secret, server.password])
        t.notOk(sidecar.log().includes(hidden), 'nor does the log hold it')
      client.close()
      t.equal((await sidecar.get('readyz')).status, 200, 'the sidecar itself is as ready as before')
      await sidecar.close()
    }
    const records = JSON.stringify(await at.records())
    for (const hidden of [secret, server.password]) t.notOk(records.includes(hidden))
  },
)

t.test('a target without TLS is not talked to where TLS is demanded', async (t) => {
  const at = await place(t)
  const settings = at.settings(await PERMISSIVE) as { targets: { db: { upstream: object } } }
  const upstream = { ...settings.targets.db.upstream, tls: 'verify-full' }
  const sidecar = await started(t, at, await PERMISSIVE, { target: { upstream } })
  t.equal((await attempt(sidecar, at.database)).said, 'FATAL 08001 upstream.untrusted')
})

t.test('a target that ends a session, or dies, ends it for the agent, and the next one is told', async (t) => {
  const at = await place(t)
  const server = await startPostgres()
  t.teardown(() => server.stop())
  await server.sql(`CREATE DATABASE ${at.database}`)
  const target = { upstream: { host: '127.0.0.1', port: server.port, tls: 'disable' } }
  const sidecar = await started(t, at, await PERMISSIVE, { target })
  const agent = await sidecar.agent()
  agent.send(encodeQuery('SELECT pg_sleep(30)'))
  const running = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
  await until(async () => (await server.sql(running)).length === 1)
  await server.stop()
  await agent.ready()
  t.equal(agent.ended, true)
  t.match((await attempt(sidecar, at.database)).said, /^FATAL 08\w+ upstream\.unavailable$/)
  await until(async () => (await at.records()).some(({ type }) => type === 'session-end'))
  t.match(
    (await at.records()).filter(({ type }) => type === 'outcome'),
    [{ status: 'lost' }],
  )
})

t.test('a token that has expired, is for others, or is of an unknown issuer opens no session', async (t) => {
  const at = await place(t)
  const [own, foreign] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
  const keys = { keys: [{ ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'ES256' }] }
  const agent = {
    authenticate: 'jwt',
    issuer: 'https://issuer.test',
    audience: 'sidegate',
    keys: { file: at.file('jwks.json', JSON.stringify(keys)) },
    algorithms: ['ES256'],
  }
  const sidecar = await started(t, at, await PERMISSIVE, { target: { agent } })
  const token = (claims: Record<string, unknown>, key = own.privateKey) =>
    new SignJWT({ sub: 'agent-7', iss: agent.issuer, aud: agent.audience, exp: now + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(key)
  const now = Math.floor(Date.now() / 1_000)
  const cases: readonly [name: string, token: string, expected: string][] = [
    ['expired', await token({ exp: now - 60 }), 'FATAL 28P01 identity.expired'],
    ['for another audience', await token({ aud: 'others' }), 'FATAL 28P01 identity.invalid'],
    ['of another issuer', await token({ iss: 'https://other.test' }), 'FATAL 28P01 identity.invalid'],
    ['signed by another key', await token({}, foreign.privateKey), 'FATAL 28P01 identity.invalid'],
    ['no token', 'a password', 'FATAL 28P01 identity.invalid'],
    ['not to be used yet', await token({ nbf: now + 600 }), 'FATAL 28P01 identity.invalid'],
  ]
  for (const [name, presented, expected] of cases) {
    const { said, bytes, ended } = await attempt(sidecar, at.database, presented)
    t.equal(said, expected, name)
    t.equal(ended, true)
    t.notOk(bytes.includes(presented) || sidecar.log().includes(presented), 'the token is not repeated')
  }
  t.same(
    (await at.records()).filter(({ type }) => type === 'session-start'),
    [],
    'none of them had a session',
  )
  const { client, said } = await attempt(sidecar, at.database, await token({}))
  t.equal(said, '')
  t.match(shown(await client.query('SELECT 1')), /D\(1\)/)
  client.close()
  const start = (await at.records()).find(({ type }) => type === 'session-start')
  t.match(start, { principal: { subject: 'agent-7', issuer: agent.issuer } })
})

t.test(
  'told to end, it takes no more connections, finishes what runs, ships its records, and exits with 0',
  async (t) => {
    const at = await place(t)
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const sidecar = await spawned(t, at, await PERMISSIVE, { over: { redis: { url: redis.url, prefix: 'ends' } } })
    const { instance } = (await sidecar.status()).record
    const [running, idle] = [await sidecar.agent(), await sidecar.agent()]
    t.match(shown(await idle.query('SELECT 1')), /D\(1\)/)
    running.send(encodeQuery('SELECT 7, pg_sleep(1.5)'))
    await sleep(300)
    sidecar.program.signal('SIGTERM')

    t.equal(refusalIn(await idle.ready()), 'FATAL 57P01 session.limit')
    t.equal(idle.ended, true)
    t.equal((await sidecar.get('readyz')).text, 'stopping\n')
    t.equal((await sidecar.get('healthz')).status, 200)
    const late = connect({ port: sidecar.port, host: '127.0.0.1' })
    const [error] = (await once(late, 'error')) as [Error & { code: string }]
    t.equal(error.code, 'ECONNREFUSED')

    t.match(shown(await running.ready()), /^T D\(7,\) C\(SELECT 1\) Z\(I\)$/, 'the query ends as ever')
    t.equal(refusalIn(await running.ready()), 'FATAL 57P01 session.limit', 'and then the session does')
    t.same(await sidecar.program.exited, { code: 0, signal: null })
    const records = await at.records()
    t.same(
      records.slice(-2).map(({ type }) => type),
      ['session-end', 'instance-stop'],
    )
    t.same(differences(records, await entriesOf(redis, 'ends', instance)), [])
  },
)

for (const [first, second] of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
] as const) {
  t.test(`${second} after ${first} ends it at once, with what was recorded on record`, async (t) => {
    const at = await place(t)
    const sidecar = await spawned(t, at, await PERMISSIVE)
    const agent = await sidecar.agent()
    await agent.query('BEGIN')
    t.match(shown(await agent.query('SELECT 1')), /D\(1\)/)
    sidecar.program.signal(first)
    await sidecar.program.output(/"stopping"/)
    await sleep(100)
    t.equal(agent.ended, false, 'an open transaction is waited for')
    sidecar.program.signal(second)
    t.same(await sidecar.program.exited, { code: 1, signal: null })
    await agent.ready()
    t.equal(agent.ended, true)
    const decisions = (await at.records()).filter(({ type }) => type === 'decision')
    t.equal(decisions.length, 2)
  })
}

t.test(
  'an open transaction keeps a sidecar that was told to end no longer than its patience, and its agent is told',
  async (t) => {
    const at = await place(t)
    const sidecar = await spawned(t, at, await PERMISSIVE)
    const agent = await sidecar.agent()
    await agent.query('BEGIN')
    const before = Date.now()
    sidecar.program.signal('SIGTERM')
    t.same(await sidecar.program.exited, { code: 0, signal: null })
    t.ok(Date.now() - before < TERMINATION_GRACE_MS)
    const last = (await agent.ready()).at(-1)
    t.equal(last?.fields?.get('C'), '57P01')
    t.ok(agent.ended)
    t.equal((await at.records()).at(-1)?.type, 'instance-stop')
  },
)
