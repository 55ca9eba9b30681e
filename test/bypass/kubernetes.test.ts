/** Ways past the request line, the headers and the framing of HTTP that have opened other gates before API servers. */
import t from 'tap'
import { ALLOW } from '../support/fakes.ts'
import { rawRequest } from '../support/kubernetes-raw.ts'
import { besiegeCluster } from './kubernetes-siege.ts'

t.setTimeout(280_000)

const siege = await besiegeCluster(t)

const OPEN = '/api/v1/namespaces/open/configmaps/plain'
const CLOSED = '/api/v1/namespaces/closed/secrets/kept'
const lines = (...all: readonly string[]) => Buffer.from(all.join('\r\n'), 'latin1')
/** A whole request that must never be read as one. */
const HIDDEN = `GET ${CLOSED} HTTP/1.1\r\nHost: localhost\r\n\r\n`
const DELETING = 'DELETE /api/v1/namespaces/open/configmaps/plain HTTP/1.1\r\nHost: localhost\r\n\r\n'

t.test('what is permitted works, and what is not is refused', async (t) => {
  t.match(await siege.attack(t, 'a read', rawRequest('GET', OPEN)), 'HTTP/1.1 200')
  t.match(await siege.attack(t, 'a forbidden read', rawRequest('GET', CLOSED)), '[test.refused]')
  const masked = await siege.attack(t, 'a masked read', rawRequest('GET', '/api/v1/namespaces/open/secrets/kept'))
  t.match(masked, 'HTTP/1.1 200')
  t.match(masked, '"name":"kept"')
  await siege.holds(t)
})

t.test('no spelling of a path reaches what policy forbids', async (t) => {
  for (const path of [
    '/api/v1/namespaces/open/../closed/secrets/kept',
    '/api/v1/namespaces/open/%2e%2e/closed/secrets/kept',
    '/api/v1/namespaces/open/configmaps/..%2f..%2fclosed%2fsecrets%2fkept',
    '/api/v1/namespaces/open/configmaps/../../closed/secrets/kept',
    '/api/v1/namespaces/open%2f..%2fclosed/secrets/kept',
    '/api/v1/namespaces/open/..\\closed\\secrets\\kept',
    '/api/v1/namespaces/open//../closed/secrets/kept',
    '/api/v1/namespaces/open/;/../closed/secrets/kept',
    '/api/v1/namespaces/open;/closed/secrets/kept',
    '/api/v1/namespaces/%63losed/secrets/kept',
    '/api/v1/namespaces/closed/s%65crets/kept',
    '/api/v1/namespaces/closed/%73%65%63%72%65%74%73/kept',
    '/api/v1/namespaces/closed/secrets%2fkept',
    '/api/v1/namespaces%2fclosed/secrets/kept',
    '/api%2fv1/namespaces/closed/secrets/kept',
    '/api/v1/namespaces/closed/secrets/kept/',
    '/api/v1//namespaces/closed/secrets/kept',
    '//api/v1/namespaces/closed/secrets/kept',
    '/./api/v1/namespaces/closed/secrets/kept',
    '/API/v1/namespaces/closed/secrets/kept',
    '/api/V1/namespaces/closed/Secrets/kept',
    '/api/v1/namespaces/closed/secrets/kept%00',
    '/api/v1/namespaces/closed/secrets/kept%20',
    '/api/v1/namespaces/closed/secrets/%c0%ae%c0%ae/kept',
    '/api/v1/namespaces/closed/secrets/kept%252f',
    '/api/v1/namespaces/open/configmaps/plain#/../../closed/secrets/kept',
    '/api/v1/namespaces/open/configmaps/plain%3f/../../../closed/secrets/kept',
    '/api/v1/watch/namespaces/closed/secrets/kept',
    '/api/v1/watch/secrets',
    '/api/v1/proxy/namespaces/closed/secrets/kept',
    '/api/v1/secrets',
    '/api/v1/secrets?fieldSelector=metadata.namespace=open',
    '/api/v1/namespaces/open/configmaps/plain/../../secrets',
    'http://localhost/api/v1/namespaces/closed/secrets/kept',
    `https://127.0.0.1:${siege.server.port}${CLOSED}`,
    `//127.0.0.1:${siege.server.port}${CLOSED}`,
    'api/v1/namespaces/closed/secrets/kept',
    '*',
    '/api/v1/namespaces/closed/secrets/k\u00e9pt',
    `${OPEN}\t${CLOSED}`,
    `${OPEN} ${CLOSED}`,
    `${OPEN}\u000b`,
    '/api/v1/nodes/n/proxy/pods',
    '/api/v1/namespaces/closed/services/https:kubernetes:443/proxy/api/v1/secrets',
    '/metrics',
    '/debug/pprof/heap',
    '/logs/',
    '/apis/apiregistration.k8s.io/v1/apiservices',
  ]) {
    await siege.attack(t, path, rawRequest('GET', path))
  }
  await siege.holds(t)
})

