/** No answer of a real API server, in any form, says what is masked. */
import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Mask } from '../../../src/gate/decision.ts'
import { ALLOW, deny, FakePolicy } from '../../support/fakes.ts'
import { type Answer, call, startKubernetes } from '../../support/kubernetes.ts'
import { startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { removeAtExit } from '../../support/process.ts'

t.setTimeout(120_000)

const SENTINEL = 'Sentinel-of-all-secrets-42'
const ENCODED = Buffer.from(SENTINEL).toString('base64')
/** Without padding, and at any place in other bytes that begin where a group does. */
const FORMS = [SENTINEL, ENCODED, ENCODED.replace(/=+$/, '').slice(0, -1)]
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
const SECRETS = '/api/v1/namespaces/a/secrets'
const WIDGETS = '/apis/example.com/v1/namespaces/a/widgets'

const mask = (path: string, method: Mask['with'] = 'redact'): Mask => ({
  column: null,
  detector: null,
  path,
  with: method,
  policy: 'policy.test',
})
const MASKS: Readonly<Record<string, readonly Mask[]>> = {
  secrets: [mask('data.*')],
  configmaps: [mask('data.password'), mask('binaryData.*')],
  pods: [mask('spec.containers.*.env.*.value')],
  widgets: [mask('spec.token')],
  serviceaccounts: [mask('status.token')],
}

const server = await startKubernetes()
t.teardown(() => server.stop())
const policy = new FakePolicy(({ command }) => ({
  ...ALLOW,
  masks: MASKS[command.shape.detail['resource'] as string] ?? [],
}))
const target = await startKubernetesTarget(server, { policy })
t.teardown(() => target.close())
await server.namespace('a')
await server.namespace('b')

type Headers = Readonly<Record<string, string>>

async function through(
  method: string,
  path: string,
  body: object | null = null,
  headers: Headers = {},
): Promise<Answer> {
  return await call({ port: target.port, caFile: target.caFile, token: 'meaningless', headers }, method, path, body)
}

async function direct(
  method: string,
  path: string,
  body: object | null = null,
  headers: Headers = {},
): Promise<Answer> {
  const answer = await server.call(method, path, body, { headers })
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.body}`)
  return answer
}

const says = ({ body }: Answer): boolean => FORMS.some((form) => body.includes(form))

function secret(name: string, more: object = {}): object {
  const applied = { kind: 'Secret', apiVersion: 'v1', metadata: { name }, stringData: { password: SENTINEL } }
  return {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: {
      name,
      annotations: {
        [LAST_APPLIED]: JSON.stringify(applied),
        copied: `it is ${SENTINEL}`,
        encoded: ENCODED,
        plain: 'kept',
      },
      labels: { said: SENTINEL, app: 'kept' },
      ...more,
    },
    data: { password: ENCODED },
  }
}

const ACCEPTS: Readonly<Record<string, string>> = {
  json: 'application/json',
  anything: '*/*',
  table:
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
  'beta table': 'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
  metadata: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json',
  'metadata list': 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json',
  protobuf: 'application/vnd.kubernetes.protobuf,application/json',
  'protobuf only': 'application/vnd.kubernetes.protobuf',
  'protobuf metadata': 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  yaml: 'application/yaml',
  cbor: 'application/cbor,application/json',
  'stream of watch': 'application/json;stream=watch',
}

const READS = [
  `${SECRETS}/one`,
  `${SECRETS}/one?pretty=true`,
  SECRETS,
  `${SECRETS}?limit=1`,
  `${SECRETS}?pretty=true`,
  `${SECRETS}?fieldSelector=metadata.name%3Done`,
  `${SECRETS}?includeObject=Object`,
  `${SECRETS}?includeObject=None`,
  '/api/v1/secrets',
  `${SECRETS}?watch=true&timeoutSeconds=1`,
  `/api/v1/watch/namespaces/a/secrets?timeoutSeconds=1`,
  `/api/v1/watch/namespaces/a/secrets/one?timeoutSeconds=1`,
  `${SECRETS}?watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
]

