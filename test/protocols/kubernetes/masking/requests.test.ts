import t from 'tap'
import type { Mask } from '../../../../src/gate/decision.ts'
import type { JsonObject } from '../../../../src/gate/json.ts'
import type { PatchOperation } from '../../../../src/protocols/kubernetes/body/body.ts'
import { NO_MASKS } from '../../../../src/protocols/kubernetes/masking/plan.ts'
import {
  type Asked,
  base64,
  MARKED,
  MARKED_BYTES,
  mask,
  METHODS,
  plan,
  planned,
  rewriterOf,
  rewritten,
  secret,
  SECRET,
  SECRETS,
} from './sketch.ts'

const DATA = [mask('data.*')]
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

function code(masks: readonly Mask[], asked: Asked): string | null {
  const made = planned(masks, asked)
  return 'code' in made ? made.code : null
}

const put = (json: JsonObject): Asked => ({ method: 'PUT', body: { json } })

t.test('Masks that cannot be kept refuse the request, and say which', async (t) => {
  const wrong: Mask[] = [
    mask('data[0]'),
    mask('$'),
    { ...mask('x'), path: null, column: 'public.a.b' },
    { ...mask('x'), path: null, detector: 'email' },
  ]
  for (const each of wrong) {
    const made = planned([...DATA, each])
    t.match(made, { code: 'obligation.unsupported' })
    t.match('message' in made ? made.message : '', each.path ?? each.column ?? each.detector ?? '')
  }
  const many = Array.from({ length: 300 }, (_, at) => mask(`*.*.${'*.'.repeat(at % 20)}x${at}.*.y`))
  t.equal(code(many, {}), 'obligation.unsupported', 'more than can be looked for at once')
})

t.test(
  'What has no objects passes under any mask; what cannot be inspected is refused before it is asked for',
  async (t) => {
    for (const target of ['/version', '/api/v1', '/openapi/v3', '/healthz'])
      t.equal(planned(DATA, { target }), NO_MASKS)
    t.equal(planned([], {}), NO_MASKS)
    for (const target of ['/api/v1/namespaces/a/pods/p/log', '/api/v1/namespaces/a/pods/p/log?follow=true']) {
      t.equal(code(DATA, { target }), 'obligation.unsupported', target)
    }
    for (const rest of ['exec?command=ls', 'attach', 'portforward', 'proxy/x']) {
      t.equal(
        code(DATA, { method: 'POST', target: `/api/v1/namespaces/a/pods/p/${rest}` }),
        'obligation.unsupported',
        rest,
      )
    }
  },
)

t.test('An answer of another type is refused', async (t) => {
  const types = [
    'text/plain',
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    '',
    'text/html; charset=utf-8',
  ]
  for (const type of types) t.match(plan(DATA).rewriter(200, type), { code: 'obligation.unsupported' }, type)
  t.ok('chunk' in rewriterOf(plan(DATA), 200, 'application/json; charset=utf-8'))
  t.equal(rewritten(rewriterOf(plan(DATA, { method: 'HEAD' }), 200, 'application/json'), ''), '')
})

t.test('Only JSON is asked for, in forms that can be masked', async (t) => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const asked: readonly [string, string][] = [
    ['application/json', 'application/json'],
    ['application/json, */*', 'application/json'],
    ['text/plain', 'application/json'],
    [`${table},application/json`, `${table}, application/json`],
    ['application/json;as=Table;v=v1;g=other', 'application/json'],
    ['application/json;as=Table;v=v9;g=meta.k8s.io', 'application/json'],
    ['application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io', 'application/json'],
    [`application/json,${table}`, 'application/json'],
  ]
  for (const [accept, instead] of asked)
    t.equal(plan(DATA, { target: SECRETS, accept }).instead?.accept, instead, accept)
  t.equal(
    plan(DATA, { target: `${SECRETS}?limit=5`, accept: table }).instead?.target,
    `${SECRETS}?limit=5&includeObject=Object`,
  )
})

t.test('A list of which objects may be left out comes in one page', async (t) => {
  const asked = (path: string, query: string) =>
    plan([path === '$' ? mask(path, 'deny') : mask(path)], { target: `${SECRETS}${query}` }).instead?.target
  t.equal(asked('$', '?limit=5&labelSelector=a'), `${SECRETS}?labelSelector=a`)
  t.equal(asked('$', '?limit=5'), SECRETS)
  t.equal(asked('data.*', '?limit=5'), `${SECRETS}?limit=5`)
  t.equal(asked('$', '?watch=1&limit=5'), `${SECRETS}?watch=1&limit=5`)
})

