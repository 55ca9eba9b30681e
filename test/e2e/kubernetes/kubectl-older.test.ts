/** A kubectl that is five minor versions older does the same through the gate as past it. */
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../support/process.ts'
import { bothSides, plain, type Side } from './both.ts'
import { NAMESPACE, POD, setStage } from './stream-stage.ts'

t.setTimeout(120_000)

const OLDER = join(import.meta.dirname, '../../../.bin/kubectl-1.32')
const stage = await setStage()
t.teardown(() => stage.stop())
const sides = await bothSides(stage)
const home = t.testdir({})

async function kubectl(side: Side, words: readonly string[], input = '') {
  const env = { PATH: process.env['PATH'], HOME: join(home, side.namespace), KUBECONFIG: side.way.kubeconfig }
  const { code, stdout, stderr } = await run(OLDER, words, { env, input })
  return { words: plain(words.join(' '), side), code, stdout: plain(stdout, side), stderr: plain(stderr, side) }
}

const MANIFEST = `apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: applied}, data: {a: b}}
- {apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop}, ports: [{port: 80}]}}
`

t.test('objects are made, applied, read, changed, run in and deleted', async (t) => {
  const printed = await Promise.all(
    [sides.direct, sides.gated].map(async (side) => {
      const seen = []
      for (const words of [
        'version',
        'api-resources',
        'explain deployments.spec',
        'create configmap one --from-literal=a=b',
        'create deployment web --image=registry.example/web:1',
        'apply -f -',
        'apply --server-side --force-conflicts -f -',
        'diff -f -',
        'get configmap one -o yaml',
        'get all -o wide',
        'describe deployment web',
        'label configmap one tier=back',
        'patch configmap one -p {"data":{"c":"d"}}',
        'scale deployment web --replicas=2',
        'rollout restart deployment web',
        'auth can-i --list',
        'get configmap missing',
        'delete configmap one',
        'delete deployment web --wait=false',
        'delete -f -',
      ]) {
        seen.push(
          await kubectl(side, ['-n', side.namespace, ...words.split(' ')], words.endsWith('-f -') ? MANIFEST : ''),
        )
      }
      return seen
    }),
  )
  t.same(printed[1], printed[0])
  t.same(
    printed[1]?.filter(({ code }) => code !== 0).map(({ words }) => words),
    ['-n NAMESPACE get configmap missing'],
  )
})

t.test('programs run in pods, and their logs are read', async (t) => {
  for (const words of [
    ['exec', POD, '--', 'sh', '-c', 'echo out; echo err >&2; exit 3'],
    ['exec', '-i', POD, '--', 'cat'],
    ['logs', POD],
  ]) {
    const [direct, gated] = await Promise.all(
      [sides.direct, sides.gated].map((side) => kubectl(side, ['-n', NAMESPACE, ...words], 'typed')),
    )
    t.same(gated, direct, words.join(' '))
  }
})