t.test('No read says a masked value, in whatever form it is asked for', async (t) => {
  await direct('POST', SECRETS, secret('one'))
  await direct('POST', SECRETS, secret('two'))
  let leaks = 0
  const questions = READS.flatMap((path) => Object.entries(ACCEPTS).map(([form, accept]) => ({ path, form, accept })))
  await Promise.all(
    questions.map(async ({ path, form, accept }) => {
      const [told, plain] = await Promise.all([
        through('GET', path, null, { accept }),
        server.call('GET', path, null, { headers: { accept } }),
      ])
      if (says(plain)) leaks++
      t.notOk(says(told), `${form} of ${path}`)
      if (plain.status === 200) t.equal(told.status, 200, `${form} of ${path}: ${told.body.slice(0, 200)}`)
    }),
  )
  t.ok(leaks > 100, `${leaks} of them say it without Sidegate`)
})

t.test('What is not masked is the same as without Sidegate', async (t) => {
  for (const form of ['json', 'metadata', 'table'] as const) {
    for (const path of [`${SECRETS}/one`, SECRETS]) {
      const accept = form === 'metadata' && path === SECRETS ? ACCEPTS['metadata list'] : ACCEPTS[form]
      const [told, plain] = await Promise.all([
        through('GET', path, null, { accept: accept ?? '' }),
        direct('GET', path, null, { accept: accept ?? '' }),
      ])
      t.same(unmasked(told), hidden(plain), `${form} of ${path}`)
    }
  }
})

/** With what stands for masked values taken out; ages grow between two answers. */
function unmasked({ body }: Answer): unknown {
  return JSON.parse(
    body
      .replaceAll('W3NpZGVnYXRlOm1hc2tlZF0=', 'X')
      .replaceAll('[sidegate:masked]', 'X')
      .replaceAll(/"\d+s"/g, '"age"'),
  )
}

function hidden({ body }: Answer): unknown {
  const text = body.replaceAll(`it is ${SENTINEL}`, 'X').replaceAll(SENTINEL, 'X').replaceAll(ENCODED, 'X')
  return JSON.parse(text.replaceAll(/"\d+s"/g, '"age"'))
}

const PATCHES: Readonly<Record<string, object>> = {
  'application/json-patch+json': [{ op: 'add', path: '/metadata/labels/touched', value: 'yes' }],
  'application/merge-patch+json': { metadata: { labels: { touched: 'merge' } }, stringData: { more: SENTINEL } },
  'application/strategic-merge-patch+json': { metadata: { labels: { touched: 'strategic' } } },
  'application/apply-patch+yaml': {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'writes' },
    stringData: { applied: SENTINEL },
  },
}

t.test('No echo of a write says a masked value: create, update, every patch, delete, dry runs', async (t) => {
  const kept = { finalizers: ['example.com/kept'] }
  for (const dryRun of ['?dryRun=All', '']) {
    const query = dryRun === '' ? '' : '&dryRun=All'
    for (const [form, accept] of Object.entries(ACCEPTS)) {
      if (dryRun === '' && form !== 'json' && form !== 'table' && form !== 'metadata') continue
      const name = form.replaceAll(' ', '-')
      const echoes: Record<string, Answer> = {}
      echoes['create'] = await through('POST', `${SECRETS}${dryRun}`, secret(`new-${name}`, kept), { accept })
      await server.call('POST', SECRETS, secret('writes', kept))
      echoes['update'] = await through('PUT', `${SECRETS}/writes${dryRun}`, secret('writes', kept), { accept })
      for (const [type, patch] of Object.entries(PATCHES)) {
        const path = `${SECRETS}/writes?fieldManager=test&force=true${query}`
        const path_ = type.includes('apply') ? path : path.replace('&force=true', '')
        echoes[type] = await through('PATCH', path_, patch, { accept, 'content-type': type })
      }
      // A finalizer keeps it: the object comes back, and not a Status.
      echoes['delete'] = await through('DELETE', `${SECRETS}/writes${dryRun}`, null, { accept })
      if (form === 'json') {
        t.match(echoes['delete']?.body, /"kind":"Secret"/)
        const path = '/api/v1/namespaces/a/secrets'
        echoes['deletecollection'] = await through('DELETE', `${path}?labelSelector=app%3Dkept${query}`, null, {
          accept,
        })
        t.match(echoes['deletecollection']?.body, /"kind":"SecretList"/)
      }
      for (const [verb, echo] of Object.entries(echoes)) {
        t.notOk(says(echo), `${verb} as ${form} ${dryRun}`)
        t.ok(echo.status < 300, `${verb} as ${form} ${dryRun}: ${echo.status} ${echo.body.slice(0, 300)}`)
      }
    }
  }
})

