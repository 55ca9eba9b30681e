import t from 'tap'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'

/** From the table of k8s.io/apiserver, pkg/endpoints/request/requestinfo_test.go: method, path, then what it must say. */
const RESOURCES: readonly (readonly [string, string, string, string, string, string, string, string, string])[] = [
  ['GET', '/api/v1/namespaces', 'list', '', 'v1', '', 'namespaces', '', ''],
  ['GET', '/api/v1/namespaces/other', 'get', '', 'v1', 'other', 'namespaces', '', 'other'],
  ['GET', '/api/v1/namespaces/other/pods', 'list', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/other/pods/foo', 'get', '', 'v1', 'other', 'pods', '', 'foo'],
  ['HEAD', '/api/v1/namespaces/other/pods/foo', 'get', '', 'v1', 'other', 'pods', '', 'foo'],
  ['GET', '/api/v1/pods', 'list', '', 'v1', '', 'pods', '', ''],
  ['HEAD', '/api/v1/pods', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo', 'proxy', '', 'v1', 'other', 'pods', '', 'foo'],
  ['GET', '/api/v1/proxy/namespaces/other/pods/foo/x/y', 'proxy', '', 'v1', 'other', 'pods', '', 'foo'],
  ['GET', '/api/v1/watch/pods', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=true', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=false', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=FALSE', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=0', 'list', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/pods?watch=no', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/watch/namespaces/other/pods', 'watch', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/watch/namespaces/other/pods/foo', 'watch', '', 'v1', 'other', 'pods', '', 'foo'],
  ['POST', '/api/v1/watch/pods', 'watch', '', 'v1', '', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/other/pods/foo/status', 'get', '', 'v1', 'other', 'pods', 'status', 'foo'],
  ['GET', '/api/v1/namespaces/other/status', 'get', '', 'v1', 'other', 'namespaces', 'status', 'other'],
  ['PUT', '/api/v1/namespaces/other/finalize', 'update', '', 'v1', 'other', 'namespaces', 'finalize', 'other'],
  ['POST', '/apis/apps/v1/namespaces/other/deployments', 'create', 'apps', 'v1', 'other', 'deployments', '', ''],
  ['PUT', '/apis/apps/v1/namespaces/o/deployments/foo', 'update', 'apps', 'v1', 'o', 'deployments', '', 'foo'],
  [
    'PATCH',
    '/apis/apps/v1/namespaces/o/deployments/foo/scale',
    'patch',
    'apps',
    'v1',
    'o',
    'deployments',
    'scale',
    'foo',
  ],
  ['DELETE', '/api/v1/namespaces/other/pods/foo', 'delete', '', 'v1', 'other', 'pods', '', 'foo'],
  ['DELETE', '/api/v1/pods', 'deletecollection', '', 'v1', '', 'pods', '', ''],
  ['DELETE', '/api/v1/namespaces/other/pods', 'deletecollection', '', 'v1', 'other', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/o/pods?fieldSelector=metadata.name%3Dfoo', 'list', '', 'v1', 'o', 'pods', '', 'foo'],
  [
    'GET',
    '/api/v1/namespaces/o/pods?watch=1&fieldSelector=metadata.name%3Dfoo',
    'watch',
    '',
    'v1',
    'o',
    'pods',
    '',
    'foo',
  ],
  ['GET', '/api/v1/namespaces/o/pods?fieldSelector=metadata.name%21%3Dfoo', 'list', '', 'v1', 'o', 'pods', '', ''],
  ['GET', '/api/v1/namespaces/o/pods?fieldSelector=metadata.name%3Da%2Fb', 'list', '', 'v1', 'o', 'pods', '', ''],
  ['GET', '/api/v1/nodes?fieldSelector=x%3Dy%2Cmetadata.name%3D%3Dfoo', 'list', '', 'v1', '', 'nodes', '', 'foo'],
  ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Db%2Cmetadata.name%3Da', 'list', '', 'v1', '', 'nodes', '', 'a'],
  ['DELETE', '/api/v1/pods?fieldSelector=metadata.name%3Dfoo', 'deletecollection', '', 'v1', '', 'pods', '', ''],
]

const parsed = (method: string, target: string) => parseRequest(method, target)

t.test('a request has the attributes that the API server authorises it by', async (t) => {
  for (const [method, target, verb, group, version, namespace, resource, subresource, name] of RESOURCES) {
    t.match(
      parsed(method, target),
      { kind: 'request', request: { facts: { verb, group, version, namespace, resource, subresource, name } } },
      `${method} ${target}`,
    )
  }
})

t.test('what is no resource has its method for a verb', async (t) => {
  for (const path of [
    '/',
    '/api',
    '/apis',
    '/api/v1',
    '/apis/apps',
    '/apis/apps/v1',
    '/version',
    '/healthz',
    '/livez/ping',
  ]) {
    const found = parsed('GET', path)
    if (path === '/') t.match(found, { kind: 'refused', refusal: { code: 'target.forbidden' } })
    else
      t.match(found, {
        kind: 'request',
        request: { facts: { verb: 'get', resourceRequest: false, resource: '', path } },
      })
  }
})

t.test('profiles, metrics and logs of the server are not offered, and nothing but reading is on paths', async (t) => {
  for (const [method, path] of [
    ['GET', '/debug/pprof/profile'],
    ['GET', '/metrics'],
    ['GET', '/logs/kube-apiserver.log'],
    ['POST', '/version'],
    ['DELETE', '/apis/apps/v1'],
  ] as const) {
    t.match(parsed(method, path), { kind: 'refused', refusal: { code: 'target.forbidden' } }, `${method} ${path}`)
  }
})

t.test('a selector is kept with the verbs whose authorisation knows it', async (t) => {
  const selectors = '?fieldSelector=a%3Db&labelSelector=c%3Dd'
  for (const target of [`/api/v1/pods${selectors}`, `/api/v1/pods${selectors}&watch=1`]) {
    t.match(parsed('GET', target), { request: { facts: { fieldSelector: 'a=b', labelSelector: 'c=d' } } })
  }
  t.match(parsed('DELETE', `/api/v1/pods${selectors}`), { request: { facts: { fieldSelector: 'a=b' } } })
  t.match(parsed('GET', `/api/v1/watch/pods${selectors}`), { request: { facts: { fieldSelector: '' } } })
})

t.test('what takes over the connection is a connect, by its subresource and whatever its method', async (t) => {
  for (const [method, target] of [
    ['GET', '/api/v1/namespaces/o/pods/p/exec?command=id'],
    ['POST', '/api/v1/namespaces/o/pods/p/exec?command=id'],
    ['GET', '/api/v1/namespaces/o/pods/p/attach'],
    ['GET', '/api/v1/namespaces/o/pods/p/portforward'],
    ['DELETE', '/api/v1/nodes/n/proxy/run/x'],
    ['GET', '/api/v1/namespaces/o/services/https:s:443/proxy/any/path?with=query&and=more'],
    ['GET', '/api/v1/proxy/nodes/n'],
  ] as const) {
    t.match(parsed(method, target), { kind: 'request', request: { action: 'connect' } }, `${method} ${target}`)
  }
  t.match(parsed('GET', '/api/v1/namespaces/o/pods/p/log'), { request: { action: 'get' } })
})

t.test('an exec is its argv and its streams; what attaches, or has no command, may run anything', async (t) => {
  const exec = (query: string) => {
    const found = parseRequest('GET', `/api/v1/namespaces/o/pods/p/${query}`)
    return found.kind === 'request' ? found.request.facts.exec : null
  }
  const bare = { container: '', stdin: false, stdout: false, stderr: false, tty: false }
  t.same(exec('exec?command=ls&command=-l&command=a+b&container=c&stdout=true&stderr=1'), {
    ...bare,
    command: ['ls', '-l', 'a b'],
    container: 'c',
    stdout: true,
    stderr: true,
    shell: false,
  })
  t.match(exec('exec?command=sh&stdin=true&tty=true'), { shell: true, stdin: true, tty: true })
  t.match(exec('exec?command=git&command=log'), { shell: false, tty: false })
  t.match(exec('exec?command=git&command=log&tty=true'), { shell: true, tty: true })
  t.match(exec('exec?stdin=false'), { shell: true, stdin: false, command: [] })
  t.match(exec('attach?stdin=true'), { shell: true, command: [] })
})

t.test('endless requests are watches and logs that are followed', async (t) => {
  const endless = (target: string) => parsed('GET', target)
  t.match(endless('/api/v1/pods?watch=1'), { request: { endless: true } })
  t.match(endless('/api/v1/watch/pods'), { request: { endless: true } })
  t.match(endless('/api/v1/namespaces/o/pods/p/log?follow=true'), { request: { endless: true } })
  t.match(endless('/api/v1/namespaces/o/pods/p/log'), { request: { endless: false } })
  t.match(endless('/api/v1/pods'), { request: { endless: false } })
})

t.test('a dry run is one only by the word that the server knows', async (t) => {
  t.match(parsed('POST', '/api/v1/namespaces/o/pods?dryRun=All'), { request: { facts: { dryRun: true } } })
  t.match(parsed('POST', '/api/v1/namespaces/o/pods'), { request: { facts: { dryRun: false } } })
  t.match(parsed('POST', '/api/v1/namespaces/o/pods?dryRun=all'), { kind: 'refused' })
  const token = '/api/v1/namespaces/o/serviceaccounts/s/token?dryRun=All'
  t.match(parsed('POST', token), { request: { facts: { dryRun: false } } }, 'a token that is made is one')
  t.match(parsed('GET', '/api/v1/pods?limit='), { kind: 'refused' }, 'the server could read no list options')
})

t.test('people read what a request is', async (t) => {
  const text = (method: string, target: string) => {
    const found = parsed(method, target)
    return found.kind === 'request' ? found.request.text : found.refusal.message
  }
  t.equal(text('PATCH', '/apis/apps/v1/namespaces/o/deployments/d/scale'), 'patch deployments.apps/scale o/d')
  t.equal(text('GET', '/api/v1/namespaces/o'), 'get namespaces o')
  t.equal(text('GET', '/api/v1/nodes'), 'list nodes')
  t.equal(text('GET', '/version'), 'get /version')
  t.equal(
    text('GET', '/api/v1/namespaces/o/pods/p/exec?command=echo&command=it%27s&command=a'),
    "get pods/exec o/p -- echo 'it'\\''s' a",
  )
})
