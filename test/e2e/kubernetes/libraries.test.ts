/** Client libraries and Helm do the same through the gate as past it, where policy permits everything. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
} from '@kubernetes/client-node'
import t from 'tap'
import { ALLOW, deny } from '../../support/fakes.ts'
import { run } from '../../support/process.ts'
import { bothSides, plain, type Side } from './both.ts'
import { setStage } from './stream-stage.ts'

t.setTimeout(200_000)

const COME_MS = 10_000
const stage = await setStage()
t.teardown(() => stage.stop())
const sides = await bothSides(stage)

/** Runs the same on both sides at once; gives what came of it through the gate. */
async function same<Seen>(ask: (side: Side) => Promise<Seen>): Promise<{ direct: Seen; gated: Seen }> {
  const [direct, gated] = await Promise.all([ask(sides.direct), ask(sides.gated)])
  return { direct, gated }
}

const seenAs = (side: Side, seen: unknown): unknown => JSON.parse(plain(JSON.stringify(seen), side))

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + COME_MS; !condition() && Date.now() < deadline;) await sleep(20)
}

async function javascript(side: Side): Promise<unknown> {
  const config = new KubeConfig()
  config.loadFromFile(side.way.kubeconfig)
  const { namespace } = side
  const core = config.makeApiClient(CoreV1Api)
  const seen: unknown[] = []
  const failed = (error: unknown) => (error instanceof Error && 'code' in error ? [error.code, error.message] : error)
  const body = (data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'javascript', labels: { by: 'javascript' } },
    data,
  })

  const events: string[] = []
  const labelSelector = 'by=javascript'
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const informer = makeInformer(
    config,
    path,
    () => core.listNamespacedConfigMap({ namespace, labelSelector }),
    labelSelector,
  )
  for (const event of ['add', 'update', 'delete'] as const) {
    informer.on(event, ({ data }) => void events.push(`${event} ${JSON.stringify(data)}`))
  }
  await informer.start()
  seen.push((await core.createNamespacedConfigMap({ namespace, body: body({ a: '1' }) })).data)
  await until(() => events.length === 1)
  seen.push((await core.replaceNamespacedConfigMap({ namespace, name: 'javascript', body: body({ a: '2' }) })).data)
  await until(() => events.length === 2)

  const objects = KubernetesObjectApi.makeApiClient(config)
  const applied = { ...body({ b: '3' }), metadata: { name: 'javascript', labels: { by: 'javascript' }, namespace } }
  const apply = PatchStrategy.ServerSideApply
  seen.push(await objects.patch(applied, undefined, undefined, 'javascript', true, apply).catch(failed))
  await until(() => events.length === 3)
  seen.push((await core.readNamespacedConfigMap({ namespace, name: 'javascript' })).metadata?.labels)
  seen.push(await core.readNamespacedConfigMap({ namespace, name: 'missing' }).catch(failed))
  await core.deleteNamespacedConfigMap({ namespace, name: 'javascript' })
  await until(() => events.length === 4)
  await informer.stop()
  seen.push(events)

  const deployments = config.makeApiClient(AppsV1Api)
  seen.push((await deployments.listNamespacedDeployment({ namespace, limit: 1 })).kind)
  const custom = config.makeApiClient(CustomObjectsApi)
  const reviews = { group: 'authorization.k8s.io', version: 'v1', plural: 'selfsubjectaccessreviews' }
  const review = { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } }
  seen.push(await custom.createClusterCustomObject({ ...reviews, body: review }).catch(failed))
  return seenAs(side, seen)
}

t.test('the JavaScript client reads, writes, applies and follows', async (t) => {
  const { direct, gated } = await same(javascript)
  t.same(gated, direct)
  t.match(JSON.stringify(gated), 'delete ')
})

t.test('the Python client reads, writes and follows', async (t) => {
  const { direct, gated } = await same(async (side) => {
    const program = join(import.meta.dirname, 'with_python.py')
    const done = await run('/usr/bin/python3', ['-W', 'ignore', program, side.way.kubeconfig, side.namespace])
    return done.code === 0 ? seenAs(side, JSON.parse(done.stdout)) : done.stderr
  })
  t.same(gated, direct)
  t.match(JSON.stringify(gated), '["watch",[["ADDED",{"a":"b","c":"d"}],["MODIFIED",{"a":"b","c":"e"}],["DELETED",')
})

