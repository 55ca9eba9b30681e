import t from 'tap'
import { decoded } from './requests.ts'

const PODS = '/api/v1/namespaces/default/pods'
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'i' }] },
}

t.test('JSON goes on as the very bytes that were judged', async (t) => {
  const text = ` ${JSON.stringify(POD, null, 1)}\n`
  for (const type of ['', 'application/json', 'Application/JSON; charset=UTF-8']) {
    const body = decoded('POST', PODS, { type, body: text })
    t.equal(Buffer.from(body.bytes).toString(), text)
    t.equal(body.contentType, 'application/json')
    t.same([body.form, body.name, body.generateName], ['object', 'p', ''])
  }
})

t.test('Representations that cannot be inspected are refused as such', async (t) => {
  for (const type of ['application/cbor', 'text/plain', 'application/x-www-form-urlencoded', 'application/json; q=1']) {
    t.throws(() => decoded('POST', PODS, { type, body: POD }), { message: /^command.media-type/ }, type)
  }
})

t.test('An object that is meant for another place than its path is refused', async (t) => {
  const refused = (method: string, target: string, body: object, message: RegExp) =>
    t.throws(() => decoded(method, target, { body }), { message }, JSON.stringify(body))
  refused('POST', PODS, { ...POD, apiVersion: 'v2' }, /apiVersion is another/)
  refused('POST', PODS, { ...POD, metadata: { name: 'p', namespace: 'kube-system' } }, /namespace is another/)
  refused('PUT', `${PODS}/p`, { ...POD, metadata: { name: 'q' } }, /name is another/)
  refused('POST', PODS, { ...POD, metadata: 'm' }, /metadata is no object/)
  refused('POST', PODS, { ...POD, metadata: { name: 7 } }, /name is no string/)
  refused('POST', PODS, { ...POD, kind: {} }, /kind is no string/)
  refused('POST', PODS, [POD], /no object/)
  refused('POST', PODS, { ...POD, Spec: { hostPID: true } }, /take for spec/)
  refused('POST', PODS, { ...POD, metadata: { name: 'p', Namespace: 'x' } }, /take for namespace/)
  t.ok(decoded('POST', PODS, { body: { metadata: { generateName: 'p-', namespace: 'default' }, spec: null } }))
  t.equal(decoded('POST', PODS, { body: { metadata: { generateName: 'p-' } } }).generateName, 'p-')
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas: 2 } }
  t.equal(decoded('PUT', '/apis/apps/v1/namespaces/default/deployments/web/scale', { body: scale }).form, 'object')
})

t.test('Deletions, evictions, bindings and requests of tokens are options', async (t) => {
  const form = (method: string, target: string, body: object) => decoded(method, target, { body }).form
  t.equal(form('DELETE', `${PODS}/p`, { propagationPolicy: 'Foreground' }), 'options')
  t.equal(form('DELETE', PODS, { kind: 'DeleteOptions', apiVersion: 'v1' }), 'options')
  t.equal(
    form('POST', `${PODS}/p/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } }),
    'options',
  )
  t.equal(form('POST', `${PODS}/p/binding`, { target: { name: 'node' } }), 'options')
  t.equal(form('POST', '/api/v1/namespaces/default/bindings', { target: { name: 'node' } }), 'options')
  t.equal(form('POST', '/api/v1/namespaces/default/serviceaccounts/a/token', { spec: { audiences: [] } }), 'options')
  for (const apiVersion of ['v1', 'meta.k8s.io/v1', 'apps/v1', 'policy/v1']) {
    const sent = { kind: 'DeleteOptions', apiVersion, propagationPolicy: 'Orphan' }
    t.equal(form('DELETE', '/apis/apps/v1/namespaces/default/deployments/web', sent), 'options')
  }
  t.throws(() => form('DELETE', `${PODS}/p`, POD), { message: /the body of a deletion is Pod/ })
  t.throws(() => form('POST', `${PODS}/p/eviction`, { metadata: { name: 'q' } }), { message: /name is another/ })
})

t.test('A dry run counts only where the API server would read it', async (t) => {
  const dryRun = (method: string, target: string, body: object) => decoded(method, target, { body }).dryRun
  t.equal(dryRun('DELETE', `${PODS}/p`, { dryRun: ['All'] }), true)
  t.equal(dryRun('DELETE', `${PODS}/p?dryRun=All`, { dryRun: ['All'] }), true)
  t.equal(dryRun('DELETE', `${PODS}/p`, { dryRun: [] }), false)
  t.equal(dryRun('POST', `${PODS}/p/eviction`, { deleteOptions: { dryRun: ['All'] } }), true)
  t.equal(dryRun('POST', `${PODS}/p/eviction`, { dryRun: ['All'] }), false)
  t.equal(dryRun('POST', PODS, { dryRun: ['All'] }), false)
  t.throws(() => dryRun('DELETE', `${PODS}/p?dryRun=All`, {}), { message: /in the query, which is not read/ })
  t.throws(() => dryRun('DELETE', `${PODS}/p`, { dryRun: ['Some'] }), { message: /no value but All/ })
  t.throws(() => dryRun('DELETE', `${PODS}/p`, { dryRun: 'All' }), { message: /no list/ })
  t.throws(() => dryRun('DELETE', `${PODS}/p`, { DryRun: ['All'] }), { message: /take for dryRun/ })
})

t.test('What goes to whatever is behind a proxy is JSON, and nothing is read into it', async (t) => {
  const target = '/api/v1/namespaces/default/services/web/proxy/orders'
  const body = decoded('POST', target, { body: { metadata: { name: 'other' }, Spec: 1 } })
  t.same([body.form, body.name, body.pod], ['object', '', null])
  t.throws(() => decoded('POST', target, { type: 'text/plain', body: 'hello' }), { message: /^command.media-type/ })
  t.throws(() => decoded('POST', target, { body: '"hello"' }), { message: /no object and no list/ })
})
