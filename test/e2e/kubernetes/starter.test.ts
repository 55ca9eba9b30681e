/** The starter policy for clusters, as kubectl and a real API server meet it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Decision } from '../../../src/gate/decision.ts'
import { inputOf } from '../../../src/gate/input.ts'
import { contract, evaluator } from '../../rego/engine.ts'
import { NAMESPACE, POD, setStage } from './stream-stage.ts'

t.setTimeout(120_000)

const SECRET = 'what-nobody-may-read'
const STARTER = join(import.meta.dirname, '../../../bundles/starter-kubernetes')

const folder = t.testdir({})
cpSync(STARTER, folder, { recursive: true, filter: (path) => !path.endsWith('_test.rego') })
const objects = join(folder, 'objects.rego')
writeFileSync(objects, readFileSync(objects, 'utf8').replace('{"default"}', `{"${NAMESPACE}"}`))
const decide = await evaluator(folder)

const stage = await setStage()
t.teardown(() => stage.stop())
const target = await stage.target()
const odd: string[] = []
target.policy.rule = (question) => {
  const wrong = contract.checkCommand(question.command)
  if (wrong !== null) odd.push(`${question.command.shape.text}: ${wrong}`)
  return decide(inputOf(question)) as unknown as Decision
}

const container = { name: 'app', image: 'registry.example/app:1' }
const deployment = (more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'api' },
  spec: {
    selector: { matchLabels: { app: 'api' } },
    template: { metadata: { labels: { app: 'api' } }, spec: { containers: [container], ...more } },
  },
})
const apply = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: SECRET } }
for (const object of [deployment(), apply]) {
  const { code, stderr } = await stage.direct.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) })
  if (code !== 0) throw new Error(stderr)
}

/** What kubectl printed, and what of that is its error. */
async function kubectl(words: string, input?: object): Promise<{ code: number | null; out: string }> {
  const options = input === undefined ? {} : { input: JSON.stringify(input) }
  const { code, stdout, stderr } = await target.way.kubectl(words.split(' '), options)
  return { code, out: stdout + stderr }
}

t.test('an agent finds its way, and reads what is in its namespace', async (t) => {
  for (const words of [
    'version',
    'api-resources',
    'explain pods.spec.containers',
    'get pods -o wide',
    'get all',
    'describe deployment api',
    'get deployment api -o yaml',
    'get nodes',
    'get namespaces',
    'auth can-i get pods',
    'auth whoami',
    `logs ${POD}`,
    `exec ${POD} -- date`,
  ]) {
    const { code, out } = await kubectl(words)
    t.equal(code, 0, `${words}: ${out}`)
  }
})

t.test('an agent sees that there are Secrets, and nothing of what they say', async (t) => {
  const forms = ['', ' -o yaml', ' -o json', ' -o wide']
  for (const words of [...forms.map((form) => `get secrets${form}`), 'describe secret db', 'get secret db -o yaml']) {
    const { code, out } = await kubectl(words)
    t.equal(code, 0, `${words}: ${out}`)
    t.match(out, 'db', words)
    t.notOk(out.includes(SECRET) || out.includes(Buffer.from(SECRET).toString('base64')), words)
  }
})

t.test('an agent scales and restarts, and tries a change before it asks for it', async (t) => {
  for (const words of ['scale deployment api --replicas=3', 'rollout restart deployment api']) {
    const { code, out } = await kubectl(words)
    t.equal(code, 0, `${words}: ${out}`)
  }
  t.match((await stage.direct.kubectl(['get', 'deployment', 'api', '-o', 'yaml'])).stdout, /replicas: 3[^]*restartedAt/)
  const changed = deployment({ terminationGracePeriodSeconds: 5 })
  const tried = await kubectl('apply --dry-run=server -f -', changed)
  t.match(tried.out, /configured \(server dry run\)/)
  t.equal(tried.code, 0, tried.out)
})

t.test('what is refused says what to do instead', async (t) => {
  const { stdout } = await stage.direct.kubectl(['get', 'nodes', '-o', 'name'])
  const node = stdout.trim()
  const refusals: readonly (readonly [string, RegExp, object?])[] = [
    ['get pods -A', /objects\.namespace.*-n: shop/],
    ['get secrets -n kube-system', /objects\.namespace/],
    ['delete secret db', /objects\.secrets/],
    ['delete pods --all', /approval\.unavailable.*workloads\.change/],
    ['create token default', /cluster\.rights.*namespaces …;/],
    ['create rolebinding x --clusterrole=admin --user=agent', /cluster\.rights/],
    [`exec ${POD} -- sh -c id`, /streams\.unlisted/],
    [`exec -i ${POD} -- sh`, /streams\.shell/],
    [`exec ${POD} -- cat /var/run/secrets/kubernetes.io/serviceaccount/token`, /streams\.unlisted/],
    ['get --raw /api/v1/namespaces/shop/services/api/proxy', /streams\.forward/],
    ['apply -f -', /workloads\.baseline.*hostNamespaces/, deployment({ hostNetwork: true })],
    [
      'apply --server-side -f -',
      /workloads\.baseline.*privileged/,
      {
        ...deployment({ containers: [{ ...container, securityContext: { privileged: true } }] }),
        metadata: { name: 'other' },
      },
    ],
    [`label ${node} a=b`, /cluster\.rights/],
  ]
  for (const [words, wanted, input] of refusals) {
    const { code, out } = await kubectl(words, input)
    t.not(code, 0, words)
    t.match(out, wanted, words)
  }
})

t.test('a change waits for somebody, and without anybody it is not made', async (t) => {
  const { code, out } = await kubectl('set image deployment/api app=registry.example/app:2')
  t.not(code, 0)
  t.match(out, /approval\.unavailable.*workloads\.change/)
  const { stdout } = await stage.direct.kubectl(['get', 'deployment', 'api', '-o', 'jsonpath={..image}'])
  t.equal(stdout, 'registry.example/app:1')
})

t.test('every request of kubectl was described as the schema says', (t) => {
  t.strictSame(odd, [])
  t.end()
})
