import fc from 'fast-check'
import t from 'tap'
import type { Json, JsonObject } from '../../../../../src/gate/json.ts'
import { segmentsOf } from '../../../../../src/protocols/kubernetes/body/patch/pointer.ts'
import { decoded } from '../requests.ts'

const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/web'
const TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

const patched = (type: keyof typeof TYPES, body: object, target = DEPLOYMENT) =>
  decoded('PATCH', type === 'apply' ? `${target}?fieldManager=a` : target, { type: TYPES[type], body })
const facts = (type: keyof typeof TYPES, body: object) => patched(type, body).patch

t.test('A JSON Patch names each leaf that it sets, what it replaces whole, and its operations in order', async (t) => {
  const sent = [
    { op: 'test', path: '/metadata/uid', value: 'u' },
    { op: 'replace', path: '/spec/replicas', value: 3 },
    { op: 'add', path: '/metadata/labels', value: { 'a/b~c': 'x', d: {} } },
    { op: 'remove', path: '/metadata/annotations/e' },
    { op: 'move', from: '/spec/a', path: '/spec/b' },
    { op: 'copy', from: '/spec/c', path: '/spec/d' },
  ]
  const body = patched('json', sent)
  t.same(body.patch?.paths, [
    '/spec/replicas',
    '/metadata/labels',
    '/metadata/labels/a~1b~0c',
    '/metadata/labels/d',
    '/metadata/annotations/e',
    '/spec/a',
    '/spec/b',
    '/spec/d',
  ])
  t.same(
    body.patch?.operations.map(({ op, from }) => [op, from]),
    [
      ['test', null],
      ['replace', null],
      ['add', null],
      ['remove', null],
      ['move', '/spec/a'],
      ['copy', '/spec/c'],
    ],
  )
  t.equal(body.form, 'patch')
  t.equal(body.contentType, TYPES.json)
  t.same(body.json, sent)
})

t.test('A merge patch replaces lists whole and removes by null', async (t) => {
  const sent = { metadata: { labels: { a: null } }, spec: { replicas: 2, list: [{ b: 1 }], empty: {}, args: ['x'] } }
  t.same(facts('merge', sent), {
    type: 'merge',
    paths: [
      '/metadata/labels/a',
      '/spec/replicas',
      '/spec/list',
      '/spec/list/0/b',
      '/spec/empty',
      '/spec/args',
      '/spec/args/0',
    ],
    operations: [],
  })
})

t.test('A strategic patch merges lists of objects, and its directives are what they remove or replace', async (t) => {
  const sent = {
    spec: {
      template: {
        spec: {
          '$setElementOrder/containers': [{ name: 'c' }],
          containers: [
            { name: 'c', image: 'i', args: ['a'] },
            { $patch: 'delete', name: 'old' },
          ],
          volumes: [{ $retainKeys: ['name', 'emptyDir'], name: 'v', emptyDir: {} }],
        },
      },
    },
    metadata: { '$deleteFromPrimitiveList/finalizers': ['f'], labels: { $patch: 'replace', a: 'b' } },
  }
  const at = '/spec/template/spec'
  t.same(facts('strategic', sent), {
    type: 'strategic',
    paths: [
      `${at}/containers/0/name`,
      `${at}/containers/0/image`,
      `${at}/containers/0/args`,
      `${at}/containers/1`,
      `${at}/containers/1/name`,
      `${at}/volumes/0`,
      `${at}/volumes/0/name`,
      `${at}/volumes/0/emptyDir`,
      '/metadata/finalizers',
      '/metadata/labels',
      '/metadata/labels/a',
    ],
    operations: [
      { op: 'remove', path: `${at}/containers/1`, from: null },
      { op: 'replace', path: `${at}/volumes/0`, from: null },
      { op: 'remove', path: '/metadata/finalizers', from: null },
      { op: 'replace', path: '/metadata/labels', from: null },
    ],
  })
})

t.test('Patches that are malformed, or meant for another object, are refused', async (t) => {
  const refused = (type: keyof typeof TYPES, body: object, message: RegExp) =>
    t.throws(() => facts(type, body), { message }, JSON.stringify(body))
  refused('json', { op: 'add' }, /is a list/)
  refused('json', [{ op: 'add', path: '/a' }], /no value/)
  refused('json', [{ op: 'add', path: 'a', value: 1 }], /no JSON Pointer/)
  refused('json', [{ op: 'add', path: '/a~2', value: 1 }], /no JSON Pointer/)
  refused('json', [{ op: 'Add', path: '/a', value: 1 }], /not known/)
  refused('json', [{ op: 'remove' }], /no path/)
  refused('json', [{ op: 'copy', path: '/a' }], /from/)
  refused('json', [{ op: 'add', path: '/a', from: '/b', value: 1 }], /from/)
  refused('json', [{ op: 'remove', path: '/a', Path: '/b' }], /has Path/)
  refused(
    'json',
    Array.from({ length: 10_001 }, () => ({ op: 'remove', path: '/a' })),
    /10000 operations/,
  )
  refused('merge', [], /no object/)
  refused('merge', { Spec: {} }, /take for spec/)
  refused('merge', { metadata: { Labels: {} } }, /take for labels/)
  refused('merge', { metadata: { namespace: 'other' } }, /namespace is another/)
  refused('strategic', { spec: { $patch: 'explode' } }, /not understood/)
  refused('strategic', { spec: { $unknown: 1 } }, /not understood/)
  refused('strategic', { spec: { '$setElementOrder/': [] } }, /not understood/)
  refused('strategic', { spec: { $retainKeys: 'a' } }, /not understood/)
  refused('apply', { apiVersion: 'apps/v2', kind: 'Deployment' }, /apiVersion is another/)
  t.throws(() => decoded('PATCH', DEPLOYMENT, { body: {} }), { message: /^command.media-type/ })
  t.throws(() => decoded('PATCH', DEPLOYMENT, { type: 'application/apply-patch+cbor', body: {} }), {
    message: /media-type/,
  })
  t.throws(() => decoded('PATCH', DEPLOYMENT, { type: 'application/merge-patch+json; q=1', body: {} }), {
    message: /media-type/,
  })
})

