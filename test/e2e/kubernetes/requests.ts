/** Generated requests: of the resources that an API server really has, and of spellings that no client would send. */
import fc from 'fast-check'
import type { KubernetesServer } from '../../support/kubernetes.ts'

export interface Generated {
  readonly method: string
  readonly target: string
}

export interface Resource {
  readonly group: string
  readonly version: string
  /** With its subresource, as discovery has it. */
  readonly name: string
  readonly namespaced: boolean
}

interface Discovered {
  readonly resources: readonly { readonly name: string; readonly namespaced: boolean }[]
}

/** Everything that discovery lists. */
export async function discover(server: KubernetesServer): Promise<readonly Resource[]> {
  const read = async <Answer>(path: string): Promise<Answer> =>
    JSON.parse((await server.call('GET', path)).body) as Answer
  const { groups } = await read<{ groups: { versions: { groupVersion: string }[] }[] }>('/apis')
  const versions = ['v1', ...groups.flatMap(({ versions: each }) => each.map(({ groupVersion }) => groupVersion))]
  const found: Resource[] = []
  for (const each of versions) {
    const [group, version] = each.includes('/') ? (each.split('/') as [string, string]) : ['', each]
    const { resources } = await read<Discovered>(prefixOf(group, version))
    found.push(...resources.map(({ name, namespaced }) => ({ group, version, name, namespaced })))
  }
  return found
}

const prefixOf = (group: string, version: string) => (group === '' ? `/api/${version}` : `/apis/${group}/${version}`)

const METHODS = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE')
const ODD_METHODS = fc.constantFrom('OPTIONS', 'CONNECT', 'TRACE', 'get', 'PROPFIND')
const NAMES = fc.oneof(
  fc.constantFrom('a', 'web-0', 'system:node', 'kube-root-ca.crt', 'watch', 'namespaces', 'status', 'x.y', '-', 'A'),
  fc.stringMatching(/^[a-z0-9.:_-]{1,8}$/),
)
const NAMESPACES = fc.constantFrom('default', 'kube-system', 'nowhere', 'watch', 'status', 'finalize')

const BOOLEANS = ['true', '1', '0', 'false', 'FALSE', '', 'yes'] as const
const FIELDS = [
  'metadata.name=a',
  'metadata.name==b,spec.nodeName!=c',
  'metadata.name!=a',
  'spec.nodeName=n,metadata.name=z',
  'metadata.name=a/b',
  'metadata.name=a\\,b,metadata.namespace=x',
] as const
const LABELS = ['app in (a,b)', 'app=web,!tier', 'x'] as const
const PROPAGATION = ['Background', 'Orphan'] as const
/** What is understood where, and what is not understood there. */
const READ = { watch: BOOLEANS, fieldSelector: FIELDS, labelSelector: LABELS, limit: ['5'], pretty: BOOLEANS }
const DELETE = { dryRun: ['All'], propagationPolicy: PROPAGATION, fieldSelector: FIELDS, labelSelector: LABELS }
const WRITE = { dryRun: ['All', ''], fieldManager: ['me'], pretty: BOOLEANS, watch: BOOLEANS }
const STREAM = { container: ['c', 'a b'], command: ['ls', 'sh -c x'], stdin: BOOLEANS, follow: BOOLEANS }

