import t from 'tap'
import type { PodFacts } from '../../../../../src/protocols/kubernetes/body/body.ts'
import { decoded } from '../requests.ts'

const env = (name: string) => [
  { name: 'A', valueFrom: { secretKeyRef: { name: `${name}-env`, key: 'k' } } },
  { name: 'B', valueFrom: { configMapKeyRef: { name: `${name}-map`, key: 'k' } } },
  { name: 'C', value: 'literal' },
]
const SPEC = {
  serviceAccountName: 'runner',
  nodeName: 'node-1',
  hostNetwork: true,
  hostIPC: true,
  imagePullSecrets: [{ name: 'pull' }],
  initContainers: [{ name: 'i', image: 'init', command: ['sh', '-c'], args: ['setup'], env: env('init') }],
  containers: [
    {
      name: 'c',
      image: 'main',
      envFrom: [{ secretRef: { name: 'all' } }, { configMapRef: { name: 'all-map' } }],
      ports: [{ containerPort: 80 }, { containerPort: 1, hostPort: 8080 }],
      livenessProbe: { exec: { command: ['live'] } },
      readinessProbe: { exec: { command: ['ready'] } },
      startupProbe: { exec: { command: ['start'] } },
      lifecycle: { postStart: { exec: { command: ['post'] } }, preStop: { exec: { command: ['pre'] } } },
      securityContext: { capabilities: { add: ['NET_ADMIN'] } },
    },
  ],
  ephemeralContainers: [
    {
      name: 'e',
      image: 'debug',
      env: env('debug'),
      securityContext: { privileged: true, capabilities: { add: ['SYS_PTRACE'] } },
    },
  ],
  volumes: [
    { name: 'a', secret: { secretName: 'mounted' } },
    {
      name: 'b',
      projected: { sources: [{ secret: { name: 'projected' } }, { configMap: { name: 'projected-map' } }] },
    },
    { name: 'c', configMap: { name: 'mounted-map' } },
    { name: 'd', hostPath: { path: '/var/run' } },
    { name: 'e', csi: { driver: 'd', nodePublishSecretRef: { name: 'csi' } } },
    { name: 'f', azureFile: { secretName: 'azure', shareName: 's' } },
    { name: 'g', image: { reference: 'data' } },
    { name: 'h', flexVolume: { driver: 'd', secretRef: { name: 'flex' } }, emptyDir: null },
  ],
}
const FACTS: PodFacts = {
  partial: false,
  images: ['init', 'main', 'debug', 'data'],
  commands: [['sh', '-c', 'setup'], ['live'], ['ready'], ['start'], ['post'], ['pre']],
  secrets: ['init-env', 'all', 'debug-env', 'mounted', 'azure', 'csi', 'flex', 'projected', 'pull'],
  configMaps: ['init-map', 'all-map', 'debug-map', 'mounted-map', 'projected-map'],
  serviceAccount: 'runner',
  hostNamespaces: ['network', 'ipc'],
  hostPaths: ['/var/run'],
  hostPorts: [80, 8080],
  volumes: ['secret', 'projected', 'configMap', 'hostPath', 'csi', 'azureFile', 'image', 'flexVolume'],
  node: 'node-1',
  privileged: true,
  capabilities: ['NET_ADMIN', 'SYS_PTRACE'],
  baseline: ['capabilities_baseline', 'hostNamespaces', 'hostPathVolumes', 'hostPorts', 'privileged'],
  restricted: [
    'hostNamespaces',
    'hostPorts',
    'privileged',
    'allowPrivilegeEscalation',
    'capabilities_restricted',
    'restrictedVolumes',
    'runAsNonRoot',
    'seccompProfile_restricted',
  ],
}

const BATCH = '/apis/batch/v1/namespaces/n'
const APPS = '/apis/apps/v1/namespaces/n'
const template = { template: { spec: SPEC } }
const BEARERS: readonly (readonly [string, object])[] = [
  ['/api/v1/namespaces/n/pods', { spec: SPEC }],
  ['/api/v1/namespaces/n/podtemplates', template],
  ['/api/v1/namespaces/n/replicationcontrollers', { spec: template }],
  [`${APPS}/deployments`, { spec: template }],
  [`${APPS}/replicasets`, { spec: template }],
  [`${APPS}/statefulsets`, { spec: template }],
  [`${APPS}/daemonsets`, { spec: template }],
  [`${BATCH}/jobs`, { spec: template }],
  [`${BATCH}/cronjobs`, { spec: { jobTemplate: { spec: template } } }],
]

t.test('The pods of every kind that makes pods are told whole', async (t) => {
  for (const [target, body] of BEARERS) t.same(decoded('POST', target, { body }).pod, FACTS, target)
  for (const [target, body] of BEARERS) t.same(decoded('PUT', `${target}/x`, { body }).pod, FACTS, target)
})

t.test('A debugging container is a patch of a pod', async (t) => {
  const body = { spec: { ephemeralContainers: [{ name: 'd', image: 'debug', securityContext: { privileged: true } }] } }
  const sent = { type: 'application/strategic-merge-patch+json', body }
  const { pod } = decoded('PATCH', '/api/v1/namespaces/n/pods/p/ephemeralcontainers', sent)
  t.same([pod?.partial, pod?.images, pod?.privileged, pod?.baseline], [true, ['debug'], true, ['privileged']])
})

t.test('The old name of the service account counts where the new one is not there', async (t) => {
  const account = (spec: object) => decoded('POST', '/api/v1/namespaces/n/pods', { body: { spec } }).pod?.serviceAccount
  t.equal(account({ serviceAccount: 'old' }), 'old')
  t.equal(account({ serviceAccount: 'same', serviceAccountName: 'same' }), 'same')
  t.equal(account({}), '')
  t.throws(() => account({ serviceAccount: 'old', serviceAccountName: 'new' }), { message: /differ/ })
})

t.test('What makes no pods tells of none, and what is no pod is refused', async (t) => {
  t.equal(decoded('POST', '/api/v1/namespaces/n/configmaps', { body: { spec: SPEC } }).pod, null)
  t.equal(decoded('PUT', '/api/v1/namespaces/n/pods/p/status', { body: { status: {} } }).pod, null)
  t.equal(decoded('POST', '/apis/example.org/v1/namespaces/n/deployments', { body: { spec: template } }).pod, null)
  const wrong: readonly object[] = [
    { spec: [] },
    { spec: { containers: {} } },
    { spec: { containers: ['c'] } },
    { spec: { containers: [{ image: 7 }] } },
    { spec: { hostNetwork: 'true' } },
    { spec: { containers: [{ securityContext: { privileged: 1 } }] } },
    { spec: { containers: [{ command: 'sh' }] } },
    { spec: { volumes: [{ hostPath: '/' }] } },
  ]
  for (const body of wrong) {
    const refused = () => decoded('POST', '/api/v1/namespaces/n/pods', { body })
    t.throws(refused, { message: /^command.unparsable/ }, JSON.stringify(body))
  }
})