t.test('A mask that is written back is refused, and the field is named', async (t) => {
  const marked = secret('one', {})
  const bodies: readonly [JsonObject, string][] = [
    [{ ...marked, data: { 'a.b': MARKED_BYTES } }, 'data["a.b"]'],
    [{ ...marked, stringData: { k: `x ${MARKED}` } }, 'stringData.k'],
    [{ ...marked, metadata: { labels: { l: MARKED } } }, 'metadata.labels.l'],
    [{ ...marked, metadata: { annotations: { [LAST_APPLIED]: `{"data":{"k":"${MARKED_BYTES}"}}` } } }, LAST_APPLIED],
    [{ ...marked, spec: [{ x: [MARKED] }] }, 'spec.0.x.0'],
    [{ ...marked, data: { k: null } }, 'data.k'],
  ]
  for (const [json, field] of bodies) {
    const made = planned(DATA, put(json))
    t.match(made, { code: 'obligation.write-back' }, field)
    t.match('message' in made ? made.message : '', field)
  }
  t.equal(code(DATA, put(secret('one', { k: 'new' }))), null)
  t.equal(code([], put({ data: { k: MARKED_BYTES } })), null)
  const create: Asked = { method: 'POST', target: SECRETS, body: { json: { stringData: { k: MARKED } } } }
  t.equal(code(DATA, create), 'obligation.write-back')
})

t.test('Masks of other methods are known by where they stand', async (t) => {
  const partial = [mask('data.*', 'partial')]
  t.equal(code(partial, put(secret('one', { k: '********1234' }))), 'obligation.write-back')
  t.equal(code(partial, put(secret('one', { k: '************' }))), 'obligation.write-back')
  t.equal(code(partial, put({ ...secret('one', {}), stringData: { k: '********1234' } })), 'obligation.write-back')
  t.equal(code(partial, put(secret('one', { k: '*******1234' }))), null)
  t.equal(code(partial, put({ metadata: { labels: { l: '********1234' } } })), null)
  const hash = [mask('data.*', 'hash')]
  const hashed = METHODS.text('hash')
  const target = Buffer.alloc(64)
  const value = target.subarray(0, hashed?.write(Buffer.from('x'), 0, 1, target, 0)).toString()
  t.equal(code(hash, put(secret('one', { k: value }))), 'obligation.write-back')
  t.equal(code(hash, put(secret('one', { k: 'another' }))), null)
  const applied = {
    metadata: { annotations: { [LAST_APPLIED]: JSON.stringify({ data: { k: base64('********1234') } }) } },
  }
  t.equal(code(partial, put(applied)), 'obligation.write-back')
})

t.test('A patch may set what is masked, but not to its mask', async (t) => {
  const patch = (type: 'merge' | 'strategic' | 'apply', json: JsonObject): Asked => ({
    method: 'PATCH',
    body: { json, form: 'patch', patch: { type, paths: [], operations: [] } },
  })
  for (const type of ['merge', 'strategic', 'apply'] as const) {
    t.equal(code(DATA, patch(type, { data: { k: base64('new') } })), null, type)
    t.equal(code(DATA, patch(type, { data: { k: MARKED_BYTES } })), 'obligation.write-back', type)
  }
  t.equal(code(DATA, patch('merge', { data: { k: null } })), null, 'null removes it')
  t.equal(code(DATA, patch('apply', { data: { k: null } })), 'obligation.write-back')
})

t.test('What may not be shown at all may not be set', async (t) => {
  const denied = [mask('data.password', 'deny')]
  t.equal(code(denied, put(secret('one', { password: 'x' }))), 'obligation.unsupported')
  t.equal(code(denied, put({ stringData: { password: 'x' } })), 'obligation.unsupported')
  t.equal(code(denied, put(secret('one', { user: 'x' }))), null)
})