function queriesFrom(parameters: Readonly<Record<string, readonly string[]>>, maxLength = 3): fc.Arbitrary<string> {
  const pair = fc.oneof(
    ...Object.entries(parameters).map(([key, values]) => fc.tuple(fc.constant(key), fc.constantFrom(...values))),
  )
  return fc
    .uniqueArray(pair, { maxLength, selector: ([key]) => key })
    .map((pairs) => pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&'))
    .map((query) => (query === '' ? '' : `?${query}`))
}

const QUERIES = {
  GET: fc.oneof({ weight: 5, arbitrary: queriesFrom(READ) }, { weight: 1, arbitrary: queriesFrom(STREAM) }),
  DELETE: queriesFrom(DELETE, 2),
  other: fc.oneof({ weight: 5, arbitrary: queriesFrom(WRITE, 2) }, { weight: 1, arbitrary: queriesFrom(STREAM) }),
}

/** Requests that a client could send, of each resource and subresource there is. */
export function plausible(resources: readonly Resource[]): fc.Arbitrary<Generated> {
  const path = fc
    .record({
      resource: fc.constantFrom(...resources),
      name: NAMES,
      namespace: NAMESPACES,
      // A namespace where there is none, and none where one is: the path alone says what is authorised.
      contrary: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
      named: fc.boolean(),
      special: fc.constantFrom(...Array<string>(8).fill(''), '/watch', '/proxy'),
      tail: fc.constantFrom(...Array<string>(12).fill(''), '/more', '/status'),
    })
    .map(({ resource: { group, version, name, namespaced }, namespace, contrary, named, special, tail, ...rest }) => {
      const [plural = '', subresource] = name.split('/')
      const where = namespaced === contrary ? '' : `/namespaces/${namespace}`
      const object = subresource === undefined ? (named ? `/${rest.name}` : '') : `/${rest.name}/${subresource}`
      return `${prefixOf(group, version)}${special}${where}/${plural}${object}${object === '' ? '' : tail}`
    })
  return METHODS.chain((method) => {
    const query =
      method === 'DELETE' ? QUERIES.DELETE : QUERIES[method === 'GET' || method === 'HEAD' ? 'GET' : 'other']
    return fc.record({ method: fc.constant(method), target: fc.tuple(path, query).map((parts) => parts.join('')) })
  })
}

const SEGMENTS = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('api', 'apis', 'v1', 'apps', 'namespaces', 'default', 'pods', 'secrets', 'a'),
  },
  { weight: 2, arbitrary: fc.constantFrom('watch', 'proxy', 'status', 'finalize', 'exec', 'log', 'nodes', 'healthz') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', '.', '..', '%2e%2e', 's%65crets', 'SECRETS', 'a%2fb', 'a;b', 'v1%2fpods'),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[!-~]{1,5}$/) },
)
const ODD_QUERIES = fc.constantFrom(
  '',
  '',
  '?',
  '?watch',
  '?watch=0&watch=1',
  '?Watch=1',
  '?watch=%30',
  '?%77atch=1',
  '?limit=1;watch=1',
  '?x=%zz&watch=1',
  '?fieldSelector=metadata.name=a',
  '?fieldSelector=metadata.name%3Da%5C%2Cb',
  '?fieldSelector=,metadata.name=a',
  '?fieldSelector=metadata.name',
  '#watch',
)
const BEGINNINGS = fc.constantFrom(
  '/',
  '//',
  '/api/v1/',
  '/api/v1/namespaces/default/',
  '/apis/apps/v1/',
  '/./',
  'http://localhost/api/v1/',
)

/** Spellings: of known routes in other words, and of nothing at all. */
export const odd: fc.Arbitrary<Generated> = fc
  .record({
    method: fc.oneof({ weight: 9, arbitrary: METHODS }, { weight: 1, arbitrary: ODD_METHODS }),
    beginning: BEGINNINGS,
    segments: fc.array(SEGMENTS, { maxLength: 6 }),
    query: ODD_QUERIES,
  })
  .map(({ method, beginning, segments, query }) => ({ method, target: beginning + segments.join('/') + query }))

/** One letter or more of a real request in an encoding that the server undoes. */
export function encoded(resources: readonly Resource[]): fc.Arbitrary<Generated> {
  return fc
    .tuple(plausible(resources), fc.nat({ max: 10_000 }), fc.boolean())
    .map(([{ method, target }, at, lower]) => {
      const index = 1 + (at % (target.length - 1))
      const hex = target.charCodeAt(index).toString(16).padStart(2, '0')
      const code = `%${lower ? hex : hex.toUpperCase()}`
      return { method, target: `${target.slice(0, index)}${code}${target.slice(index + 1)}` }
    })
}
