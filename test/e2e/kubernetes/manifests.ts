/** One object of each of many kinds, with what their representations could differ in. */

export interface Manifest {
  /** The collection that it is created in. */
  readonly path: string
  readonly object: { readonly metadata: { readonly name: string } } & Readonly<Record<string, unknown>>
}

const NAMESPACE = 'bodies'
const labels = { app: 'web' }
const selector = { matchLabels: labels }
const spec = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 0,
  securityContext: { runAsUser: 0, fsGroup: 2_000, supplementalGroups: [1, 2, 3], sysctls: [] },
  volumes: [
    { name: 'a', emptyDir: { sizeLimit: '1.5Gi', medium: '' } },
    {
      name: 'b',
      projected: { defaultMode: 256, sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }] },
    },
  ],
  containers: [
    {
      name: 'c',
      image: 'registry.example/web:1',
      command: ['sh', '-c'],
      args: ['echo "é \u2028 </script>" \\ \n'],
      env: [
        { name: 'EMPTY', value: '' },
        { name: 'WHERE', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      ],
      ports: [{ name: 'http', containerPort: 80 }],
      resources: { requests: { cpu: '100m', memory: '1e3' }, limits: { cpu: '0.5' } },
      livenessProbe: { httpGet: { path: '/', port: 'http' }, initialDelaySeconds: 0, periodSeconds: 7 },
      readinessProbe: { tcpSocket: { port: 80 } },
      securityContext: { privileged: false, capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false },
      volumeMounts: [{ name: 'a', mountPath: '/a', readOnly: false }],
    },
  ],
  tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 0, effect: 'NoExecute' }],
}
const template = { metadata: { labels, annotations: { empty: '' } }, spec }
const once = { metadata: { labels }, spec: { ...spec, restartPolicy: 'Never' } }
const named = (path: string, name: string, rest: object): Manifest => ({
  path,
  object: { metadata: { name }, ...rest },
})
const core = (resource: string, rest: object) => named(`/api/v1/namespaces/${NAMESPACE}/${resource}`, 'one', rest)
const inGroup = (group: string, resource: string, rest: object) =>
  named(`/apis/${group}/namespaces/${NAMESPACE}/${resource}`, 'one', rest)
const cluster = (group: string, resource: string, rest: object, name = 'bodies-one') =>
  named(`${group === 'v1' ? '/api' : '/apis'}/${group}/${resource}`, name, rest)

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      required: ['size'],
      properties: {
        size: { type: 'number', minimum: 0, maximum: 1.5, default: 0.5, enum: [0.5, 1] },
        port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3 },
        more: { type: 'object', additionalProperties: { type: 'string' } },
        nothing: { type: 'object', nullable: true, default: {} },
      },
    },
  },
}

