/** Facts of Kubernetes requests that are not what the schema says: nothing that was denied becomes allowed. */
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Json, JsonObject } from '../../src/gate/json.ts'
import { readBundle } from '../../src/policy/archive.ts'
import { openBundle } from '../../src/policy/bundle.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { memoPlan } from '../../src/policy/memo.ts'
import { sampleQuestions } from '../../src/policy/samples.ts'
import { buildBundle } from '../support/bundle.ts'
import { asking, changed, contract, type Decided, evaluator, isObject, OTHER_VALUES } from './engine.ts'

const STARTER = join(import.meta.dirname, '../../bundles/starter-kubernetes')
const { asked, fits } = asking('kubernetes')

const NOTHING: JsonObject = {
  verb: 'get',
  resourceRequest: true,
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'web',
  generateName: '',
  path: '/x',
  rest: '',
  fieldSelector: '',
  labelSelector: '',
  dryRun: false,
  force: false,
  upgrade: null,
  query: {},
  exec: null,
  body: null,
  bodyForm: null,
  patch: null,
  pod: null,
}

const request = (verb: string, resource: string, more: JsonObject = {}): JsonObject => {
  const [kind = '', subresource = ''] = resource.split('/')
  const [plural = '', ...group] = kind.split('.')
  return { ...NOTHING, verb, resource: plural, group: group.join('.'), subresource, ...more }
}

const EXEC: JsonObject = {
  command: ['ls', '/srv'],
  container: '',
  stdin: false,
  stdout: true,
  stderr: true,
  tty: false,
  shell: false,
}
const exec = (more: JsonObject, others: JsonObject = {}) =>
  request('get', 'pods/exec', { upgrade: 'websocket', exec: { ...EXEC, ...more }, ...others })

const POD: JsonObject = {
  partial: false,
  images: ['registry.example/app:1'],
  commands: [],
  secrets: [],
  configMaps: [],
  serviceAccount: '',
  hostNamespaces: [],
  hostPaths: [],
  hostPorts: [],
  volumes: [],
  node: '',
  privileged: false,
  capabilities: [],
  baseline: [],
  restricted: [],
}
const written = (verb: string, resource: string, pod: JsonObject | null, more: JsonObject = {}) =>
  request(verb, resource, { body: { kind: 'x' }, bodyForm: 'object', pod, ...more })
const patched = (resource: string, type: string, paths: readonly string[], more: JsonObject = {}) =>
  request('patch', resource, {
    body: {},
    bodyForm: 'patch',
    patch: { type, paths, operations: [] },
    ...more,
  })

const ALLOWED: readonly JsonObject[] = [
  request('get', 'pods'),
  request('list', 'deployments.apps', { name: '' }),
  request('get', 'pods/log'),
  request('get', 'secrets'),
  request('list', 'nodes', { namespace: '', name: '' }),
  { ...NOTHING, resourceRequest: false, path: '/openapi/v3', resource: '', namespace: '', name: '' },
  exec({}),
  patched('deployments.apps/scale', 'merge', ['/spec/replicas']),
  patched('deployments.apps', 'strategic', ['/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt']),
  written('create', 'deployments.apps', POD, { dryRun: true }),
]

const HELD: readonly JsonObject[] = [
  written('create', 'deployments.apps', POD),
  written('update', 'configmaps', null),
  request('delete', 'pods'),
]

const DENIED: readonly JsonObject[] = [
  request('get', 'pods', { namespace: 'kube-system' }),
  request('list', 'secrets', { namespace: '', name: '' }),
  request('watch', 'pods', { upgrade: 'websocket' }),
  request('get', 'services/proxy'),
  request('get', 'pods/portforward', { upgrade: 'websocket' }),
  request('get', 'pods/attach', { upgrade: 'websocket', exec: { ...EXEC, command: [], shell: true } }),
  request('deletecollection', 'pods', { name: '' }),
  request('delete', 'namespaces', { namespace: 'default', name: 'default' }),
  exec({ command: ['rm', '-rf', '/srv'] }),
  exec({ command: ['sh', '-c', 'id'], shell: true }),
  exec({ stdin: true }),
  exec({}, { upgrade: 'spdy' }),
  exec({}, { namespace: 'kube-system' }),
  written('create', 'secrets', null),
  written('create', 'serviceaccounts/token', null),
  written('create', 'rolebindings.rbac.authorization.k8s.io', null),
  written('create', 'services', null, { body: { spec: { externalIPs: ['10.0.0.1'] } } }),
  written('create', 'pods', { ...POD, baseline: ['hostNamespaces'], hostNamespaces: ['network'] }),
  written('create', 'pods', { ...POD, baseline: ['privileged'], privileged: true }, { dryRun: true }),
  written('create', 'workflows.argoproj.io', null),
  patched('deployments.apps', 'json', ['/spec/template/spec/hostNetwork'], {
    pod: { ...POD, partial: true },
    patch: {
      type: 'json',
      paths: ['/spec/template/spec/hostNetwork'],
      operations: [{ op: 'copy', path: '/spec/template/spec/hostNetwork', from: '/spec/paused' }],
    },
  }),
  patched('nodes', 'merge', ['/spec/taints'], { namespace: '' }),
]

let decided: Promise<(detail: JsonObject) => Decided> | undefined
const starter = async () => {
  decided ??= evaluator(STARTER).then((decide) => (detail: JsonObject) => decide(asked(detail)))
  return await decided
}

t.test('what the starter policy for clusters decides are requests of the contract', async (t) => {
  const decide = await starter()
  for (const [effect, requests] of Object.entries({ allow: ALLOWED, approve: HELD, deny: DENIED })) {
    for (const detail of requests) {
      t.ok(fits(detail), JSON.stringify(detail))
      t.equal(decide(detail).effect, effect, JSON.stringify(detail))
    }
  }
})