t.test('no spelling of a query hides a watch, or widens what is read', async (t) => {
  for (const query of [
    'watch',
    'watch=',
    'watch=1',
    'watch=TRUE',
    'watch=yes',
    'watch=0&watch=1',
    'watch=1&watch=0',
    'watch=false&watch=true',
    '%77atch=1',
    'watch=%31',
    'wat%63h=tru%65',
    'limit=1;watch=1',
    'limit=1&&watch=1',
    '&watch=1',
    'watch%3D1',
    'watch=1#',
    'a=b?watch=1',
    'watch=0%26watch=1',
    'watch=0%00',
    'Watch=1',
    'fieldSelector=metadata.name%3Dplain&watch=1',
  ]) {
    await siege.attack(t, query, rawRequest('GET', `/api/v1/namespaces/open/configmaps?${query}`))
  }
  for (const path of ['/api/v1/watch/namespaces/open/configmaps', '/api/v1/watch/namespaces/open/configmaps/plain']) {
    for (const method of ['GET', 'POST', 'HEAD', 'DELETE']) await siege.attack(t, path, rawRequest(method, path))
  }
  await siege.holds(t)
})

t.test('no framing smuggles a second request', async (t) => {
  const post = (...headers: readonly string[]) => [
    'POST /api/v1/namespaces/open/configmaps HTTP/1.1',
    'Host: localhost',
    ...headers,
    '',
    '',
  ]
  const chunked = 'Transfer-Encoding: chunked'
  const length = `Content-Length: ${HIDDEN.length}`
  for (const [name, bytes] of Object.entries({
    'both lengths': lines(...post('Content-Length: 5', chunked), `0\r\n\r\n${HIDDEN}`),
    'both lengths, the other way': lines(...post(chunked, 'Content-Length: 5'), `0\r\n\r\n${HIDDEN}`),
    'two lengths': lines(...post('Content-Length: 0', length), HIDDEN),
    'a list of lengths': lines(...post(`Content-Length: 0, ${HIDDEN.length}`), HIDDEN),
    'a signed length': lines(...post('Content-Length: +0'), HIDDEN),
    'a length in hexadecimal': lines(...post('Content-Length: 0x0'), HIDDEN),
    'a space before the colon': lines(...post('Content-Length : 0'), HIDDEN),
    'a folded header': lines(...post('X: y', ` ${chunked}`), `0\r\n\r\n${HIDDEN}`),
    'a bare line feed': lines(...post(`X: y\n${chunked}`), `0\r\n\r\n${HIDDEN}`),
    'a bare carriage return': lines(...post(`X: y\r${chunked}`), `0\r\n\r\n${HIDDEN}`),
    'a tab in the coding': lines(...post('Transfer-Encoding:\tchunked'), `0\r\n\r\n${HIDDEN}`),
    'two codings': lines(...post('Transfer-Encoding: gzip, chunked'), `0\r\n\r\n${HIDDEN}`),
    'an unknown coding': lines(...post('Transfer-Encoding: xchunked', length), HIDDEN),
    'a coding twice': lines(...post(chunked, 'Transfer-Encoding: identity'), `0\r\n\r\n${HIDDEN}`),
    'a coding in HTTP/1.0': lines(
      'POST /api/v1/namespaces/open/configmaps HTTP/1.0',
      'Host: l',
      chunked,
      '',
      `0\r\n\r\n${HIDDEN}`,
    ),
    'an extension of a chunk': lines(...post(chunked), `0;a="\r\n\r\n${HIDDEN}"\r\n\r\n`),
    'a chunk that is too long to count': lines(...post(chunked), `10000000000000000\r\n${HIDDEN}`),
    'a chunk of a negative size': lines(...post(chunked), `-1\r\n${HIDDEN}`),
    trailers: lines(...post(chunked, 'Trailer: Authorization'), '0\r\nAuthorization: Bearer x\r\n\r\n'),
    'a body of a GET': lines(`GET ${OPEN} HTTP/1.1`, 'Host: localhost', length, '', HIDDEN),
    'a nominated length': lines(...post('Connection: Content-Length', length), HIDDEN),
    'an expectation': lines(...post('Expect: 100-continue', length), HIDDEN),
    'an unknown expectation': lines(...post('Expect: 200-maybe', length), HIDDEN),
    'HTTP/0.9': lines(`GET ${CLOSED}`, ''),
    'HTTP/2 by its preface': Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    'HTTP/1.2': lines(`GET ${CLOSED} HTTP/1.2`, 'Host: localhost', '', ''),
    'a tunnel': lines(`CONNECT 127.0.0.1:${siege.server.port} HTTP/1.1`, 'Host: localhost', '', HIDDEN),
    'a trace': lines(`TRACE ${OPEN} HTTP/1.1`, 'Host: localhost', '', ''),
    'no host': lines(`GET ${OPEN} HTTP/1.1`, '', ''),
    'two hosts': lines(`GET ${OPEN} HTTP/1.1`, 'Host: localhost', 'Host: elsewhere', '', ''),
    'a delete behind a read': lines(`GET ${OPEN} HTTP/1.1`, 'Host: localhost', '', DELETING),
    'a delete in a body without a length': lines(...post(), DELETING),
    'a header with a NUL': lines(`GET ${OPEN} HTTP/1.1`, 'Host: localhost', 'X: a\u0000b', '', ''),
    'a method of more than one word': lines(`GET /x ${OPEN} HTTP/1.1`, 'Host: localhost', '', ''),
  })) {
    await siege.attack(t, name, bytes)
  }
  await siege.holds(t)
})

