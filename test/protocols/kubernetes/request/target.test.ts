import fc from 'fast-check'
import t from 'tap'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'

const parsed = (target: string, method = 'GET') => parseRequest(method, target)

t.test('a target that the server and we could read differently is refused', async (t) => {
  for (const target of [
    '',
    'api/v1/pods',
    '*',
    'http://host/api/v1/pods',
    '//api/v1/pods',
    '/api//v1/pods',
    '/api/v1/pods/',
    '/api/v1/./pods',
    '/api/v1/../v1/pods',
    '/api/v1/%2e%2e/secrets',
    '/api/v1/s%65crets',
    '/api/v1%2fsecrets',
    '/api/v1/namespaces/o/pods/a%2Fb',
    '/api/v1/namespaces/o/pods/a%252Fb',
    '/api/v1/namespaces/o/pods/a%00',
    '/api/v1/namespaces/o/pods/a;b',
    '/api/v1/namespaces/o/pods/a\\b',
    '/api/v1/namespaces/o/pods/%ff',
    '/api/v1/namespaces/o/pods/%zz',
    '/api/v1/namespaces/o/pods/é',
    '/api/v1/pods#x',
    '/api/v1/pods x',
    '/api/v1/PODS',
    '/API/v1/pods',
    '/api/v1/watch',
    '/api/v1/namespaces/o/pods/p/exec/more',
    '/api/v1/pods?watch=0&watch=1',
    '/api/v1/pods?limit=1;watch=1',
    '/api/v1/pods?&watch=1',
    '/api/v1/pods?fieldSelector=metadata.name',
    '/api/v1/pods?fieldSelector=metadata.name%3Da%3Db',
    '/api/v1/pods?fieldSelector=metadata.name%3Da%5Cb',
    '/api/v1/pods?limit=many',
    '/api/v1/pods?unknown=1',
    '/api/v1/pods?Watch=1',
    '/api/v1/pods?labelSelector=%00',
    `/api/v1/namespaces/o/pods/${'a'.repeat(9000)}`,
    `/api/v1/namespaces/o/pods/p/exec?${'command=x&'.repeat(600)}command=x`,
  ]) {
    t.match(parsed(target), { kind: 'refused' }, target.slice(0, 80))
  }
  t.match(parsed('/api/v1/pods', 'CONNECT'), { kind: 'refused', refusal: { code: 'command.unsupported' } })
  t.match(parsed('/api/v1/pods', 'get'), { kind: 'refused' })
})

t.test('names may be encoded as clients do, and are forwarded in one form', async (t) => {
  const base = '/apis/rbac.authorization.k8s.io/v1/clusterroles/'
  for (const name of ['system%3Anode', 'system:node', 'system%3anode', '%73ystem:node']) {
    t.match(parsed(base + name), { request: { target: `${base}system:node`, facts: { name: 'system:node' } } }, name)
  }
})

t.test('discovery may be asked for with a slash at its end, and is forwarded without', async (t) => {
  for (const path of ['/version', '/api', '/api/v1', '/apis', '/apis/apps', '/apis/apps/v1', '/openapi/v2']) {
    t.match(parsed(`${path}/`), { kind: 'request', request: { target: path, facts: { path } } }, path)
    t.match(parsed(`${path}//`), { kind: 'refused' }, path)
  }
  for (const path of ['//', '/metrics/', '/api/v1/pods/', '/api/v1/namespaces/o/', '/apis/apps/v1/deployments/']) {
    t.match(parsed(path), { kind: 'refused' }, path)
  }
})

t.test('a slash at the end of what is asked of a proxy is forwarded, since it is another path there', async (t) => {
  const root = '/api/v1/namespaces/o/services/web:80/proxy'
  for (const path of [root, `${root}/`, `${root}/a`, `${root}/a/`]) {
    t.match(parsed(`${path}?b=c`), { request: { target: `${path}?b=c`, action: 'connect', facts: { path } } }, path)
    t.match(parsed(`${path}//`), { kind: 'refused' }, path)
  }
  t.match(
    parsed('/apis/example.com/v1/namespaces/o/things/x/proxy/'),
    { kind: 'refused' },
    'a proxy of others is theirs',
  )
})

t.test('the query is forwarded as it was read', async (t) => {
  t.match(parsed('/api/v1/pods?labelSelector=a%20in+(b,c)&limit=5&pretty'), {
    request: { target: '/api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29&limit=5&pretty=' },
  })
})

const segment = fc.oneof(
  fc.constantFrom(
    'api',
    'apis',
    'v1',
    'apps',
    'namespaces',
    'pods',
    'watch',
    'proxy',
    'status',
    'finalize',
    'exec',
    'secrets',
  ),
  fc.stringMatching(/^[a-z0-9:%.;_A-Z-]{0,6}$/),
)
const query = fc.array(
  fc.tuple(
    fc.constantFrom('watch', 'limit', 'fieldSelector', 'labelSelector', 'command', 'dryRun', 'container', 'x'),
    fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom('true', '0', 'metadata.name=a', 'All')),
  ),
  { maxLength: 4 },
)
const plausible = fc
  .tuple(
    fc.constantFrom(['api', 'v1'], ['apis', 'apps', 'v1']),
    fc.constantFrom([], ['watch'], ['proxy'], ['namespaces', 'o']),
    fc.constantFrom(
      ['pods'],
      ['pods', 'p'],
      ['pods', 'p', 'exec'],
      ['nodes', 'n', 'proxy', 'x'],
      ['nodes', 'n', 'proxy', ''],
      ['namespaces'],
    ),
  )
  .map((parts) => parts.flat())
const segments = fc.oneof(fc.array(segment, { maxLength: 8 }), plausible)
const target = fc.tuple(segments, query, fc.boolean()).map(([path, pairs, encode]) => {
  const text = pairs
    .map(([key, value]) => `${key}=${encode ? encodeURIComponent(value.toWellFormed()) : value}`)
    .join('&')
  return `/${path.join('/')}${text === '' ? '' : `?${text}`}`
})
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')

t.test('no target makes it throw, and what is forwarded means what was judged', async (t) => {
  let requests = 0
  fc.assert(
    fc.property(method, target, (name, raw) => {
      const found = parsed(raw, name)
      if (found.kind === 'refused') return found.refusal.code.length > 0
      requests++
      const again = parsed(found.request.target, name)
      if (again.kind !== 'request') return false
      return (
        again.request.target === found.request.target &&
        JSON.stringify(again.request.facts) === JSON.stringify(found.request.facts)
      )
    }),
    { numRuns: 5_000 },
  )
  t.ok(requests > 100, `${requests} of them were requests`)
})

t.test('any bytes are refused or read', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      parsed(text)
      parsed(`/api/v1/${text}`)
      parsed(`/api/v1/pods?${text}`)
    }),
    { numRuns: 2_000 },
  )
  t.pass('none of them threw')
})