t.test('A patch whose pointers would fill the memory is refused before they are written out', async (t) => {
  const name = 'k'.repeat(100_000)
  const members = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${index}`, { $patch: 'delete' }]))
  const fields = Object.fromEntries(Object.keys(members).map((key) => [key, 1]))
  const kind = { apiVersion: 'apps/v1', kind: 'Deployment' }
  const sent = {
    json: [{ op: 'add', path: `/${name}`, value: fields }],
    merge: { [name]: fields },
    strategic: { [name]: members },
    apply: { ...kind, [name]: fields },
  } as const
  for (const type of ['json', 'merge', 'strategic', 'apply'] as const) {
    t.throws(() => patched(type, sent[type]), /command\.too-large/, type)
  }
  t.equal(facts('merge', { [name]: { a: 1, b: 2 } })?.paths.length, 2, 'a long name alone is none')
  const wide = Array.from({ length: 2_000 }, (_, index) => ({
    op: 'add',
    path: `/${index}${'/a'.repeat(50)}`,
    value: 1,
  }))
  t.throws(() => patched('json', wide), /command\.too-large .* segments/)
  t.equal(facts('json', wide.slice(0, 1_900))?.paths.length, 1_900)
  const deep = '/a'.repeat(100_000)
  t.throws(() => patched('json', [{ op: 'add', path: deep, value: 1 }]), /command\.unparsable .* levels/)
  t.throws(() => patched('json', [{ op: 'copy', path: '/a', from: deep }]), /command\.unparsable .* levels/)
})

t.test('A JSON Patch tells of pods what it sets of them, and loses nothing', async (t) => {
  const at = '/spec/template/spec'
  const pod = patched('json', [
    { op: 'replace', path: `${at}/containers/0/image`, value: 'first' },
    {
      op: 'add',
      path: `${at}/containers/0`,
      value: { name: 'n', image: 'second', securityContext: { privileged: true } },
    },
    { op: 'add', path: `${at}/containers/0`, value: { name: 'm', image: 'third' } },
    { op: 'replace', path: `${at}/containers/0/image`, value: 'fourth' },
    { op: 'add', path: `${at}/volumes/-`, value: { name: 'v', hostPath: { path: '/' } } },
    { op: 'add', path: `${at}/volumes/-`, value: { name: 'w', secret: { secretName: 's' } } },
    { op: 'add', path: `${at}/hostNetwork`, value: true },
  ]).pod
  t.same(pod?.images.toSorted(), ['first', 'fourth', 'second', 'third'])
  t.equal(pod?.privileged, true)
  t.same([pod?.hostPaths, pod?.secrets, pod?.hostNamespaces], [['/'], ['s'], ['network']])
  t.equal(pod?.partial, true)
  const whole = patched('json', [
    { op: 'replace', path: '', value: { spec: { template: { spec: { hostPID: true } } } } },
  ])
  t.same(whole.pod?.hostNamespaces, ['pid'])
  t.equal(patched('json', [{ op: 'replace', path: '/spec/replicas', value: 1 }]).pod, null)
})

const json = fc
  .jsonValue({ maxDepth: 3 })
  .filter((value) => !/__proto__|[0-9]{16}|1e\+?308/.test(JSON.stringify(value)))

t.test('Whatever a merge patch sets stands at one of the paths that are told', async (t) => {
  const settings = fc.dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    json,
    { minKeys: 1 },
  )
  fc.assert(
    fc.property(settings, (spec) => {
      const sent = { spec } as JsonObject
      const paths = facts('merge', sent)?.paths ?? []
      const told = paths.every((path) => valueAt(sent, segmentsOf(path)) !== undefined)
      return told && countLeaves(sent) <= paths.length && new Set(paths).size === paths.length
    }),
    { numRuns: 300 },
  )
  t.pass('whatever it was')
})

function valueAt(of: Json, segments: readonly string[]): Json | undefined {
  let at: Json | undefined = of
  for (const segment of segments) at = (at as Record<string, Json> | undefined)?.[segment]
  return at
}

function countLeaves(of: Json): number {
  if (of === null || typeof of !== 'object') return 1
  const below = Object.values(of as JsonObject)
  return below.length === 0 ? 1 : below.reduce<number>((sum, value) => sum + countLeaves(value), 0)
}
