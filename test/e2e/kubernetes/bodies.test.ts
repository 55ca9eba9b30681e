/** A real API server as the oracle of what a body means: what goes on of it must be to the server what was sent. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import type { JsonObject } from '../../../src/gate/json.ts'
import { startKubernetes } from '../../support/kubernetes.ts'
import { startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { MANIFESTS } from './manifests.ts'

t.setTimeout(120_000)

const PROTOBUF = 'application/vnd.kubernetes.protobuf'
const KUBECTL = join(import.meta.dirname, '../../../.bin/kubectl')
const run = promisify(execFile)

const server = await startKubernetes()
t.teardown(() => server.stop())
const target = await startKubernetesTarget(server)
t.teardown(() => target.close())
const direct = { port: server.port, caFile: server.caFile }
const through = { port: target.port, caFile: target.caFile }
await server.namespace('bodies')
for (const { port, caFile } of [direct, through]) {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': caFile } }],
    users: [{ name: 'u', user: { token: server.tokens.admin } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  }
  writeFileSync(configOf(port), JSON.stringify(config), { mode: 0o600 })
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

async function send(
  to: typeof direct,
  method: string,
  path: string,
  { type = '', accept = 'application/json', body = null }: { type?: string; accept?: string; body?: Buffer | null },
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${server.tokens.admin}`,
      accept,
      ...(body === null ? {} : { 'content-type': type, 'content-length': body.length }),
    }
    const options = { host: '127.0.0.1', port: to.port, ca: readFileSync(to.caFile), method, path, headers }
    const request = httpsRequest(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

function parsed({ body }: Answer): JsonObject & { readonly metadata: Readonly<Record<string, string>> } {
  return JSON.parse(body.toString()) as JsonObject & { readonly metadata: Readonly<Record<string, string>> }
}

t.test('An object that is sent back as protobuf is to the API server the one that it was', async (t) => {
  for (const { path, object } of MANIFESTS) {
    const at = `${path}/${object.metadata.name}`
    const created = await send(direct, 'POST', path, {
      type: 'application/json',
      body: Buffer.from(JSON.stringify(object)),
    })
    t.equal(created.status, 201, `${path} ${created.status === 201 ? '' : created.body.toString()}`)
    const [before, sent] = await sentBack(at)
    t.equal(sent.status, 200, `${at} ${sent.status === 200 ? '' : sent.body.toString()}`)
    // An update that changes nothing is not stored, and leaves the version.
    t.same(unmanaged(parsed(sent)), unmanaged(before), at)
  }
})

/** Controllers of the server itself may come between. */
async function sentBack(at: string): Promise<readonly [ReturnType<typeof parsed>, Answer]> {
  for (let tries = 0; ; tries++) {
    // The first update may store what the server adds by itself.
    const made = await send(direct, 'GET', at, { accept: PROTOBUF })
    await send(direct, 'PUT', at, { type: PROTOBUF, body: made.body })
    const read = await send(direct, 'GET', at, { accept: PROTOBUF })
    const before = parsed(await send(direct, 'GET', at, {}))
    const sent = await send(through, 'PUT', at, { type: PROTOBUF, body: read.body })
    if (sent.status !== 409 || tries === 10) return [before, sent]
    await sleep(100)
  }
}

function unmanaged({ metadata, ...rest }: JsonObject & { readonly metadata: JsonObject }): object {
  const { managedFields: _, resourceVersion, ...kept } = metadata
  // The server itself goes on with what it manages.
  return VERSIONED.has(rest['kind'])
    ? { ...spec(rest), metadata: kept }
    : { ...rest, metadata: { ...kept, resourceVersion } }
}

const VERSIONED: ReadonlySet<unknown> = new Set([
  'CustomResourceDefinition',
  'APIService',
  'Namespace',
  'Node',
  'Service',
])
function spec({ status, ...rest }: JsonObject): JsonObject {
  return status === undefined ? rest : { ...rest, status: null }
}

