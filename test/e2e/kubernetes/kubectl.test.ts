/** kubectl prints and does the same through the gate as past it, where policy permits everything. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { bothSides, plain, type Side } from './both.ts'
import { setStage } from './stream-stage.ts'

t.setTimeout(280_000)

const stage = await setStage()
t.teardown(() => stage.stop())
const sides = await bothSides(stage)

interface Step {
  readonly words: readonly string[]
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

interface Printed {
  readonly words: string
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `get pods -o yaml`, or a list of words where one has a space; with what it reads from its standard input. */
function step(
  words: string | readonly string[],
  input?: object | string,
  env?: Readonly<Record<string, string>>,
): Step {
  const text = typeof input === 'object' ? JSON.stringify(input) : input
  return {
    words: typeof words === 'string' ? words.split(' ') : words,
    ...(text === undefined ? {} : { input: text }),
    ...(env === undefined ? {} : { env }),
  }
}

async function play(side: Side, steps: readonly Step[]): Promise<Printed[]> {
  const printed: Printed[] = []
  for (const { words, input, env } of steps) {
    const { code, stdout, stderr } = await side.way.kubectl(['-n', side.namespace, ...words], {
      ...(input === undefined ? {} : { input }),
      ...(env === undefined ? {} : { env }),
    })
    printed.push({
      words: plain(words.join(' '), side),
      code,
      stdout: plain(stdout, side),
      stderr: plain(stderr, side),
    })
  }
  return printed
}

/** Runs the same on both sides at once; gives what was printed through the gate. */
async function same(t: Test, steps: readonly Step[]): Promise<readonly Printed[]> {
  const [direct, gated] = await Promise.all([play(sides.direct, steps), play(sides.gated, steps)])
  for (const [index, expected] of direct.entries()) t.same(gated[index], expected, expected.words.slice(0, 100))
  return gated
}

const succeeded = (t: Test, printed: readonly Printed[]) =>
  t.same(
    printed.filter(({ code }) => code !== 0),
    [],
    'all of them succeed',
  )

const metadata = (name: string, more: object = {}) => ({ name, ...more })
const configMap = (name: string, data: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata(name, more),
  data,
})

t.test('objects are made, read in every form, changed and deleted', async (t) => {
  const printed = await same(t, [
    step('create configmap one --from-literal=a=b'),
    step('create secret generic pass --from-literal=password=x'),
    step('create deployment web --image=registry.example/web:1 --replicas=2'),
    step('create serviceaccount robot'),
    step('create role reader --verb=get,list --resource=pods,configmaps'),
    step('create rolebinding readers --role=reader --serviceaccount=default:robot'),
    step('create job once --image=registry.example/job:1 -- true'),
    step(['create', 'cronjob', 'nightly', '--image=registry.example/job:1', '--schedule=0 3 * * *']),
    step('create quota small --hard=pods=50'),
    step('create poddisruptionbudget some --selector=app=web --min-available=1'),
    step('expose deployment web --port=80 --name=web'),
    step('run lone --image=registry.example/lone:1 --restart=Never'),
    step('get configmap one -o yaml'),
    step('get configmap one -o json'),
    step('get configmap,secret,deployment,job,cronjob,service'),
    step('get deployment web -o wide'),
    step('get deployment web -o yaml --show-managed-fields'),
    step('get secret pass -o jsonpath={.data.password}'),
    step('get configmaps -o name'),
    step('get pods -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[0].image'),
    step('get configmaps -l app=none'),
    step('get pods --field-selector=metadata.name=lone'),
    step('get configmaps --chunk-size=1'),
    step('get all'),
    step('describe configmap one'),
    step('describe deployment web'),
    step('label configmap one tier=back'),
    step('label configmap one tier=front --overwrite'),
    step('annotate configmap one note=hello'),
    step('set image deployment/web web=registry.example/web:2'),
    step('set env deployment/web COLOR=blue'),
    step('scale deployment web --replicas=3'),
    step('autoscale deployment web --min=1 --max=4 --cpu=80%'),
    step('rollout restart deployment web'),
    step('rollout pause deployment web'),
    step('rollout resume deployment web'),
    step('rollout history deployment web'),
    step('patch configmap one --type=merge -p {"data":{"c":"d"}}'),
    step('patch configmap one --type=json -p [{"op":"add","path":"/data/e","value":"f"}]'),
    step('patch deployment web --type=strategic -p {"spec":{"template":{"metadata":{"labels":{"x":"y"}}}}}'),
    step('patch deployment web --subresource=scale --type=merge -p {"spec":{"replicas":1}}'),
    step('replace -f -', configMap('one', { replaced: 'yes' })),
    step('edit configmap one', undefined, { KUBE_EDITOR: 'sed -i s/replaced:/edited:/' }),
    step('get configmap one -o yaml'),
    step('delete configmap one'),
    step('delete pod lone --grace-period=0 --force'),
    step('delete secrets --all'),
    step('delete cronjob,job -l app=none'),
    step('delete job once --cascade=background --wait=false'),
    step('delete deployment web --wait=false --cascade=orphan'),
  ])
  succeeded(t, printed)
})