t.test('Other kinds are masked by path: maps, environments, custom resources, tokens', async (t) => {
  await direct('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          additionalPrinterColumns: [{ name: 'Token', type: 'string', jsonPath: '.spec.token' }],
        },
      ],
    },
  })
  await direct('POST', '/api/v1/namespaces/a/configmaps', {
    metadata: { name: 'map' },
    data: { password: SENTINEL, other: 'kept' },
  })
  const env = [{ name: 'PASSWORD', value: SENTINEL }]
  const containers = [{ name: 'c', image: 'i', env }]
  await direct('POST', '/api/v1/namespaces/a/pods', {
    metadata: { name: 'pod' },
    spec: { containers, automountServiceAccountToken: false },
  })
  await untilServed()
  await direct('POST', WIDGETS, {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: { token: SENTINEL, size: 3 },
  })
  const paths = [
    '/api/v1/namespaces/a/configmaps/map',
    '/api/v1/configmaps',
    '/api/v1/namespaces/a/pods/pod',
    '/api/v1/pods',
    `${WIDGETS}/w`,
    WIDGETS,
    `${WIDGETS}?watch=1&timeoutSeconds=1`,
  ]
  for (const path of paths) {
    t.ok(says(await direct('GET', path)), `${path} says it without Sidegate`)
    for (const [form, accept] of Object.entries(ACCEPTS)) {
      const told = await through('GET', path, null, { accept })
      t.notOk(says(told), `${form} of ${path}`)
      t.equal(told.status, 200, `${form} of ${path}: ${told.body.slice(0, 200)}`)
    }
  }
  const forbidden = [{ op: 'replace', path: '/spec/containers/0/env/0/name', value: 'OTHER' }]
  const [path, type] = ['/api/v1/namespaces/a/pods/pod', { 'content-type': 'application/json-patch+json' }]
  t.ok(says(await server.call('PATCH', path, forbidden, { headers: type })), 'a forbidden change quotes the pod')
  const told = await through('PATCH', path, forbidden, type)
  t.equal(told.status, 422)
  t.notOk(says(told))
  const token = await through('POST', '/api/v1/namespaces/a/serviceaccounts/default/token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 600 },
  })
  t.equal((JSON.parse(token.body) as { status: { token: string } }).status.token, '[sidegate:masked]')
})

/** A definition is served a moment after it was accepted. */
async function untilServed(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await server.call('GET', WIDGETS)).status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the custom resource is not served')
}

t.test('Nothing is learnt of a masked value by asking: JSON Patch tests, copies, moves, selectors', async (t) => {
  const type = { 'content-type': 'application/json-patch+json' }
  await direct('POST', SECRETS, secret('one'))
  const copied = { op: 'copy', from: '/data/password', path: '/metadata/annotations/taken' }
  for (const operation of [
    { op: 'test', path: '/data/password', value: ENCODED },
    copied,
    { op: 'move', from: '/data/password', path: '/data/moved' },
    { op: 'copy', from: '/data', path: '/stringData' },
    { op: 'test', path: `/metadata/annotations/${LAST_APPLIED.replace('/', '~1')}`, value: 'x' },
  ]) {
    const before = await direct('GET', `${SECRETS}/one`)
    const told = await through('PATCH', `${SECRETS}/one`, [operation], type)
    t.equal(told.status, 403, JSON.stringify(operation))
    t.match(told.body, 'obligation.unsupported')
    t.equal((await direct('GET', `${SECRETS}/one`)).body, before.body, 'and nothing was changed')
  }
  const leaked = await server.call('PATCH', `${SECRETS}/one?dryRun=All`, [copied], { headers: type })
  t.match(leaked.body, `"taken":"${ENCODED}"`, 'without Sidegate it is copied')
  for (const rest of ['log', 'log?follow=true']) {
    t.equal((await through('GET', `/api/v1/namespaces/a/pods/pod/${rest}`)).status, 403)
  }
})

t.test('A mask that is written back is refused with the field, and destroys nothing', async (t) => {
  await server.call('POST', SECRETS, secret('one'))
  const before = await direct('GET', `${SECRETS}/one`)
  const read = await through('GET', `${SECRETS}/one`)
  const told = await through('PUT', `${SECRETS}/one`, JSON.parse(read.body) as object)
  t.equal(told.status, 422)
  t.match(JSON.parse(told.body), { kind: 'Status', reason: 'Invalid', message: /obligation.write-back/ })
  const part = { data: (JSON.parse(read.body) as { data: object }).data }
  const patched = await through('PATCH', `${SECRETS}/one`, part, { 'content-type': 'application/merge-patch+json' })
  t.match(patched, { status: 422, body: /data\.password/ })
  t.equal((await direct('GET', `${SECRETS}/one`)).body, before.body)
})

