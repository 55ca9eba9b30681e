import { createServer } from 'node:https'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import type { TLSSocket } from 'node:tls'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { kubernetes as schema } from '../../../src/config/targets/kubernetes.ts'
import { readSecret } from '../../../src/credentials/secret.ts'
import { workloadPrincipal } from '../../../src/identity/principals.ts'
import { upstreamRefusal } from '../../../src/protocols/kubernetes/credential/failure.ts'
import { openUpstream, type Proof } from '../../../src/protocols/kubernetes/upstream.ts'
import type { Wiring } from '../../../src/protocols/protocol.ts'
import { type Certificate, createAuthority } from '../../support/tls.ts'

const authority = createAuthority()
const AGENT = workloadPrincipal({ namespace: 'agents', pod: 'a', serviceAccount: 'reader', labels: {} })

interface Served {
  readonly authorization: string | undefined
  readonly certificate: string | undefined
}

async function place(t: Test, certificate: Certificate = authority.issue()) {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-upstream-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  const served: Served[] = []
  const server = createServer(
    { ...certificate, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate()
      served.push({ authorization: request.headers.authorization, certificate: subject?.CN as string | undefined })
      response.end('{}')
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const ca = file('ca.pem', authority.cert)
  const open = async (over: { credential: object; upstream?: object }) => {
    const { port } = server.address() as AddressInfo
    const config = schema.parse({
      protocol: 'kubernetes',
      listen: '127.0.0.1:0',
      upstream: { host: '127.0.0.1', port, ca, ...over.upstream },
      agent: { authenticate: 'none' },
      credential: over.credential,
    })
    const wiring = { secret: readSecret, log: pino({ level: 'silent' }) } as Partial<Wiring> as Wiring
    const upstream = await openUpstream({ ...config, name: 'cluster' }, wiring)
    t.teardown(() => upstream.close())
    return upstream
  }
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true })
  })
  return { file, served, open }
}

async function ask({ pool, headers }: Proof): Promise<void> {
  const { body } = await pool.request({ method: 'GET', path: '/', headers: { ...headers } })
  await body.dump()
}

t.test(
  'a proof stays the same object until the token changes, and a rejected one is replaced only by another',
  async (t) => {
    const { file, served, open } = await place(t)
    const tokenFile = file('token', 'one\n')
    const upstream = await open({ credential: { tokenFile } })
    const first = await upstream.prove(AGENT)
    t.equal(await upstream.prove(AGENT), first)
    t.equal(await upstream.proveAgain(AGENT, first), null)
    file('token', 'two')
    const second = await upstream.proveAgain(AGENT, first)
    t.match(second?.headers, { authorization: 'Bearer two' })
    t.equal(await upstream.proveAgain(AGENT, first), second, 'whoever comes late is given what is there by now')
    t.equal(second?.pool, first.pool)
    await ask(second ?? first)
    t.same(served, [{ authorization: 'Bearer two', certificate: undefined }])
  },
)

t.test(
  'a certificate that was replaced is used for new connections, and what runs on the old one goes on',
  async (t) => {
    const { file, served, open } = await place(t)
    const [one, two] = ['one', 'two'].map((name) => authority.issue({ name, names: [], usage: 'clientAuth' }))
    const credential = { certFile: file('client.pem', one?.cert ?? ''), keyFile: file('client.key', one?.key ?? '') }
    const upstream = await open({ credential })
    const first = await upstream.prove(AGENT)
    const running = ask(first)
    file('client.pem', two?.cert ?? '')
    file('client.key', two?.key ?? '')
    const second = await upstream.proveAgain(AGENT, first)
    t.not(second?.pool, first.pool)
    await running
    await ask(second ?? first)
    t.same(
      served.map(({ certificate }) => certificate),
      ['one', 'two'],
    )
    file('client.key', one?.key ?? '')
    await t.rejects(upstream.proveAgain(AGENT, second ?? first), { code: 'upstream.rejected', message: /do not fit/ })
    await t.rejects(async () => await upstream.prove(AGENT), { code: 'upstream.rejected' })
    file('client.key', two?.key ?? '')
    await t.resolves(async () => await upstream.prove(AGENT))
  },
)

t.test('an API server that cannot prove who it is gets nothing, whatever the environment says', async (t) => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.teardown(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
  const cases: readonly (readonly [Certificate, object])[] = [
    [createAuthority().issue(), {}],
    [authority.issue({ names: ['DNS:other.test'] }), {}],
    [authority.issue({ expired: true }), {}],
    [authority.issue({ names: ['IP:127.0.0.1'] }), { serverName: 'kubernetes.default.svc' }],
  ]
  for (const [certificate, over] of cases) {
    const { file, served, open } = await place(t, certificate)
    const upstream = await open({ credential: { tokenFile: file('token', 'one') }, upstream: over })
    const refused = await ask(await upstream.prove(AGENT)).then(() => null, upstreamRefusal)
    t.equal(refused?.code, 'upstream.untrusted')
    t.same(served, [])
  }
})

t.test('authorities that were replaced are those that hold, for the same connections too', async (t) => {
  const { file, open } = await place(t)
  const upstream = await open({ credential: { tokenFile: file('token', 'one') } })
  const first = await upstream.prove(AGENT)
  await ask(first)
  const other = createAuthority()
  file('ca.pem', other.cert)
  const second = await upstream.proveAgain(AGENT, first)
  t.equal(
    await ask(second ?? first)
      .then(() => null, upstreamRefusal)
      .then((refused) => refused?.code),
    'upstream.untrusted',
  )
  file('ca.pem', other.cert + authority.cert)
  await ask((await upstream.proveAgain(AGENT, second ?? first)) ?? first)
  t.pass('a bundle of both is how authorities are rotated')
})

t.test('an API server that is away is told as that, and files that cannot be used at the start', async (t) => {
  const { file, open } = await place(t)
  const tokenFile = file('token', 'one')
  const upstream = await open({ credential: { tokenFile }, upstream: { port: 1 } })
  const refused = await ask(await upstream.prove(AGENT)).then(() => null, upstreamRefusal)
  t.match(refused, { code: 'upstream.unavailable', remedy: 'try again later' })
  await t.rejects(open({ credential: { tokenFile: `${tokenFile}-none` } }), { code: 'credential.unreadable' })
  await t.rejects(open({ credential: { tokenFile }, upstream: { ca: `${tokenFile}-none` } }), {
    code: 'upstream.untrusted',
  })
})

t.test('names of the cluster’s own are refused only where the principal is impersonated', async (t) => {
  const { file, open } = await place(t)
  const tokenFile = file('token', 'one')
  const admin = { ...AGENT, subject: 'system:admin' }
  t.equal((await open({ credential: { tokenFile } })).refuses(admin), null)
  const impersonating = await open({ credential: { tokenFile, impersonate: 'principal' } })
  t.equal(impersonating.refuses(admin)?.code, 'identity.restricted')
  t.equal(impersonating.refuses(AGENT), null)
  t.same((await impersonating.prove(AGENT)).headers, {
    authorization: 'Bearer one',
    'impersonate-user': 'system:serviceaccount:agents:reader',
  })
})
