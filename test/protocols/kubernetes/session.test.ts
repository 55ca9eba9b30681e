/** Connections, and who acts on them: against an API server that says who asks, and watches that say nothing. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { ALLOW, approve, FakeApproval, FakePolicy } from '../../support/fakes.ts'
import { RawHttp, rawRequest } from '../../support/kubernetes-raw.ts'
import { type KubernetesTarget, startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { createAuthority } from '../../support/tls.ts'

t.setTimeout(60_000)

const directory = mkdtempSync(join(tmpdir(), 'sidegate-session-'))
const authority = createAuthority()
const ca = join(directory, 'api.pem')
writeFileSync(ca, authority.cert)
const api = createServer({ ...authority.issue() }, (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  if (request.url?.includes('watch') === true) response.write('{"type":"BOOKMARK","object":{}}\n')
  else response.end('{"kind":"ConfigMapList","apiVersion":"v1","items":[]}')
})
await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
const upstream = { port: (api.address() as AddressInfo).port, caFile: ca, tokens: { admin: 'admin', nobody: 'nobody' } }
t.teardown(() => {
  api.closeAllConnections()
  api.close()
  rmSync(directory, { recursive: true })
})

const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keys = join(directory, 'keys.json')
function publish(...known: readonly KeyObject[]): void {
  const set = known.map((key) => ({ ...key.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' }))
  writeFileSync(keys, JSON.stringify({ keys: set }))
}
publish(issuer.publicKey)
const JWT = { issuer: 'https://issuer.test', audience: 'sidegate', keys: { file: keys }, algorithms: ['ES256'] }

async function token(subject: string, lives = 600): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setSubject(subject)
    .setIssuer(JWT.issuer)
    .setAudience(JWT.audience)
    .setIssuedAt(now)
    .setExpirationTime(now + lives)
    .sign(issuer.privateKey)
}

let targets = 0
async function started(t: Test, options: Parameters<typeof startKubernetesTarget>[1] = {}): Promise<KubernetesTarget> {
  const caFile = join(directory, `agents-${++targets}.pem`)
  const config = { agent: { authenticate: 'jwt', ...JWT, caFile }, ...options.config }
  const target = await startKubernetesTarget(upstream, { ...options, config })
  t.teardown(() => target.close())
  return { ...target, caFile }
}

async function connected(t: Test, target: KubernetesTarget): Promise<RawHttp> {
  const connection = await RawHttp.connect(target)
  t.teardown(() => connection.close())
  return connection
}

const get = (bearer: string, query = '') =>
  rawRequest('GET', `/api/v1/namespaces/a/configmaps${query}`, [
    ['Authorization', `Bearer ${bearer}`],
    ['User-Agent', 'kubectl/v1.37.1'],
  ])

const subjects = (target: KubernetesTarget) =>
  target.record.decisions.map(({ session }) => session.context.principal.subject)
const ends = (target: KubernetesTarget) =>
  target.record.records.flatMap((record) => (record.type === 'session-end' ? [record.reason] : []))

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 800) throw new Error(`it did not come to be: ${String(condition)}`)
    await sleep(10)
  }
}

t.test('agents that share a connection have a session each, and one that is gone leaves none', async (t) => {
  const target = await started(t)
  const connection = await connected(t, target)
  for (const who of ['ann', 'bob', 'ann']) {
    connection.send(get(await token(who)))
    t.equal((await connection.answer())?.status, 200)
  }
  const [one, two] = [await token('cy'), await token('cy')]
  for (const bearer of [one, two, one]) {
    connection.send(get(bearer))
    t.equal((await connection.answer())?.status, 200)
  }
  t.same(subjects(target), ['ann', 'bob', 'ann', 'cy', 'cy', 'cy'])
  t.match(target.gate.sessions[0]?.attributes, { agent: 'kubectl/v1.37.1', client: /^127\.0\.0\.1:\d+$/ })
  connection.close()
  await until(() => target.gate.sessions.length === 0)
})

t.test('requests that come at once open one session, and an agent that leaves meanwhile none', async (t) => {
  const target = await started(t)
  const connection = await connected(t, target)
  const ann = await token('ann')
  connection.send(Buffer.concat([get(ann), get(ann), get(ann)]))
  for (let answers = 0; answers < 3; answers++) t.equal((await connection.answer())?.status, 200)
  t.equal(target.gate.sessions.length, 1)
  const hasty = await connected(t, target)
  hasty.send(get(await token('bob')))
  hasty.close()
  connection.close()
  await sleep(100)
  await until(() => target.gate.sessions.length === 0)
})

t.test('who proves nothing is told so, and one connection does not try tokens without end', async (t) => {
  const target = await started(t)
  const connection = await connected(t, target)
  connection.send(get('not.a.token'))
  const refused = await connection.answer()
  t.equal(refused?.status, 401)
  t.match(refused?.body, /identity\.invalid/)
  const trying = await connected(t, target)
  for (let tries = 0; tries < 17; tries++) {
    trying.send(get(await token(`agent-${tries}`)))
    const answer = await trying.answer()
    if (tries < 16) t.equal(answer?.status, 200)
    else t.match(answer, { status: 403, body: /session\.limit/ })
  }
})

t.test('a watch ends with the token of who began it, and the connection goes on with the next', async (t) => {
  const target = await started(t)
  const connection = await connected(t, target)
  // Clocks differ by five seconds at most, which is what is left of it.
  connection.send(get(await token('ann', -4), '?watch=true'))
  const watched = await connection.answer()
  const last = JSON.parse(watched?.body.trim().split('\n').at(-1) ?? '') as unknown
  t.match(last, { type: 'ERROR', object: { code: 401, reason: 'Unauthorized', message: /identity\.expired/ } })
  await until(() => ends(target).length === 1)
  t.same(ends(target), ['identity.expired'])
  connection.send(get(await token('ann')))
  t.equal((await connection.answer())?.status, 200)
  t.equal(target.gate.sessions.length, 1)
  t.match(target.record.outcomes[0]?.outcome, { status: 'refused', code: 'identity.expired' })
})

t.test('a key that its issuer withdrew stops working within a minute on a connection that stays', async (t) => {
  const target = await started(t)
  const connection = await connected(t, target)
  const ann = await token('ann', 3_600)
  connection.send(get(ann))
  t.equal((await connection.answer())?.status, 200)
  publish(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
  t.teardown(() => publish(issuer.publicKey))
  connection.send(get(ann))
  t.equal((await connection.answer())?.status, 200)
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 })
  t.teardown(() => mock.timers.reset())
  connection.send(get(ann))
  t.match(await connection.answer(), { status: 401, body: /not signed by a key of its issuer/ })
  t.same(ends(target), ['identity.invalid'])
  t.same(target.gate.sessions, [])
})

t.test(
  'an operator ends a session: what runs is told, what waits is withdrawn, and the connection closes',
  async (t) => {
    const approval = new FakeApproval()
    const policy = new FakePolicy(({ command }) => (command.shape.detail['verb'] === 'list' ? approve('ask') : ALLOW))
    const target = await started(t, { policy, approval })
    const end = (who: string) => {
      const session = target.gate.sessions.find(({ context }) => context.principal.subject === who)
      t.ok(target.gate.end(session?.id ?? '', 'incident 12'))
    }
    const watching = await connected(t, target)
    watching.send(get(await token('ann'), '?watch=true'))
    t.ok(await watching.until(/BOOKMARK/))
    const waiting = await connected(t, target)
    waiting.send(get(await token('bob')))
    await until(() => approval.holds.length === 1)
    for (const who of ['ann', 'bob']) end(who)
    const watched = await watching.answer()
    t.match(watched?.body, /"type":"ERROR".*session\.ended/)
    t.notMatch(watched?.body, 'incident')
    await until(() => watching.ended && waiting.ended)
    await until(() => target.gate.sessions.length === 0)
    t.equal(approval.holds[0]?.signal.aborted, true)
    t.same(ends(target).sort(), ['session.ended: incident 12', 'session.ended: incident 12'])
    const again = await connected(t, target)
    again.send(get(await token('ann'), '?watch=true'))
    t.ok(await again.until(/BOOKMARK/), 'a new connection is a new session')
  },
)

t.test('without proof the workload acts, and tokens that agents send mean nothing', async (t) => {
  const target = await started(t, { config: { agent: { authenticate: 'none', caFile: join(directory, 'none.pem') } } })
  const connection = await connected(t, { ...target, caFile: join(directory, 'none.pem') })
  for (const bearer of ['one', 'two']) {
    connection.send(get(bearer))
    t.equal((await connection.answer())?.status, 200)
  }
  t.equal(target.gate.sessions.length, 1)
  t.same(subjects(target), ['system:serviceaccount:agents:agent', 'system:serviceaccount:agents:agent'])
})
