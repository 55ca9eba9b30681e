/** A sidecar that is told to stop, with agents before it. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ALLOW, approve, FakeApproval, FakePolicy } from '../../support/fakes.ts'
import { RawHttp, rawRequest } from '../../support/kubernetes-raw.ts'
import { startKubernetesTarget } from '../../support/kubernetes-target.ts'
import { place } from './place.ts'
import { startFakeApiServer, until, upgrade } from './streams/wire.ts'

t.setTimeout(60_000)

const LIST = '/api/v1/namespaces/a/configmaps'
/** As long as the sidecar has for it (src/commands/run/sidecar.ts). */
const PATIENCE_MS = 10_000
const AT_ONCE_MS = 3_000

async function connected(t: Test, target: Awaited<ReturnType<typeof place>>['target']): Promise<RawHttp> {
  const connection = await RawHttp.connect(target)
  t.teardown(() => connection.close())
  return connection
}

async function ended(t: Test, agent: RawHttp, title: string): Promise<void> {
  await until(title, () => agent.ended)
  t.pass(title)
}

t.test('what ends soon may end, what goes on is told at once, and who does nothing is left', async (t) => {
  const {
    agent: slow,
    asked,
    target,
  } = await place(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    if (request.url?.includes('watch') === true) response.write('{"type":"BOOKMARK","object":{}}\n')
    else void sleep(500).then(() => response.end('{}'))
  })
  const [idle, watch] = [await connected(t, target), await connected(t, target)]
  watch.send(rawRequest('GET', `${LIST}?watch=1`))
  t.ok(await watch.until(/BOOKMARK/))
  slow.send(Buffer.concat([rawRequest('GET', `${LIST}/slow`), rawRequest('DELETE', `${LIST}/behind`)]))
  await until('it is asked', () => asked.length === 2)
  const since = Date.now()
  const closed = target.close(PATIENCE_MS)
  await ended(t, idle, 'the idle one ends')
  t.ok(await watch.until(/"type":"ERROR".*shutting down/))
  await ended(t, watch, 'and the watch')
  t.equal((await slow.answer())?.status, 200)
  t.match(await slow.answer('DELETE'), { status: 403, body: /shutting down/ }, 'nothing more is begun')
  await ended(t, slow, 'and the slow one')
  await closed
  t.ok(Date.now() - since < AT_ONCE_MS, 'nobody else is waited for')
  t.equal(asked.length, 2)
  t.same(target.record.outcomes.map(({ outcome }) => outcome.status).toSorted(), ['completed', 'refused'])
})

t.test('what does not end by itself is told in time: requests, those that wait for people, and streams', async (t) => {
  const approval = new FakeApproval()
  const policy = new FakePolicy()
  policy.rule = ({ command }) => (command.shape.detail['name'] === 'held' ? approve('change') : ALLOW)
  const { agent: stuck, asked, target } = await place(t, () => {}, { approval, policy })
  const held = await connected(t, target)
  stuck.send(rawRequest('GET', `${LIST}/stuck`))
  held.send(rawRequest('GET', `${LIST}/held`))
  await until('it is asked, and people are', () => asked.length === 1 && approval.holds.length === 1)
  const server = await startFakeApiServer()
  t.teardown(() => server.close())
  const other = await startKubernetesTarget(server)
  const { peer } = await upgrade(other)
  await until('it runs', () => server.peers.length === 1)
  const closed = Promise.all([target.close(PATIENCE_MS), other.close(PATIENCE_MS)])
  for (const agent of [stuck, held]) {
    t.match(await agent.answer('GET', PATIENCE_MS), { status: 403, body: /\[session\.limit\].*shutting down/ })
  }
  await until('the stream is told', () => peer?.ended === true)
  t.match(peer?.on(2), /\[session\.limit\].*shutting down/)
  await closed
  t.equal(asked.length, 1)
})
