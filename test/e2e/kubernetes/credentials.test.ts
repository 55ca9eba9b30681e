/** How the sidecar proves itself to a real API server, and as whom it acts there. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { type AuditEvent, call, startKubernetes } from '../../support/kubernetes.ts'
import { type KubernetesTarget, startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { removeAtExit } from '../../support/process.ts'
import { createAuthority } from '../../support/tls.ts'
import { until } from '../sidecar.ts'

t.setTimeout(120_000)

const LIST = '/api/v1/namespaces/default/configmaps'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-credentials-'))
removeAtExit(directory)
const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const authority = createAuthority('clients')
const server = await startKubernetes({ args: [`--client-ca-file=${file('clients.pem', authority.cert)}`] })
t.teardown(() => server.stop())
await server.namespace('agents')

/** A service account with rights, or none. */
async function account(name: string, role: string | null): Promise<void> {
  await made('POST', '/api/v1/namespaces/agents/serviceaccounts', { metadata: { name } })
  if (role !== null) await bind(name, role, [{ kind: 'ServiceAccount', name, namespace: 'agents' }])
}

async function bind(name: string, role: string, subjects: readonly object[]): Promise<void> {
  await made('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects,
  })
}

async function role(name: string, rules: readonly object[]): Promise<void> {
  await made('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name }, rules })
}

async function made(method: string, path: string, body: object): Promise<string> {
  const answer = await server.call(method, path, body)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`)
  return answer.body
}

async function tokenOf(name: string): Promise<string> {
  const path = `/api/v1/namespaces/agents/serviceaccounts/${name}/token`
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } }
  return (JSON.parse(await made('POST', path, body)) as { status: { token: string } }).status.token
}

async function started(t: Test, options: Parameters<typeof startKubernetesTarget>[1]): Promise<KubernetesTarget> {
  const target = await startKubernetesTarget(server, options)
  t.teardown(() => target.close())
  return target
}

/** Through the gate, as an agent whose token means nothing unless it is given one. */
async function ask(target: KubernetesTarget, path = LIST, token = 'meaningless', method = 'GET') {
  return await call({ port: target.port, caFile: target.caFile, token }, method, path)
}

/** Agents that ask again and again, each on connections of its own. */
function loaded(target: KubernetesTarget, agents: number): { end(): Promise<number[]> } {
  const over = new AbortController()
  const statuses = new Set<number>()
  const running = Array.from({ length: agents }, async () => {
    while (!over.signal.aborted) statuses.add((await ask(target)).status)
  })
  return {
    end: async () => {
      over.abort()
      await Promise.all(running)
      return [...statuses]
    },
  }
}

interface Extra {
  readonly user: { readonly extra?: Readonly<Record<string, readonly string[]>> }
  readonly impersonatedUser?: {
    readonly username: string
    readonly groups?: readonly string[]
    readonly extra?: Readonly<Record<string, readonly string[]>>
  }
}

/** The event of the one request to a path, which is in the log a moment after its answer. */
async function audited(path: string): Promise<AuditEvent & Extra> {
  const found = () => server.audit().find(({ requestURI }) => requestURI === path)
  await until(() => found() !== undefined)
  return found() as AuditEvent & Extra
}

t.test(
  'a projected token that is rotated under load serves every request, and the new one holds at once',
  async (t) => {
    await account('rotated', 'cluster-admin')
    // As the kubelet lays it out: the file is a link into a folder that is a link, which is turned.
    const volume = join(directory, 'volume')
    mkdirSync(volume)
    const turn = async (revision: string) => {
      mkdirSync(join(volume, revision))
      const token = await tokenOf('rotated')
      writeFileSync(join(volume, revision, 'token'), token)
      symlinkSync(revision, join(volume, `${revision}.link`))
      renameSync(join(volume, `${revision}.link`), join(volume, '..data'))
      return token
    }
    await turn('first')
    symlinkSync('..data/token', join(volume, 'token'))
    const target = await started(t, { config: { credential: { tokenFile: join(volume, 'token') } } })
    const load = loaded(target, 4)
    const ids = new Set<string>()
    for (const revision of ['second', 'third', 'fourth']) {
      await sleep(200)
      const token = await turn(revision)
      const path = `${LIST}?labelSelector=${revision}`
      t.equal((await ask(target, path)).status, 200)
      const [credential = ''] = (await audited(path)).user.extra?.['authentication.kubernetes.io/credential-id'] ?? []
      t.equal(credential, `JTI=${String(claimsOf(token)['jti'])}`, `${revision} is used at once`)
      ids.add(credential)
    }
    t.same(await load.end(), [200], 'no request failed')
    t.equal(ids.size, 3)
    // What is withdrawn is not remembered.
    renameSync(join(volume, '..data'), join(volume, 'gone'))
    const refused = await ask(target)
    t.equal(refused.status, 503)
    t.match(JSON.parse(refused.body), {
      reason: 'ServiceUnavailable',
      message: /^\[upstream\.rejected\] .*cannot be read/,
    })
  },
)

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
}

t.test('a token that was revoked is told in plain words, and not as if the agent had to log in', async (t) => {
  await account('revoked', null)
  const token = await tokenOf('revoked')
  await server.call('DELETE', '/api/v1/namespaces/agents/serviceaccounts/revoked')
  const tokenFile = file('revoked', token)
  const target = await started(t, { config: { credential: { tokenFile } } })
  const refused = await ask(target)
  t.equal(refused.status, 503)
  t.match(JSON.parse(refused.body), {
    kind: 'Status',
    message:
      '[upstream.rejected] the API server did not accept the credential of the sidecar; tell whoever runs the sidecar',
  })
  t.match(target.record.outcomes.at(-1)?.outcome, { status: 'failed', code: 'upstream.rejected' })
})

t.test('a short-lived token of a service account is asked for with a token that may do nothing else', async (t) => {
  await account('asker', null)
  await account('reader', 'cluster-admin')
  await role('ask', [
    { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: ['reader'], verbs: ['create'] },
  ])
  const tokenFile = file('asker', await tokenOf('asker'))
  const credential = { tokenFile, serviceAccount: { namespace: 'agents', name: 'reader', expiry: '10m' } }
  const target = await started(t, { config: { credential } })
  const early = await ask(target)
  t.equal(early.status, 503)
  t.match(JSON.parse(early.body), {
    message: /^\[upstream\.rejected\] the API server gives no token of agents\/reader \(403\)/,
  })
  t.notMatch(early.body, 'asker', 'who asks is not told')
  await bind('ask', 'ask', [{ kind: 'ServiceAccount', name: 'asker', namespace: 'agents' }])
  const path = `${LIST}?labelSelector=requested`
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(target, path)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal((await audited(path)).user.username, 'system:serviceaccount:agents:reader')
  const asked = server
    .audit()
    .filter((event) => event.objectRef?.['subresource'] === 'token' && event.objectRef['name'] === 'reader')
  t.equal(asked.filter(({ responseStatus }) => responseStatus?.code === 201).length, 1, 'once for all of them')
  t.ok(asked.every(({ user }) => user.username === 'system:serviceaccount:agents:asker'))
})

t.test('a client certificate proves the sidecar, and a new one takes over without a request lost', async (t) => {
  for (const name of ['first', 'second'])
    await bind(`cert-${name}`, 'cluster-admin', [{ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' }])
  const issue = (name: string) => authority.issue({ name, names: [], usage: 'clientAuth' })
  const first = issue('first')
  const [certFile, keyFile] = [file('client.pem', first.cert), file('client.key', first.key)]
  const target = await started(t, { config: { credential: { certFile, keyFile } } })
  const path = `${LIST}?labelSelector=certificate`
  t.equal((await ask(target, path)).status, 200)
  t.equal((await audited(path)).user.username, 'first')
  const load = loaded(target, 3)
  const second = issue('second')
  // Nobody replaces two files at once.
  file('client.pem', second.cert)
  await sleep(300)
  file('client.key', second.key)
  await sleep(1_500)
  t.same(await load.end(), [200], 'no request failed')
  const later = `${LIST}?labelSelector=later`
  t.equal((await ask(target, later)).status, 200)
  t.equal((await audited(later)).user.username, 'second')
})

const issuer = await generateKeyPair('ES256')
const keys = file(
  'keys.json',
  JSON.stringify({ keys: [{ ...(await exportJWK(issuer.publicKey)), kid: 'k', alg: 'ES256' }] }),
)
const AGENT = {
  authenticate: 'jwt',
  issuer: 'https://issuer.test',
  audience: 'sidegate',
  keys: { file: keys },
  algorithms: ['ES256'],
}

async function agentToken(subject: string, claims: Record<string, unknown> = {}, lives = 600): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setSubject(subject)
    .setIssuer(AGENT.issuer)
    .setAudience(AGENT.audience)
    .setIssuedAt(now)
    .setExpirationTime(now + lives)
    .sign(issuer.privateKey)
}

t.test('the API server authorises and audits the agent itself where the sidecar impersonates it', async (t) => {
  await account('impersonator', null)
  await role('impersonate', [
    { apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] },
    { apiGroups: ['authentication.k8s.io'], resources: ['userextras/sidegate/delegates'], verbs: ['impersonate'] },
  ])
  await bind('impersonate', 'impersonate', [{ kind: 'ServiceAccount', name: 'impersonator', namespace: 'agents' }])
  await role('configmaps', [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }])
  await bind('readers', 'configmaps', [{ kind: 'Group', name: 'readers', apiGroup: 'rbac.authorization.k8s.io' }])
  const tokenFile = file('impersonator', await tokenOf('impersonator'))
  const caFile = join(directory, 'agents-ca.pem')
  const target = await started(t, {
    config: { agent: { ...AGENT, caFile }, credential: { tokenFile, impersonate: 'principal' } },
  })
  const through = { ...target, caFile }
  const chain = { act: { sub: 'planner one', iss: 'https://other.test', act: { sub: 'süd' } } }
  const path = `${LIST}?labelSelector=impersonated`
  const answer = await ask(through, path, await agentToken('Zoë', { groups: ['readers', 'crew'], ...chain }))
  t.equal(answer.status, 200, answer.body)
  const event = await audited(path)
  t.equal(event.user.username, 'system:serviceaccount:agents:impersonator')
  t.equal(event.impersonatedUser?.username, 'Zoë')
  t.same([...(event.impersonatedUser?.groups ?? [])].sort(), ['crew', 'readers', 'system:authenticated'])
  t.same(event.impersonatedUser?.extra, {
    'sidegate/delegates': ['planner%20one|https://other.test', 's%C3%BCd|https://issuer.test'],
  })
  t.equal((await ask(through, LIST, await agentToken('Zoë'))).status, 403, 'it has only the rights of the agent')
  for (const [subject, groups] of [
    ['system:admin', []],
    ['zoe', ['system:masters']],
    ['zoe ', []],
    ['zo\u0000e', []],
  ] as const) {
    const refused = await ask(through, LIST, await agentToken(subject, { groups }))
    t.equal(refused.status, 401, subject)
    t.match(refused.body, 'identity.restricted')
  }
})

t.test('agents share a connection, and what runs ends with the proof of who began it', async (t) => {
  const caFile = join(directory, 'expiry-ca.pem')
  const target = await started(t, { config: { agent: { ...AGENT, caFile } } })
  const watch = call(
    { port: target.port, caFile, token: await agentToken('short', {}, -3) },
    'GET',
    `${LIST}?watch=true`,
  )
  const lines = (await watch).body.trim().split('\n')
  t.match(JSON.parse(lines.at(-1) ?? ''), { type: 'ERROR', object: { code: 401, message: /identity\.expired/ } })
  const ends = () => target.record.records.flatMap((record) => (record.type === 'session-end' ? [record.reason] : []))
  await until(() => ends().length > 0)
  t.same(ends(), ['identity.expired'])
})

t.test('whatever an agent presents or claims, nothing of it is seen upstream', async (t) => {
  const target = await started(t, {})
  const path = `${LIST}?labelSelector=claims`
  t.equal((await ask(target, path, server.tokens.nobody)).status, 200)
  t.equal((await audited(path)).user.username, 'admin')
  t.notOk(readFileSync(join(server.directory, 'audit.log'), 'utf8').includes(server.tokens.nobody))
})