t.test('What kubectl creates by typed clients is the same, direct and through the gate', async (t) => {
  const created: readonly (readonly [string, readonly string[]])[] = [
    ['configmap/a', ['configmap', 'a', '--from-literal=k=v', '--from-literal=e=']],
    ['secret/a', ['secret', 'generic', 'a', '--from-literal=password=hunter2']],
    ['secret/b', ['secret', 'docker-registry', 'b', '--docker-username=u', '--docker-password=p']],
    ['deployment/a', ['deployment', 'a', '--image=registry.example/a:1', '--replicas=2', '--port=80']],
    ['job/a', ['job', 'a', '--image=registry.example/a:1', '--', 'sh', '-c', 'true']],
    ['cronjob/a', ['cronjob', 'a', '--image=registry.example/a:1', '--schedule=* * * * *']],
    ['role/a', ['role', 'a', '--verb=get', '--resource=pods', '--resource-name=x']],
    ['rolebinding/a', ['rolebinding', 'a', '--role=a', '--serviceaccount=default:x']],
    ['serviceaccount/a', ['serviceaccount', 'a']],
    ['service/a', ['service', 'externalname', 'a', '--external-name=example.org']],
    ['service/h', ['service', 'clusterip', 'h', '--clusterip=None', '--tcp=80:8080']],
    ['ingress/a', ['ingress', 'a', '--rule=example.org/a*=web:80,tls=cert']],
    ['pdb/a', ['poddisruptionbudget', 'a', '--selector=app=a', '--min-available=50%']],
    ['quota/a', ['quota', 'a', '--hard=cpu=1500m,pods=2']],
  ]
  await server.namespace('direct')
  await server.namespace('through')
  target.policy.questions.length = 0
  for (const [name, args] of created) {
    const [one, other] = await Promise.all([
      create(direct, 'direct', name, args),
      create(through, 'through', name, args),
    ])
    t.same(other, one, name)
  }
  const judged = target.policy.questions.filter(({ command }) => command.shape.detail['verb'] === 'create')
  t.equal(judged.length, created.length)
  t.notOk(judged.some(({ command }) => command.shape.detail['body'] === null))
})

async function create(to: typeof direct, namespace: string, name: string, args: readonly string[]): Promise<object> {
  await kubectl(to, ['-n', namespace, 'create', ...args])
  const { stdout } = await run(KUBECTL, [...flags(direct), '-n', namespace, 'get', name, '-o', 'json'])
  const { metadata, ...rest } = JSON.parse(stdout.replaceAll(`"${namespace}"`, '"NAMESPACE"')) as JsonObject & {
    metadata: JsonObject
  }
  const { uid, resourceVersion, creationTimestamp, ...kept } = metadata as Readonly<Record<string, string>>
  const told = JSON.stringify({
    ...rest,
    metadata: kept,
    stored: Number(resourceVersion) > 0 && creationTimestamp !== undefined,
  })
  return JSON.parse(told.replaceAll(uid ?? '', 'UID')) as object
}

function flags({ port }: typeof direct): readonly string[] {
  return ['--kubeconfig', configOf(port), '--cache-dir', join(server.directory, `cache-${port}`)]
}

function configOf(port: number): string {
  return join(server.directory, `kubeconfig-${port}`)
}

async function kubectl(to: typeof direct, args: readonly string[]): Promise<string> {
  return (await run(KUBECTL, [...flags(to), ...args], { timeout: 20_000 })).stdout
}