t.test('whatever is answered with a Secret is masked, and nothing else is', async (t) => {
  const decide = await starter()
  for (const verb of ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']) {
    const masks = decide(request(verb, 'secrets')).masks.map(({ path, with: method }) => [path, method])
    t.strictSame(masks, [
      ['data.*', 'redact'],
      ['stringData.*', 'redact'],
    ])
  }
  for (const detail of [request('get', 'pods'), request('list', 'configmaps'), exec({})]) {
    t.strictSame(decide(detail).masks, [])
  }
})

t.test('a denied request of which a fact is missing or of another type is never allowed', async (t) => {
  const decide = await starter()
  let tried = 0
  for (const detail of [...DENIED, ...HELD]) {
    for (const other of changed(detail)) {
      // What the contract takes for facts is another request, which may well be allowed.
      if (!isObject(other) || fits(other)) continue
      tried++
      if (decide(other).effect === 'allow') t.fail(JSON.stringify(other))
    }
  }
  t.ok(tried > 3_000, `${tried} tried`)
})

function withMember(detail: JsonObject, key: string, value: Json | undefined): JsonObject {
  const { [key]: _, ...rest } = detail
  return value === undefined ? rest : { ...rest, [key]: value }
}

t.test('facts that are odd in several places at once are never allowed', async (t) => {
  const decide = await starter()
  const keys = Object.keys(NOTHING)
  fc.assert(
    fc.property(
      fc.constantFrom(...DENIED, ...HELD),
      fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...OTHER_VALUES, undefined), { maxKeys: 3 }),
      (detail, changes) => {
        // What is no oddity is another request, which may well be allowed.
        const odd = Object.entries(changes).filter(([key, value]) => !fits(withMember(detail, key, value)))
        const other = odd.reduce((facts, [key, value]) => withMember(facts, key, value), detail)
        return decide(other).effect !== 'allow'
      },
    ),
    { numRuns: 3_000 },
  )
  t.pass('no counterexample')
})

const WORDS: Readonly<Record<string, readonly string[]>> = {
  verb: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'proxy'],
  resource: [
    'pods',
    'deployments',
    'secrets',
    'configmaps',
    'serviceaccounts',
    'nodes',
    'namespaces',
    'roles',
    'things',
  ],
  group: ['', 'apps', 'rbac.authorization.k8s.io', 'example.com'],
  subresource: ['', 'log', 'exec', 'attach', 'portforward', 'proxy', 'scale', 'status', 'token', 'ephemeralcontainers'],
  namespace: ['', 'default', 'kube-system'],
}

t.test(
  'whatever is made up of known words, only reads, commands that look, scaling and dry runs are allowed',
  async (t) => {
    const decide = await starter()
    const allowed = new Set<string>()
    const words = fc.record(
      Object.fromEntries(Object.entries(WORDS).map(([key, values]) => [key, fc.constantFrom(...values)])),
    )
    const others = fc.record({
      dryRun: fc.boolean(),
      upgrade: fc.constantFrom(null, null, 'websocket', 'spdy'),
      exec: fc.constantFrom(null, EXEC, { ...EXEC, shell: true }, { ...EXEC, command: ['id', '-x'] }),
      pod: fc.constantFrom(null, POD, { ...POD, baseline: ['hostPorts'] }),
      patch: fc.constantFrom(null, { type: 'merge', paths: ['/spec/replicas'], operations: [] }),
    })
    fc.assert(
      fc.property(words, others, (word, other) => {
        const detail = { ...NOTHING, ...word, ...other } as JsonObject
        const { effect } = decide(detail)
        if (effect === 'allow') allowed.add(Object.values(word).join(' '))
        const takesOver =
          detail['upgrade'] !== null || /^(exec|attach|portforward|proxy)$/.test(String(word['subresource']))
        const reads = ['get', 'list', 'watch'].includes(String(word['verb'])) && !takesOver
        const looks = word['subresource'] === 'exec' && word['resource'] === 'pods' && other.upgrade === 'websocket'
        const tries = other.dryRun && ['configmaps', 'deployments', 'pods'].includes(String(word['resource']))
        const inside = word['namespace'] === 'default' || ['nodes', 'namespaces'].includes(String(word['resource']))
        return effect !== 'allow' || (inside && (reads || looks || tries || word['subresource'] === 'scale'))
      }),
      { numRuns: 5_000 },
    )
    t.ok(allowed.size > 10, [...allowed].join(', '))
  },
)

t.test('answers of the starter policy may be kept, and do not depend on parts that it does not judge', async (t) => {
  const file = await buildBundle(STARTER)
  const { attestation } = await openBundle(await readBundle(file), {
    key: null,
    combiners: new Set([combinerDigest()]),
  })
  const plan = memoPlan(attestation)
  t.ok(plan.memoisable)
  const keys = plan.memoisable ? plan.keys : null
  t.ok(keys !== null && keys.includes('verb') && keys.includes('pod'), String(keys))
  for (const key of ['name', 'path', 'fieldSelector', 'labelSelector', 'generateName', 'version', 'query', 'rest']) {
    t.notOk(keys?.includes(key), key)
  }
})

t.test('samples of the schema are all decided', async (t) => {
  const decide = await starter()
  const sampled = sampleQuestions(contract, 300)
    .filter(({ command: { shape } }) => shape.protocol === 'kubernetes')
    .map(({ command: { shape } }) => shape.detail)
  t.ok(sampled.length >= 100)
  for (const detail of sampled) t.match(decide(detail).effect, /^(allow|deny|approve)$/)
})