export const MANIFESTS: readonly Manifest[] = [
  core('pods', { spec }),
  core('podtemplates', { template }),
  core('replicationcontrollers', { spec: { replicas: 0, selector: labels, template } }),
  inGroup('apps/v1', 'deployments', {
    spec: { replicas: 0, selector, template, strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } } },
  }),
  inGroup('apps/v1', 'replicasets', { spec: { selector, template } }),
  inGroup('apps/v1', 'daemonsets', { spec: { selector, template } }),
  inGroup('apps/v1', 'statefulsets', { spec: { selector, template, serviceName: 'web' } }),
  inGroup('apps/v1', 'controllerrevisions', { data: { spec: { any: ['thing', 1.5, null] } }, revision: 0 }),
  inGroup('batch/v1', 'jobs', { spec: { template: once, backoffLimit: 0 } }),
  inGroup('batch/v1', 'cronjobs', {
    spec: { schedule: '*/5 * * * *', suspend: false, jobTemplate: { spec: { template: once } } },
  }),
  core('configmaps', {
    data: { 'a.txt': 'line\n', empty: '' },
    binaryData: { 'b.bin': 'AP/+', none: '' },
    immutable: false,
  }),
  core('secrets', { type: 'Opaque', data: { password: 'aHVudGVyMg==', empty: '' } }),
  core('services', {
    spec: {
      ports: [
        { port: 80, targetPort: 'http' },
        { name: 'x', port: 81, targetPort: 8081 },
      ].slice(0, 1),
      selector: labels,
    },
  }),
  core('serviceaccounts', { automountServiceAccountToken: false, imagePullSecrets: [{ name: 'pull' }] }),
  core('resourcequotas', { spec: { hard: { pods: '0', 'requests.cpu': '1500m' } } }),
  core('limitranges', { spec: { limits: [{ type: 'Container', default: { memory: '128Mi' } }] } }),
  core('endpoints', { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] }),
  core('persistentvolumeclaims', {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: '' },
  }),
  inGroup('rbac.authorization.k8s.io/v1', 'roles', {
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  }),
  inGroup('rbac.authorization.k8s.io/v1', 'rolebindings', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'one' },
    subjects: [{ kind: 'ServiceAccount', name: 'one', namespace: NAMESPACE }],
  }),
  cluster('rbac.authorization.k8s.io/v1', 'clusterroles', {
    rules: [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }],
  }),
  cluster('rbac.authorization.k8s.io/v1', 'clusterrolebindings', {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'none' },
  }),
  inGroup('networking.k8s.io/v1', 'networkpolicies', {
    spec: {
      podSelector: {},
      ingress: [{ ports: [{ port: 'http' }, { port: 80, endPort: 90 }], from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
      egress: [{}],
    },
  }),
  inGroup('networking.k8s.io/v1', 'ingresses', {
    spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  }),
  inGroup('policy/v1', 'poddisruptionbudgets', { spec: { minAvailable: '50%', selector: {} } }),
  inGroup('autoscaling/v2', 'horizontalpodautoscalers', {
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { kind: 'Deployment', name: 'one', apiVersion: 'apps/v1' },
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '0.25' } } },
      ],
    },
  }),
  inGroup('coordination.k8s.io/v1', 'leases', {
    spec: { holderIdentity: 'me', renewTime: '2026-01-02T03:04:05.000600Z', leaseTransitions: 0 },
  }),
  inGroup('events.k8s.io/v1', 'events', {
    eventTime: '2026-01-02T03:04:05.000006Z',
    reason: 'r',
    action: 'a',
    type: 'Normal',
    reportingController: 'c.example',
    reportingInstance: 'i',
    regarding: { kind: 'Pod', name: 'one', namespace: NAMESPACE },
  }),
  inGroup('discovery.k8s.io/v1', 'endpointslices', {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready: false } }],
    ports: [{ port: 80 }],
  }),
  cluster('scheduling.k8s.io/v1', 'priorityclasses', { value: -5, globalDefault: false, preemptionPolicy: 'Never' }),
  cluster('storage.k8s.io/v1', 'storageclasses', {
    provisioner: 'example.org/x',
    parameters: { a: '' },
    allowVolumeExpansion: false,
  }),
  cluster('v1', 'persistentvolumes', {
    spec: { capacity: { storage: '5Gi' }, accessModes: ['ReadOnlyMany'], hostPath: { path: '/data' } },
  }),
  cluster('v1', 'nodes', {
    spec: { unschedulable: true, taints: [{ key: 'k', effect: 'NoSchedule', timeAdded: '2026-01-02T03:04:05Z' }] },
  }),
  cluster('v1', 'namespaces', {}),
  cluster('admissionregistration.k8s.io/v1', 'validatingwebhookconfigurations', {
    webhooks: [
      {
        name: 'a.example.org',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        clientConfig: {
          url: 'https://a.example.org',
          caBundle: 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJJakFOQmdrPQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==',
        },
        rules: [],
      },
    ],
  }),
  cluster('admissionregistration.k8s.io/v1', 'validatingadmissionpolicies', {
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] },
        ],
      },
      validations: [{ expression: 'object.spec.replicas <= 5' }],
    },
  }),
  cluster(
    'apiextensions.k8s.io/v1',
    'customresourcedefinitions',
    {
      spec: {
        group: 'bodies.example.org',
        scope: 'Namespaced',
        names: { plural: 'widgets', kind: 'Widget' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    },
    'widgets.bodies.example.org',
  ),
  cluster(
    'apiregistration.k8s.io/v1',
    'apiservices',
    {
      spec: {
        group: 'far.example.org',
        version: 'v1',
        groupPriorityMinimum: 1,
        versionPriority: 1,
        insecureSkipTLSVerify: true,
        service: { name: 'a', namespace: NAMESPACE },
      },
    },
    'v1.far.example.org',
  ),
]
