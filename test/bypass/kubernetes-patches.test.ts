/** Patches that the API server reads otherwise than they were judged, or that take a masked value to where it is shown. */
import t, { type Test } from 'tap'
import type { Decision } from '../../src/gate/decision.ts'
import type { Question } from '../../src/gate/ports.ts'
import { ALLOW } from '../support/fakes.ts'
import { startKubernetes } from '../support/kubernetes.ts'
import { type RawAnswer, RawHttp, rawRequest } from '../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../support/kubernetes-target.ts'

t.setTimeout(120_000)

const HIDDEN = 'what-is-shown-masked'
const MAPS = '/api/v1/namespaces/open/configmaps'
const DEPLOYMENT = '/apis/apps/v1/namespaces/open/deployments/web'
const CONTAINERS = '/spec/template/spec/containers'
/** Every way in which the API server reads the first, and only, element of a list. */
const FIRST = ['0', '-1', '+0', '-01']

const server = await startKubernetes()
t.teardown(() => server.stop())
await server.namespace('open')
const target = await startKubernetesTarget(server)
t.teardown(() => target.close())

/** A path that leaves out the lists that it goes through hides what is in all their elements. */
function masked({ command }: Question): Decision {
  if (command.shape.detail['resource'] !== 'deployments') return ALLOW
  const path = 'spec.template.spec.containers.env.value'
  return { ...ALLOW, masks: [{ column: null, detector: null, path, with: 'redact', policy: 'policy.test' }] }
}

async function patch(path: string, type: string, body: string): Promise<RawAnswer | null> {
  const connection = await RawHttp.connect(target)
  connection.send(rawRequest('PATCH', path, [['Content-Type', type]], body))
  const answer = await connection.answer('PATCH')
  connection.close()
  return answer
}

t.test('no spelling of an index takes a masked value out of a list, or asks for it', async (t) => {
  target.policy.rule = masked
  const template = {
    metadata: { labels: { app: 'web' } },
    spec: { containers: [{ name: 'web', image: 'web', env: [{ name: 'KEY', value: HIDDEN }] }] },
  }
  const made = await server.call('POST', DEPLOYMENT.slice(0, -'/web'.length), {
    metadata: { name: 'web', annotations: { said: HIDDEN }, labels: { said: HIDDEN } },
    spec: { selector: { matchLabels: { app: 'web' } }, template },
  })
  t.equal(made.status, 201)
  for (const container of FIRST) {
    for (const variable of FIRST) {
      const from = `${CONTAINERS}/${container}/env/${variable}/value`
      await refused(t, { op: 'copy', from, path: `${CONTAINERS}/0/workingDir` })
      await refused(t, { op: 'move', from, path: `${CONTAINERS}/0/workingDir` })
      await refused(t, { op: 'test', path: from, value: HIDDEN })
    }
    await refused(t, { op: 'copy', from: `${CONTAINERS}/${container}/env`, path: `${CONTAINERS}/0/args` })
  }
  t.match(JSON.parse((await server.call('GET', DEPLOYMENT)).body), { spec: { template } }, 'it is as it was')
})

t.test('what labels and annotations say of a masked value is not taken to where it would be shown', async (t) => {
  target.policy.rule = masked
  for (const from of ['/metadata/annotations/said', '/metadata/labels/said', '/metadata/managedFields/0/manager']) {
    for (const op of ['copy', 'move']) await refused(t, { op, from, path: `${CONTAINERS}/0/workingDir` })
  }
  for (const from of ['/metadata/annotations', '/metadata/labels', '/metadata', '']) {
    await refused(t, { op: 'copy', from, path: '/spec/template/metadata/annotations' })
  }
})

async function refused(t: Test, operation: Readonly<Record<string, string>>): Promise<void> {
  const title = `${operation['op']} ${operation['from'] ?? operation['path']}`
  const answer = await patch(DEPLOYMENT, 'application/json-patch+json', JSON.stringify([operation]))
  t.match(answer, { status: 403, body: /obligation\.unsupported/ }, title)
  t.notMatch(answer?.body, HIDDEN, title)
}

t.test('what is applied is what was judged, though the API server reads it as YAML', async (t) => {
  target.policy.rule = () => ALLOW
  const json = (value: string) =>
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"data":{"a":${value},"b":"1.0"}}`
  const yaml = (value: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: ${value}, b: "1.0"}\n`
  // Lines break in YAML 1.1 where they do not in JSON, and characters and escapes of JSON are none of YAML.
  const texts = [
    'a \u0085 b',
    'a\u2028b',
    'a \u2029 b',
    'a\ufeffb',
    'a\u007fb',
    'a\u0090b',
    'a\uffffb',
    '\u{1f600}é',
    'a\u00a0b',
  ]
  const bodies = [
    ...texts.map((text) => json(JSON.stringify(text))),
    ...['"a\\/b"', '"\\ud83d\\ude00"', '"\\u0085 \\u2028"', '"\\u0000\\t\\r\\n x"', '"<<"'].map(json),
    ...['"a \\N b"', '"a\\L\\Pb"', '"a\\_b"', '"\\x85"', '"a\\/b"', '"\\U0001F600"'].map(yaml),
  ]
  for (const [index, body] of bodies.entries()) {
    const path = `${MAPS}/applied-${index}`
    const named = body.replace('NAME', `applied-${index}`)
    const title = JSON.stringify(body).replace(/[^ -~]/gu, '?')
    const answer = await patch(`${path}?fieldManager=me`, 'application/apply-patch+yaml', named)
    t.equal(answer?.status, 201, title)
    const judged = target.record.decisions.at(-1)?.command.shape.detail['body'] as { readonly data: object } | undefined
    const stored = JSON.parse((await server.call('GET', path)).body) as { readonly data: object }
    t.strictSame(stored.data, judged?.data, title)
  }
})