t.test('manifests are applied by the client and by the server, with their conflicts', async (t) => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata('shop'),
    spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] },
  }
  const list = (items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items })
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\ndata:\n  # why\n  on: "yes"\n  n: "0o7"\n'
  const printed = await same(t, [
    step('apply -f -', list([configMap('applied', { a: '1' }), service])),
    step('apply -f -', list([configMap('applied', { a: '2' }), service])),
    step('apply -f -', yaml),
    step('diff -f -', configMap('applied', { a: '3' })),
    step('apply -f - --dry-run=server -o yaml', configMap('applied', { a: '3' })),
    step('apply -f - --dry-run=client -o yaml', configMap('applied', { a: '3' })),
    step('apply view-last-applied configmap applied'),
    step('apply --server-side -f -', configMap('served', { a: '1' })),
    step('apply --server-side --field-manager=other -f -', configMap('served', { a: '2' })),
    step('apply --server-side --field-manager=other --force-conflicts -f -', configMap('served', { a: '2' })),
    step('get configmap served -o yaml --show-managed-fields'),
    step('create -f -', configMap('', {}, { generateName: 'made-', name: undefined })),
    step('create -f -', configMap('applied', {})),
    step('apply -f -', { ...service, spec: { ports: [{ port: 'x' }] } }),
    step('apply -f -', { ...service, spec: { unknown: true, ports: [{ port: 80 }] } }),
    step('replace -f -', configMap('nowhere', {})),
    step('delete -f -', list([configMap('applied', {}), configMap('served', {}), service])),
    step('get configmap applied'),
  ])
  t.match(
    printed.find(({ words }) => words.startsWith('apply --server-side --field-manager=other -f')),
    { code: 1, stderr: /conflict/ },
  )
})

t.test('what clusters are asked about themselves is answered the same', async (t) => {
  succeeded(
    t,
    await same(t, [
      step('api-resources'),
      step('api-resources --namespaced=false -o wide'),
      step('api-versions'),
      step('version'),
      step('cluster-info'),
      step('explain pods.spec.containers'),
      step('explain deployment --recursive'),
      step('get --raw /healthz'),
      step('get --raw /readyz?verbose'),
      step('get --raw /version'),
      step('get --raw /api/v1/namespaces/kube-system'),
      step('get nodes -o wide'),
      step('get namespace kube-system'),
      // Of others the API server itself writes some when it comes to it.
      step('get events --field-selector reason=Nothing'),
      step('get clusterroles system:node -o yaml'),
      step('get apiservices'),
      step('auth can-i create pods'),
      step('auth can-i --list'),
      step('auth whoami'),
      step('create token robot --duration=10m'),
      step('logs -n shop web'),
      step('certificate -h'),
    ]),
  )
})

t.test('custom resources are defined and used', async (t) => {
  const definition = (side: Side) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: metadata(`crons.${side.namespace}.example.com`),
    spec: {
      group: `${side.namespace}.example.com`,
      scope: 'Namespaced',
      names: { plural: 'crons', singular: 'cron', kind: 'Cron', shortNames: ['cr'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          },
        },
      ],
    },
  })
  const steps = (side: Side) => [
    step('apply -f -', definition(side)),
    step(`wait --for=condition=established --timeout=20s crd/crons.${side.namespace}.example.com`),
    step(
      'apply -f -',
      `{"apiVersion": "${side.namespace}.example.com/v1", "kind": "Cron", "metadata": {"name": "one"},
        "spec": {"every": "5m", "deep": [{"a": 1.5}, null, 9007199254740991]}}`,
    ),
    step(`get crons.${side.namespace}.example.com one -o yaml`),
    step(`explain crons.${side.namespace}.example.com.spec`),
    step(`delete crons.${side.namespace}.example.com --all`),
    step(`delete crd crons.${side.namespace}.example.com`),
  ]
  const [direct, gated] = await Promise.all([
    play(sides.direct, steps(sides.direct)),
    play(sides.gated, steps(sides.gated)),
  ])
  succeeded(t, gated)
  t.same(gated, direct)
})

t.test('errors of the API server are shown as they are', async (t) => {
  const printed = await same(t, [
    step('get configmap nowhere'),
    step('get nonsense'),
    step('delete pod nowhere'),
    step('create namespace kube-system'),
    step('logs nowhere'),
    step('get --raw /apis/nowhere.example.com/v1/things'),
    step('create -f -', { apiVersion: 'v1', kind: 'Pod', metadata: metadata('bad'), spec: { containers: [] } }),
    step('patch configmap kube-root-ca.crt --type=json -p [{"op":"test","path":"/data/x","value":"y"}]'),
    step('scale deployment nowhere --replicas=1'),
    step('wait --for=condition=Ready pod/nowhere --timeout=1s'),
  ])
  t.ok(printed.every(({ code }) => code !== 0))
})

t.test('watches and waits are told of changes', async (t) => {
  const outcomes = await Promise.all(
    [sides.direct, sides.gated].map(async (side) => {
      const { way, namespace } = side
      const watch = await way.start([
        '-n',
        namespace,
        'get',
        'configmaps',
        '-l',
        'w=1',
        '--watch',
        '--output-watch-events',
      ])
      const waiting = (...words: string[]) =>
        way.kubectl(['-n', namespace, 'wait', '--timeout=20s', 'configmap/watched', ...words])
      const object = (data: object) => JSON.stringify(configMap('watched', data, { labels: { w: '1' } }))
      const apply = (data: object) => way.kubectl(['-n', namespace, 'apply', '-f', '-'], { input: object(data) })
      await apply({ ready: 'no' })
      await watch.output(/ADDED/, 20_000)
      const waited = waiting('--for=jsonpath={.data.ready}=yes')
      await sleep(300)
      await apply({ ready: 'yes' })
      await watch.output(/MODIFIED/, 20_000)
      const gone = waiting('--for=delete')
      await sleep(300)
      await way.kubectl(['-n', namespace, 'delete', 'configmap', 'watched'])
      await watch.output(/DELETED/, 20_000)
      await watch.stop('SIGKILL')
      return { waited: (await waited).code, gone: (await gone).code, watched: plain(watch.stdout(), side) }
    }),
  )
  t.same(outcomes[1], outcomes[0])
  t.match(outcomes[1], { waited: 0, gone: 0, watched: /ADDED[^]*MODIFIED[^]*DELETED/ })
})