t.test('deny refuses the object itself with a Status, and leaves it out of lists', async (t) => {
  const was = policy.rule
  t.teardown(() => policy.change(was))
  policy.change(() => ({ ...ALLOW, masks: [mask('data.password', 'deny')] }))
  await server.call('POST', SECRETS, secret('one'))
  await direct('POST', SECRETS, { metadata: { name: 'harmless' }, data: { other: 'eA==' } })
  t.match(await through('GET', `${SECRETS}/one`), { status: 403, body: /does not show data\.password/ })
  t.equal((await through('GET', `${SECRETS}/harmless`)).status, 200)
  t.same(names(await through('GET', SECRETS)), ['harmless'])
})

t.test('A list has those objects that the same principal may get, where the policy asks for that', async (t) => {
  const was = policy.rule
  t.teardown(() => policy.change(was))
  policy.change(({ command }) => {
    const { verb, namespace } = command.shape.detail
    if (verb === 'get' && namespace !== 'b') return deny('test.other-namespace')
    return { ...ALLOW, masks: verb === 'get' ? [] : [mask('$', 'deny')] }
  })
  await direct('POST', '/api/v1/namespaces/b/secrets', secret('of-b'))
  t.same(names(await through('GET', '/api/v1/secrets')), ['of-b'])
  const watched = await through('GET', '/api/v1/secrets?watch=1&timeoutSeconds=1')
  t.same(
    watched.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { object: Named }).object.metadata.name),
    ['of-b'],
  )
  const table = await through('GET', '/api/v1/secrets', null, { accept: ACCEPTS['table'] ?? '' })
  t.same(
    (JSON.parse(table.body) as { rows: { cells: string[] }[] }).rows.map(({ cells }) => cells[0]),
    ['of-b'],
  )
  t.equal((await through('DELETE', '/api/v1/namespaces/b/secrets')).status, 403)
})

interface Named {
  readonly metadata: { readonly name: string }
}

const names = ({ body }: Answer): string[] =>
  (JSON.parse(body) as { items: Named[] }).items.map(({ metadata }) => metadata.name)

t.test('kubectl prints, applies and refuses as it should under masks', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'sidegate-masking-'))
  removeAtExit(home)
  const kubectl = async (args: readonly string[], input = ''): Promise<string> => {
    const connection = [
      `--server=https://127.0.0.1:${target.port}`,
      `--certificate-authority=${target.caFile}`,
      '--token=x',
      '-n',
      'a',
    ]
    const running = promisify(execFile)(KUBECTL, [...connection, ...args], {
      env: { HOME: home, KUBECONFIG: '/dev/null' },
    })
    running.child.stdin?.end(input)
    return await running.then(
      ({ stdout }) => stdout,
      (error: { stderr?: string }) => `failed: ${error.stderr ?? ''}`,
    )
  }
  const manifest = (value: string) =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'mine' }, stringData: { password: value } })
  t.match(await kubectl(['apply', '-f', '-'], manifest(SENTINEL)), 'secret/mine created')
  t.match(await kubectl(['get', 'secrets']), /NAME +TYPE +DATA +AGE[^]*mine +Opaque +1/)
  const read = await kubectl(['get', 'secret', 'mine', '-o', 'json'])
  t.notOk(says({ status: 200, body: read }))
  t.notOk(says({ status: 200, body: await kubectl(['describe', 'secret', 'mine']) }))
  t.match(await kubectl(['apply', '-f', '-'], manifest('another')), 'secret/mine configured')
  t.match((await direct('GET', `${SECRETS}/mine`)).body, Buffer.from('another').toString('base64'))
  t.match(await kubectl(['label', 'secret', 'mine', 'a=b']), 'labeled')
  t.match(await kubectl(['replace', '-f', '-'], read), /failed: .*obligation\.write-back/s)
  t.match(await kubectl(['delete', 'secret', 'mine']), 'deleted')
})

const KUBECTL = join(import.meta.dirname, '../../../.bin/kubectl')
