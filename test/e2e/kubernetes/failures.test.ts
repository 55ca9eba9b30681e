/** What agents of a cluster are told when a part fails: a Status with its code, and never half an answer as a whole one. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ALLOW, deny } from '../../support/fakes.ts'
import { call, type KubernetesServer, startKubernetes } from '../../support/kubernetes.ts'
import { RawHttp, type RawAnswer, rawRequest } from '../../support/kubernetes-raw.ts'
import { type KubernetesTarget, startKubernetesTarget } from '../../support/kubernetes-target.ts'

t.setTimeout(120_000)

const MAPS = '/api/v1/namespaces/shop/configmaps'
const WATCH = `${MAPS}?watch=1`

const server = await startKubernetes()
t.teardown(() => server.stop())
await server.namespace('shop')

async function targetFor(
  t: Test,
  options: Parameters<typeof startKubernetesTarget>[1] = {},
  to: KubernetesServer = server,
) {
  const target = await startKubernetesTarget(to, options)
  t.teardown(() => target.close())
  return target
}

async function ask(target: KubernetesTarget, bytes: Buffer, method = 'GET'): Promise<RawAnswer | null> {
  const connection = await RawHttp.connect(target)
  connection.send(bytes)
  const answer = await connection.answer(method)
  connection.close()
  return answer
}

/** The answer is a Status that client libraries understand, says the code, and asks for no retry. */
function tells(t: Test, answer: RawAnswer | null, http: number, code: string): void {
  t.equal(answer?.status, http)
  t.equal(answer?.headers.get('content-type'), 'application/json')
  t.notOk(answer?.headers.has('retry-after'), 'client-go would ask ten times more')
  const status = JSON.parse(answer?.body ?? '{}') as { message: string }
  t.match(status, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: http })
  t.match(status.message, `[${code}]`)
}

t.test('without a policy everything is refused as unavailable, and works once there is one', async (t) => {
  const target = await targetFor(t)
  target.policy.failed = true
  target.policy.rule = () => deny('policy.unavailable')
  tells(t, await ask(target, rawRequest('GET', MAPS)), 503, 'policy.unavailable')
  target.policy.rule = () => deny('policy.error')
  tells(t, await ask(target, rawRequest('GET', MAPS)), 403, 'policy.error')
  target.policy.failed = false
  target.policy.rule = () => ALLOW
  t.equal((await ask(target, rawRequest('GET', MAPS)))?.status, 200)
})

t.test('what is too large, or cannot be read, is refused as that', async (t) => {
  const target = await targetFor(t, { config: { limits: { body: '1KiB' } } })
  const large = JSON.stringify({ metadata: { name: 'large' }, data: { a: 'x'.repeat(2_000) } })
  const json = [['Content-Type', 'application/json']] as const
  tells(t, await ask(target, rawRequest('POST', MAPS, json, large)), 413, 'command.too-large')
  const chunk = `${large.length.toString(16)}\r\n${large}\r\n`
  const chunked = rawRequest('POST', MAPS, [...json, ['Transfer-Encoding', 'chunked']])
  tells(t, await ask(target, Buffer.concat([chunked, Buffer.from(chunk)])), 413, 'command.too-large')
  tells(t, await ask(target, rawRequest('POST', MAPS, json, '{')), 400, 'command.unparsable')
  const csv = [['Content-Type', 'text/csv']] as const
  tells(t, await ask(target, rawRequest('POST', MAPS, csv, 'a,b')), 415, 'command.media-type')
  tells(t, await ask(target, rawRequest('GET', `${MAPS}//x`)), 400, 'command.unparsable')
})

t.test('what cannot be recorded is not forwarded, and goes on when it can', async (t) => {
  const target = await targetFor(t)
  t.equal((await ask(target, rawRequest('GET', MAPS)))?.status, 200)
  const connection = await RawHttp.connect(target)
  connection.send(rawRequest('GET', MAPS))
  await connection.answer()
  target.record.fail('record.unavailable')
  connection.send(rawRequest('GET', `${MAPS}/unrecorded`))
  tells(t, await connection.answer(), 503, 'record.unavailable')
  target.record.failure = null
  t.notOk(server.audit().some(({ requestURI }) => requestURI.includes('unrecorded')))
  t.equal((await ask(target, rawRequest('GET', MAPS)))?.status, 200)
})