t.test('no header makes the sidecar act as somebody else, or do something else', async (t) => {
  for (const headers of [
    [['Impersonate-User', 'system:admin']],
    [
      ['impersonate-user', 'system:admin'],
      ['Impersonate-Group', 'system:masters'],
    ],
    [['IMPERSONATE-UID', '1']],
    [['Impersonate-Extra-Scopes', 'all']],
    [['Impersonate_User', 'system:admin']],
    [
      ['X-Remote-User', 'system:admin'],
      ['X-Remote-Group', 'system:masters'],
    ],
    [['X_Remote_User', 'system:admin']],
    [['X-Remote-Extra-A', 'b']],
    [['Authorization', 'Bearer forged']],
    [
      ['Authorization', 'Bearer a'],
      ['Authorization', 'Bearer b'],
    ],
    [['Authorization', `Basic ${Buffer.from('admin:admin').toString('base64')}`]],
    [['Cookie', 'token=x']],
    [['Proxy-Authorization', 'Bearer x']],
    [['Connection', 'Authorization']],
    [['Connection', 'keep-alive, Authorization, Accept, Audit-ID']],
    [['X-HTTP-Method-Override', 'DELETE']],
    [
      ['X-HTTP-Method', 'DELETE'],
      ['X-Method-Override', 'DELETE'],
    ],
    [
      ['X-Original-URL', CLOSED],
      ['X-Rewrite-URL', CLOSED],
    ],
    [
      ['X-Forwarded-For', '127.0.0.1'],
      ['X-Forwarded-Uri', CLOSED],
      ['Forwarded', 'for=127.0.0.1'],
    ],
    [['Audit-ID', 'forged']],
    [
      ['Upgrade', 'h2c'],
      ['Connection', 'Upgrade, HTTP2-Settings'],
      ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
    ],
    [['Accept', 'application/vnd.kubernetes.protobuf']],
    [['Accept-Encoding', 'gzip']],
    [['Range', 'bytes=0-10']],
  ] as const) {
    const name = headers.map((header) => header.join(': ')).join(', ')
    for (const path of [OPEN, CLOSED]) {
      const told = await siege.attack(t, `${name} ${path}`, rawRequest('GET', path, headers))
      if (path === CLOSED) t.notMatch(told, 'HTTP/1.1 200')
    }
  }
  t.notOk(
    siege.server.audit().some(({ auditID }) => auditID === 'forged'),
    'nobody else names what is audited',
  )
  await siege.holds(t)
})

t.test('a connection that is upgraded is no way around', async (t) => {
  const websocket = (subprotocol: string) =>
    [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', Buffer.from('0123456789abcdef').toString('base64')],
      ['Sec-WebSocket-Protocol', subprotocol],
      ['Origin', 'https://localhost'],
    ] as const
  const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(siege.server.tokens.admin).toString('base64url')}`
  for (const path of [
    OPEN,
    CLOSED,
    '/api/v1/namespaces/open/configmaps?watch=1',
    '/api/v1/namespaces/open/secrets?watch=1',
    '/api/v1/namespaces/closed/secrets?watch=1',
    '/api/v1/namespaces/closed/pods/p/exec?command=sh&stdin=true&stdout=true',
    '/api/v1/namespaces/closed/pods/p/portforward',
    '/api/v1/namespaces/closed/pods/p/log?follow=1',
    '/api/v1/nodes/n/proxy/exec',
  ]) {
    for (const subprotocol of ['v5.channel.k8s.io', 'base64.binary.k8s.io', `${bearer}, binary.k8s.io`]) {
      const told = await siege.attack(t, `${subprotocol} ${path}`, [
        rawRequest('GET', path, websocket(subprotocol)),
        Buffer.from(HIDDEN),
      ])
      t.notMatch(told, /HTTP\/1\.1 101[^]*"kind":"Secret/)
    }
    const spdy = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'SPDY/3.1'],
    ] as const
    t.notMatch(await siege.attack(t, `SPDY ${path}`, rawRequest('POST', path, spdy)), 'HTTP/1.1 101')
  }
  await siege.holds(t)
})

t.test('a dry run that the API server takes no notice of is judged as what it does', async (t) => {
  const { policy } = siege.target
  const before = policy.rule
  t.teardown(() => void (policy.rule = before))
  policy.rule = (question) => (question.command.shape.detail['dryRun'] === true ? ALLOW : before(question))
  const body = '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}'
  const path = '/api/v1/namespaces/open/serviceaccounts/default/token?dryRun=All'
  const { status, body: made } = await siege.server.call('POST', path, JSON.parse(body) as object)
  t.match({ status, made }, { status: 201, made: /"token":"ey/ }, 'a token is made, whatever is asked')
  const told = await siege.attack(t, path, rawRequest('POST', path, [['Content-Type', 'application/json']], body))
  t.match(told, '[test.refused]')
})