t.test(
  'What is asked about objects reaches them: tokens, reviews, evictions, bindings, scales, deletions',
  async (t) => {
    const last = () => target.policy.questions.at(-1)?.command.shape.detail
    const here = async (...args: readonly string[]) => await kubectl(through, ['-n', 'bodies', ...args])
    t.match(await here('create', 'token', 'one', '--duration=15m', '--audience=x'), /^ey/)
    t.match(last(), {
      bodyForm: 'options',
      subresource: 'token',
      body: { spec: { audiences: ['x'], expirationSeconds: 900 } },
    })
    t.match(await here('auth', 'can-i', 'get', 'pods'), 'yes')
    t.match(last(), { bodyForm: 'object', body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } } })
    t.match(await here('scale', 'deployment/one', '--replicas=3'), 'scaled')
    t.match(await here('set', 'image', 'deployment/one', 'c=registry.example/web:2'), 'image updated')
    t.match(last(), { patch: { type: 'strategic' }, pod: { partial: true, images: ['registry.example/web:2'] } })
    const binding = { metadata: { name: 'one' }, target: { kind: 'Node', name: 'bodies-one' } }
    const bound = await send(through, 'POST', '/api/v1/namespaces/bodies/pods/one/binding', json(binding))
    t.equal(bound.status, 201, bound.body.toString())
    const eviction = { metadata: { name: 'one' }, deleteOptions: { dryRun: ['All'] } }
    const evicted = await send(through, 'POST', '/api/v1/namespaces/bodies/pods/one/eviction', json(eviction))
    t.equal(evicted.status, 201, evicted.body.toString())
    t.equal(last()?.['dryRun'], true)
    const dry = await send(through, 'DELETE', '/api/v1/namespaces/bodies/configmaps/one', json({ dryRun: ['All'] }))
    t.equal(dry.status, 200)
    t.equal(last()?.['dryRun'], true)
    t.equal((await send(direct, 'GET', '/api/v1/namespaces/bodies/configmaps/one', {})).status, 200)
    t.match(await here('delete', 'configmap', 'one', '--cascade=foreground', '--wait=false'), 'deleted')
    t.match(last(), { dryRun: false, bodyForm: 'options', body: { propagationPolicy: 'Foreground' } })
    t.match(await here('delete', 'deployment', 'one', '--wait=false'), 'deleted')
    for (const apiVersion of ['v1', 'meta.k8s.io/v1', 'apps/v1']) {
      const options = json({ apiVersion, kind: 'DeleteOptions', dryRun: ['All'] })
      const deleted = await send(through, 'DELETE', '/apis/apps/v1/namespaces/bodies/replicasets/one', options)
      t.equal(deleted.status, 200, deleted.body.toString())
    }
  },
)

function json(body: object) {
  return { type: 'application/json', body: Buffer.from(JSON.stringify(body)) }
}

t.test('What the API server would read otherwise than policy never reaches it', async (t) => {
  const path = '/api/v1/namespaces/bodies/configmaps'
  const bodies: readonly (readonly [string, string, number])[] = [
    ['application/json', '{"metadata":{"name":"x"},"metadata":{"name":"y"}}', 400],
    ['application/json', '{"metadata":{"name":"x"},"__proto__":{}}', 400],
    ['application/json', '{"metadata":{"name":"x","Namespace":"kube-system"}}', 400],
    ['application/json', '{"metadata":{"name":"x"},"Data":{}}', 400],
    ['application/yaml', 'metadata: &a {name: x}\ndata: *a\n', 400],
    ['application/cbor', '\xd9\xd9\xf7\xa0', 415],
    [PROTOBUF, 'k8s\0\x0a\x00', 415],
  ]
  for (const [type, text, status] of bodies) {
    const { audit } = server
    const before = audit().length
    const answer = await send(through, 'POST', path, { type, body: Buffer.from(text, 'latin1') })
    t.equal(answer.status, status, text)
    t.equal(audit().length, before, text)
  }
  const yaml = 'metadata:\n  name: plain\ndata:\n  k: v\n'
  t.equal((await send(through, 'POST', path, { type: 'application/yaml', body: Buffer.from(yaml) })).status, 201)
  const applied = await send(through, 'PATCH', `${path}/applied?fieldManager=agent`, {
    type: 'application/apply-patch+yaml',
    body: Buffer.from('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  k: v\n'),
  })
  t.equal(applied.status, 201, applied.body.toString())
  t.match(parsed(applied)['data'], { k: 'v' })
})

t.test('A key that is hidden behind an escape is judged as the API server reads it', async (t) => {
  // nodejs/node#63785: an object of these keys was what made others be read as `dat\\`.
  const poison = Buffer.from('{"metadata":{"name":"poison"},"dat\\\\":{}}')
  const hidden = Buffer.from('{"metadata":{"name":"hidden"},"dat\\u0061":{"key":"value"}}')
  for (const body of [poison, hidden]) {
    await send(through, 'POST', '/api/v1/namespaces/bodies/configmaps', { type: 'application/json', body })
  }
  t.match(target.policy.questions.at(-1)?.command.shape.detail, { name: 'hidden', body: { data: { key: 'value' } } })
  t.match(parsed(await send(direct, 'GET', '/api/v1/namespaces/bodies/configmaps/hidden', {}))['data'], {
    key: 'value',
  })
})