t.test('too many requests at once are refused, and those that wait are served', async (t) => {
  const target = await targetFor(t, { config: { limits: { requests: 2 } } })
  const watches = await Promise.all([RawHttp.connect(target), RawHttp.connect(target)])
  for (const watch of watches) {
    watch.send(rawRequest('GET', WATCH))
    t.ok(await watch.until(/200 OK/))
  }
  tells(t, await ask(target, rawRequest('GET', MAPS)), 403, 'session.limit')
  watches[0]?.close()
  for (let turn = 0; turn < 100 && target.record.outcomes.length === 0; turn++) await sleep(20)
  t.equal((await ask(target, rawRequest('GET', MAPS)))?.status, 200)
  watches[1]?.close()
})

t.test('an agent that leaves takes its watch with it, and it is on record as cancelled', async (t) => {
  const target = await targetFor(t)
  const watch = await RawHttp.connect(target)
  watch.send(rawRequest('GET', `${WATCH}&labelSelector=leaving`))
  t.ok(await watch.until(/200 OK/))
  watch.close()
  for (let turn = 0; turn < 100 && target.record.outcomes.length === 0; turn++) await sleep(20)
  t.match(target.record.outcomes, [{ outcome: { status: 'cancelled' } }])
  const ended = () => server.audit().some(({ requestURI }) => requestURI.includes('labelSelector=leaving'))
  for (let turn = 0; turn < 100 && !ended(); turn++) await sleep(20)
  t.ok(ended(), 'the API server has ended it too')
})

t.test('a watch that policy no longer permits ends in an event that says why', async (t) => {
  const target = await targetFor(t)
  const watch = await RawHttp.connect(target)
  watch.send(rawRequest('GET', WATCH))
  t.ok(await watch.until(/200 OK/))
  target.policy.change(() => deny('test.refused'))
  const answer = await watch.answer()
  const last = JSON.parse(answer?.body.trim().split('\n').at(-1) ?? '{}') as object
  t.match(last, { type: 'ERROR', object: { kind: 'Status', code: 403 } })
  t.match(answer?.body, '[policy.revoked]')
})

t.test('an agent that does not read holds up nothing but itself', async (t) => {
  const target = await targetFor(t)
  const data = { value: 'x'.repeat(500_000) }
  await server.namespace('large')
  for (let index = 0; index < 20; index++) {
    await server.call('POST', '/api/v1/namespaces/large/configmaps', { metadata: { name: `large-${index}` }, data })
  }
  // A socket of its own: what reads answers would gather them in one piece, which takes its time.
  const slow = await RawHttp.connect(target)
  slow.socket.removeAllListeners('data').pause()
  slow.send(rawRequest('GET', '/api/v1/namespaces/large/configmaps'))
  await sleep(300)
  const list = await call({ ...target, token: 'worthless' }, 'GET', '/api/v1/namespaces/large/configmaps')
  t.equal((JSON.parse(list.body) as { items: object[] }).items.length, 20)
  t.equal(target.record.outcomes.length, 1, 'the slow one is still under way')
  let bytes = 0
  slow.socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume()
  for (let turn = 0; turn < 200 && target.record.outcomes.length < 2; turn++) await sleep(20)
  t.match(target.record.outcomes[1], { outcome: { status: 'completed', bytes: Buffer.byteLength(list.body) } })
  for (let turn = 0; turn < 200 && bytes < list.body.length; turn++) await sleep(20)
  t.ok(bytes > list.body.length, 'it has it whole')
  slow.close()
})

t.test('an API server that goes away breaks off what it was sending, and is told of', async (t) => {
  const other = await startKubernetes()
  await other.namespace('shop')
  const target = await targetFor(t, {}, other)
  const watch = await RawHttp.connect(target)
  watch.send(rawRequest('GET', WATCH))
  t.ok(await watch.until(/200 OK/))
  await other.stop()
  t.equal(await watch.answer(), null, 'no end of the body: the client knows that something is missing')
  tells(t, await ask(target, rawRequest('GET', MAPS)), 503, 'upstream.unavailable')
  for (let turn = 0; turn < 100 && target.record.outcomes.length < 2; turn++) await sleep(20)
  t.match(
    target.record.outcomes.map(({ outcome }) => outcome.status),
    ['lost', 'lost'],
  )
})