t.test('client-go reads and writes in protobuf, follows by an informer, and elects a leader', async (t) => {
  const { direct, gated } = await same(async (side) => {
    const program = join(import.meta.dirname, '../../../.bin/client-go')
    const { code, stdout, stderr } = await run(program, [side.way.kubeconfig, side.namespace])
    return { code, stderr: plain(stderr, side), seen: plain(stdout, side).trim().split('\n') }
  })
  t.same(gated, direct)
  t.match(gated, { code: 0 })
  t.equal(gated.seen.at(-1), '["lease",true]')
})

t.test('Helm installs, upgrades, rolls back and removes a chart', async (t) => {
  const chart = join(t.testdir({}), 'shop')
  const files = {
    'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
    'values.yaml': 'replicas: 1\npassword: first\n',
    'templates/secret.yaml':
      'apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {password: {{ .Values.password }}}\n',
    'templates/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: web, image: "registry.example/web:1"}]}
`,
    'templates/NOTES.txt': 'of {{ .Release.Revision }}\n',
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(chart, name)), { recursive: true })
    writeFileSync(join(chart, name), text)
  }
  const { direct, gated } = await same(async (side) => {
    const home = join(chart, '..', side.namespace)
    const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: side.way.kubeconfig }
    const seen: unknown[] = []
    for (const words of [
      ['install', 'shop', chart],
      ['get', 'notes', 'shop'],
      ['upgrade', 'shop', chart, '--set', 'replicas=2,password=second'],
      ['upgrade', 'shop', chart, '--set', 'replicas=oops'],
      ['history', 'shop'],
      ['rollback', 'shop', '1'],
      ['get', 'manifest', 'shop'],
      ['get', 'values', 'shop', '--all'],
      ['list'],
      ['uninstall', 'shop'],
      ['list'],
    ]) {
      const helm = join(import.meta.dirname, '../../../.bin/helm')
      const { code, stdout, stderr } = await run(helm, ['-n', side.namespace, ...words], { env })
      seen.push([words[0], code, stdout.replaceAll(/[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]+ \d{4}/g, 'TIME'), stderr])
    }
    return JSON.parse(plain(JSON.stringify(seen), side).replaceAll(/TIME[^"\\]*?UTC|\\t/g, ' ')) as unknown
  })
  t.same(gated, direct)
  t.match(gated, [
    ['install', 0],
    ['get', 0],
    ['upgrade', 0],
    ['upgrade', 1],
    ['history', 0],
    ['rollback', 0],
  ])
})

t.test('each library tells its user the code, the reason and the remedy of a refusal', async (t) => {
  const target = await stage.target()
  // Libraries ask what a cluster is, and drop what they are told of that.
  target.policy.rule = ({ command: { shape } }) =>
    shape.detail['resourceRequest'] === true ? deny('test.refused') : ALLOW
  const expected = '[test.refused] refused by test.refused; do otherwise'
  const config = new KubeConfig()
  config.loadFromFile(target.way.kubeconfig)
  const { namespace } = sides.gated
  await t.rejects(config.makeApiClient(CoreV1Api).listNamespacedSecret({ namespace }), { code: 403 })
  const told = await config
    .makeApiClient(CoreV1Api)
    .listNamespacedSecret({ namespace })
    .catch((error: unknown) => String(error))
  t.match(told, expected)
  const program = join(import.meta.dirname, 'with_python.py')
  const python = await run('/usr/bin/python3', ['-W', 'ignore', program, target.way.kubeconfig, namespace])
  t.match(python.stdout + python.stderr, expected)
  const helm = await run(join(import.meta.dirname, '../../../.bin/helm'), ['list', '-n', namespace], {
    env: { PATH: process.env['PATH'], HOME: t.testdir({}), KUBECONFIG: target.way.kubeconfig },
  })
  t.match(helm.stderr, expected)
})