t.test('A JSON Patch may not read what is masked: to test it is to ask, to copy it is to take it', async (t) => {
  const asked = (operations: readonly (PatchOperation & { value?: string })[]): Asked => ({
    method: 'PATCH',
    body: {
      json: operations as unknown as JsonObject[],
      form: 'patch',
      patch: { type: 'json', paths: [], operations },
    },
  })
  const op = (of: PatchOperation['op'], path: string, from: string | null = null, value?: string) =>
    asked([{ op: of, path, from, ...(value === undefined ? {} : { value }) }])
  const applied = `/metadata/annotations/${LAST_APPLIED.replace('/', '~1')}`
  for (const path of ['/data/k', '/data', '', '/stringData/k', applied, '/metadata/annotations', '/metadata']) {
    t.equal(code(DATA, op('test', path, null, 'x')), 'obligation.unsupported', path)
    t.equal(code(DATA, op('copy', '/metadata/labels/x', path)), 'obligation.unsupported', path)
    t.equal(code(DATA, op('move', '/metadata/labels/x', path)), 'obligation.unsupported', path)
  }
  for (const path of ['/type', '/metadata/labels/x', '/metadata/resourceVersion', '/database']) {
    t.equal(code(DATA, op('test', path, null, 'x')), null, path)
  }
  t.equal(code(DATA, op('replace', '/data/k', null, base64('x'))), null)
  t.equal(code(DATA, op('replace', '/data/k', null, MARKED_BYTES)), 'obligation.write-back')
  t.equal(
    code([mask('data.*', 'partial')], op('add', '/data/k', null, base64('********1234'))),
    'obligation.write-back',
  )
  t.equal(code([mask('data.0', 'deny')], op('add', '/data/0', null, 'x')), 'obligation.unsupported')
  t.equal(code([mask('spec.a.*.b', 'deny')], op('add', '/spec/a/0/b', null, 'x')), 'obligation.unsupported')
})

t.test('A selector may not ask about what is masked', async (t) => {
  const asks = (target: string, masks: readonly Mask[]) => code(masks, { target })
  const pods = '/api/v1/namespaces/a/pods'
  t.equal(asks(`${pods}?fieldSelector=status.podIP%3D10.0.0.1`, [mask('status.podIP')]), 'obligation.unsupported')
  t.equal(
    asks(`${pods}?fieldSelector=spec.nodeName%3Da,status.podIP!%3D10.0.0.1`, [mask('status.*')]),
    'obligation.unsupported',
  )
  t.equal(asks(`${pods}?watch=1&fieldSelector=status.podIP%3D%3D10.0.0.1`, [mask('status')]), 'obligation.unsupported')
  t.equal(asks(`${pods}?fieldSelector=spec.nodeName%3Da`, [mask('status.podIP')]), null)
  t.equal(asks(`${pods}?labelSelector=a%3Db`, [mask('metadata.labels.*')]), 'obligation.unsupported')
  t.equal(asks(`${pods}?labelSelector=a%3Db`, [mask('metadata.annotations.*')]), null)
  t.equal(asks(`${SECRETS}?fieldSelector=metadata.name%3Done`, DATA), null)
})

t.test('Objects that are not shown are not deleted with the others', async (t) => {
  t.equal(code([mask('$', 'deny')], { method: 'DELETE', target: SECRETS }), 'obligation.unsupported')
  t.equal(code([mask('$', 'deny')], { method: 'DELETE', target: SECRET }), null)
})

t.test('What the API server says of a failed change is withheld where it could quote what was there', async (t) => {
  const failed = (status: JsonObject, method = 'PATCH') => {
    const answer = JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', ...status })
    return rewritten(rewriterOf(plan([mask('spec.*')], { method }), 422), answer)
  }
  const cause = { reason: 'FieldValueForbidden', field: 'spec', message: 'quoted' }
  const invalid = { reason: 'Invalid', message: 'pod is invalid: quoted', details: { name: 'x', causes: [cause] } }
  for (const method of ['PATCH', 'PUT', 'DELETE']) {
    const told = JSON.parse(failed(invalid, method)) as { message: string; details: { causes: JsonObject[] } }
    t.notMatch(JSON.stringify(told), 'quoted')
    t.match(told, {
      reason: 'Invalid',
      details: { name: 'x', causes: [{ reason: 'FieldValueForbidden', field: 'spec' }] },
    })
  }
  t.match(failed(invalid, 'GET'), 'quoted')
  t.match(failed({ reason: 'NotFound', message: 'secrets "x" not found' }), 'not found')
  t.notMatch(failed({ reason: 'Conflict', message: 'admission webhook "x" denied the request: quoted' }), 'quoted')
  const rbac = 'secrets "x" is forbidden: User "a" cannot patch resource "secrets" in API group "" in the namespace "a"'
  t.match(failed({ reason: 'Forbidden', message: rbac }), 'cannot patch')
  t.notMatch(failed({ reason: 'Forbidden', message: 'pods "x" is forbidden: violates PodSecurity: quoted' }), 'quoted')
})

t.test('The record has the names of what was masked, and of nothing else', async (t) => {
  const made = plan([mask('data.*'), mask('metadata.uid', 'null'), mask('spec.x')])
  t.same(made.masked, [])
  rewritten(rewriterOf(made), JSON.stringify(secret('one', { k: 'abcdef' })))
  t.same(made.masked.toSorted(), ['data.*', 'metadata.uid'])
})
