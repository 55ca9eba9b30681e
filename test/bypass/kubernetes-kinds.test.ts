/** Custom kinds that are called as forms of answers are, so that masks could take them for what they are not. */
import t from 'tap'
import type { Decision } from '../../src/gate/decision.ts'
import type { Question } from '../../src/gate/ports.ts'
import { ALLOW, deny } from '../support/fakes.ts'
import { startKubernetes } from '../support/kubernetes.ts'
import { RawHttp, rawRequest } from '../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../support/kubernetes-target.ts'

t.setTimeout(120_000)

const HIDDEN = 'what-nobody-may-read'
const GROUP = 'bank.test'
const AT = `/apis/${GROUP}/v1/namespaces/open`
const KINDS = ['AllowList', 'Table', 'Status', 'List'] as const
const ACCEPTS: readonly [string, ...string[]] = [
  'application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
]

const server = await startKubernetes()
t.teardown(() => server.stop())
await server.namespace('open')
const target = await startKubernetesTarget(server)
t.teardown(() => target.close())

for (const kind of KINDS) {
  const names = { plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase(), kind, listKind: `${kind}Listing` }
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const versions = [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }]
  const made = await server.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: `${names.plural}.${GROUP}` },
    spec: { group: GROUP, scope: 'Namespaced', names, versions },
  })
  if (made.status !== 201) throw new Error(made.body)
  await served(`${AT}/${names.plural}`)
  // Members of tables and failures. Objects with those of lists are none that the API server gives out.
  await server.call('POST', `${AT}/${names.plural}`, {
    apiVersion: `${GROUP}/v1`,
    kind,
    metadata: { name: 'kept', annotations: { said: `it is ${HIDDEN}` } },
    spec: { token: HIDDEN },
    rows: [{ cells: [], object: { metadata: { name: 'x' } } }],
    status: { token: HIDDEN },
  })
}

async function served(path: string): Promise<void> {
  for (let tries = 0; (await server.call('GET', path)).status !== 200; tries++) {
    if (tries > 200) throw new Error(`${path} is not served`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const mask = (path: string, how: 'redact' | 'deny'): Decision['masks'][number] => ({
  column: null,
  detector: null,
  path,
  with: how,
  policy: 'policy.test',
})

async function read(path: string, accept: string): Promise<string> {
  const connection = await RawHttp.connect(target)
  connection.send(
    rawRequest('GET', path, [
      ['Accept', accept],
      ['Connection', 'close'],
    ]),
  )
  while (!connection.ended) await new Promise((resolve) => setTimeout(resolve, 5))
  connection.close()
  return connection.rest.toString()
}

/** What may be read of each, and in which forms. */
const READS = KINDS.flatMap((kind) => {
  const collection = `${AT}/${kind.toLowerCase()}s`
  const watch = [`${collection}?watch=1&timeoutSeconds=1`, ACCEPTS[0]] as const
  const plain = [collection, `${collection}/kept`, `${collection}/kept/status`]
  return [watch, ...plain.flatMap((path) => ACCEPTS.map((accept) => [path, accept] as const))]
})

t.test('masks find the value in each of them, alone, in a list and in a watch', async (t) => {
  const masks = ['spec.token', 'status.token'].map((path) => mask(path, 'redact'))
  target.policy.rule = () => ({ ...ALLOW, masks })
  for (const [path, accept] of READS) {
    const told = await read(path, accept)
    t.notMatch(told, HIDDEN, `${path} as ${accept}`)
    t.match(told, 'HTTP/1.1 200', path)
  }
})

t.test('those that may not be got are not shown in a list or a watch either', async (t) => {
  target.policy.rule = ({ command }: Question) => {
    const { verb } = command.shape.detail as { readonly verb: string }
    return verb === 'get' ? deny('test.refused') : { ...ALLOW, masks: [mask('$', 'deny')] }
  }
  for (const [path, accept] of READS) t.notMatch(await read(path, accept), HIDDEN, `${path} as ${accept}`)
})

t.test('no page of a list names what is not shown in it', async (t) => {
  const secrets = '/api/v1/namespaces/open/secrets'
  for (const name of ['hidden-one', 'shown', 'hidden-two']) await server.call('POST', secrets, { metadata: { name } })
  const paged = await server.call('GET', `${secrets}?limit=1`)
  t.match(tokenOf(paged.body), 'hidden-one', 'the token for the next page does')
  target.policy.rule = ({ command }: Question) => {
    const { verb, name } = command.shape.detail as { readonly verb: string; readonly name: string }
    if (verb === 'get') return name.startsWith('hidden') ? deny('test.refused') : ALLOW
    return { ...ALLOW, masks: [mask('$', 'deny')] }
  }
  for (const accept of ACCEPTS) {
    for (const query of ['limit=1', 'limit=2&labelSelector=', 'limit=1&resourceVersion=0']) {
      const told = await read(`${secrets}?${query}`, accept)
      t.match(told, /HTTP\/1\.1 200[^]*"shown"/, query)
      t.notMatch(told + tokenOf(told), 'hidden', `${query} as ${accept}`)
    }
  }
})

/** What is in the token for the next page; empty without one. */
function tokenOf(body: string): string {
  return Buffer.from(/"continue":"([^"]+)"/.exec(body)?.[1] ?? '', 'base64url').toString()
}
