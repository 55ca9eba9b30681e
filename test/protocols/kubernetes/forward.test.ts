/** What reaches the API server of a permitted request, and how often: against one that closes, stalls and rejects. */
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { ALLOW, deny, FakePolicy, FakeRecord } from '../../support/fakes.ts'
import { rawRequest } from '../../support/kubernetes-raw.ts'
import { answered, place } from './place.ts'

t.setTimeout(60_000)

const LIST = '/api/v1/namespaces/a/configmaps'

t.test('a read is asked once more where the API server closed the connection just then', async (t) => {
  const { asked, agent, target } = await place(t, (request, response, times) => {
    if (times === 2) request.socket.destroy()
    else answered(request, response, times)
  })
  for (const name of ['x', 'y']) {
    agent.send(rawRequest('GET', `${LIST}/${name}`))
    t.equal((await agent.answer())?.status, 200)
  }
  t.equal(asked.length, 3)
  t.same(
    target.record.outcomes.map(({ outcome }) => outcome.status),
    ['completed', 'completed'],
  )
})

t.test('whatever may change something is never asked twice, and a read not a third time', async (t) => {
  const { asked, agent, target } = await place(t, (request) => void request.socket.destroy())
  const body = '{"metadata":{"name":"x"}}'
  const cases = [
    ['POST', LIST, body, 1],
    ['DELETE', `${LIST}/x`, '', 1],
    ['GET', '/api/v1/namespaces/a/services/x/proxy/metrics', '', 1],
    ['GET', LIST, '', 2],
  ] as const
  for (const [method, path, content, times] of cases) {
    asked.length = 0
    agent.send(rawRequest(method, path, content === '' ? [] : [['Content-Type', 'application/json']], content))
    const answer = await agent.answer()
    t.match(answer, { status: 503, body: /upstream\.unavailable/ }, `${method} ${path}`)
    t.notOk(answer?.headers.has('retry-after'), 'client libraries would ask ten times more')
    t.equal(asked.length, times, `${method} ${path}`)
  }
  t.ok(target.record.outcomes.every(({ outcome }) => outcome.status === 'lost'))
})

t.test('a 401 of what stands behind a proxy is its own, and passed on', async (t) => {
  const { asked, agent } = await place(t, (_request, response) => void response.writeHead(401).end('log in there'))
  agent.send(rawRequest('GET', '/api/v1/namespaces/a/services/x/proxy/metrics'))
  t.match(await agent.answer(), { status: 401, body: 'log in there' })
  t.equal(asked.length, 1)
  agent.send(rawRequest('GET', LIST))
  t.match(await agent.answer(), { status: 503, body: /upstream\.rejected/ })
  t.equal(asked.length, 2, 'the same token is not sent twice')
})

t.test(
  'a watch that ends within an event is broken off, and says nothing that would become a part of it',
  async (t) => {
    const whole = '{"type":"ADDED","object":{}}\n'
    for (const [sent, ends] of [
      [whole, /"type":"ERROR".*policy\.revoked.*\n\r\n0\r\n\r\n$/],
      [`${whole}{"type":"ADDED","obj`, /"obj\r\n$/],
    ] as const) {
      const { agent, target } = await place(t, (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.write(sent)
      })
      agent.send(rawRequest('GET', `${LIST}?watch=true`))
      t.ok(await agent.until(/ADDED/))
      target.policy.change(() => deny('other'))
      t.ok(await agent.until(ends))
      if (!sent.endsWith('\n')) {
        while (!agent.ended) await new Promise((resolve) => setTimeout(resolve, 5))
        t.match(agent.rest.toString(), ends, 'nothing follows')
      }
      t.match(target.record.outcomes[0]?.outcome, { status: 'refused', code: 'policy.revoked' })
    }
  },
)

t.test(
  'what comes packed though nobody asked for that is told as that, and is nothing that could be masked',
  async (t) => {
    const packed = gzipSync('{"kind":"ConfigMap","apiVersion":"v1"}')
    const { agent, target } = await place(t, (request, response) => {
      t.equal(request.headers['accept-encoding'], 'identity')
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(packed)
    })
    agent.send(rawRequest('GET', '/api/v1/namespaces/a/services/x/proxy/metrics', [['Accept-Encoding', 'gzip']]))
    t.equal((await agent.answer())?.headers.get('content-encoding'), 'gzip')
    target.policy.rule = () => ({
      ...ALLOW,
      masks: [{ column: null, detector: null, path: 'data.*', with: 'redact', policy: 'policy.test' }],
    })
    for (const path of [`${LIST}/x`, LIST, `${LIST}?watch=true`]) {
      agent.send(rawRequest('GET', path))
      t.match(await agent.answer(), { status: 403, body: /obligation\.unsupported/ }, path)
    }
  },
)

t.test('warnings beside a change are withheld where they could quote masked values, and nowhere else', async (t) => {
  const { agent, target } = await place(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', warning: '299 - "it was: hidden"' })
    response.end('{"kind":"ConfigMap","apiVersion":"v1"}')
  })
  const masks = [{ column: null, detector: null, path: 'data.*', with: 'redact', policy: 'policy.test' }] as const
  for (const [method, decision, shown] of [
    ['PUT', ALLOW, /it was/],
    ['GET', { ...ALLOW, masks }, /it was/],
    ['PUT', { ...ALLOW, masks }, /withheld/],
    ['DELETE', { ...ALLOW, masks }, /withheld/],
  ] as const) {
    target.policy.rule = () => decision
    const body = method === 'PUT' ? '{"metadata":{"name":"x"}}' : ''
    agent.send(rawRequest(method, `${LIST}/x`, [['Content-Type', 'application/json']], body))
    const answer = await agent.answer()
    t.equal(answer?.status, 200)
    t.match(answer?.headers.get('warning'), shown, method)
    if (shown.source === 'withheld') t.notMatch(answer?.headers.get('warning'), 'hidden')
  }
})

t.test('a change of policy between a decision and its record ends a watch before it begins', async (t) => {
  const policy = new FakePolicy()
  const record = new FakeRecord()
  record.automatic = false
  const { asked, agent } = await place(t, answered, { policy, record })
  agent.send(rawRequest('GET', `${LIST}?watch=true`))
  while (record.decisions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  policy.change(() => deny('other'))
  record.flush()
  t.match(await agent.answer(), { status: 403, body: /policy\.revoked/ })
  t.same(asked, [])
  t.match(record.outcomes[0]?.outcome, { status: 'skipped', code: 'policy.revoked' })
  policy.change(() => ALLOW)
})
