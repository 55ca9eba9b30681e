/** The agent's side of HTTP: who is slow, who does not wait, and who breaks off. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RawHttp, rawRequest } from '../../../support/kubernetes-raw.ts'
import { answered, place, type Serve } from '../place.ts'

t.setTimeout(60_000)

const LIST = '/api/v1/namespaces/a/configmaps'
const EXEC = '/api/v1/namespaces/a/pods/p/exec?command=ls&stdout=true'
const UPGRADE = rawRequest('GET', EXEC, [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'MDEyMzQ1Njc4OWFiY2RlZg=='],
  ['Sec-WebSocket-Protocol', 'v5.channel.k8s.io'],
])

/** Answers what is released, in whatever order that is. */
function slowly(): { readonly serve: Serve; release(path: string): Promise<void> } {
  const waiting = new Map<string, () => void>()
  return {
    serve: (request, response) => void waiting.set(request.url ?? '', () => response.end('{}')),
    async release(path) {
      while (!waiting.has(path)) await sleep(5)
      waiting.get(path)?.()
    },
  }
}

async function ended(t: Test, agent: RawHttp, title: string): Promise<void> {
  for (let tries = 0; !agent.ended && tries < 1_000; tries++) await sleep(5)
  t.ok(agent.ended, title)
}

t.test('a connection on which no request comes, or only a part of one, keeps no place', async (t) => {
  const { target, agent } = await place(t, answered, { config: { limits: { handshake: '300ms' } } })
  const half = await RawHttp.connect(target)
  t.teardown(() => half.close())
  half.send(Buffer.from(`GET ${LIST} HTTP/1.1\r\nHost: local`))
  for (const connection of [agent, half]) {
    t.equal((await connection.answer())?.status, 408)
    await ended(t, connection, 'and the connection ends')
  }
  t.same(target.record.decisions, [])
})

t.test('every header is read, however many there are', async (t) => {
  const { asked, agent } = await place(t, answered)
  const many = Array.from({ length: 2_500 }, (_, index) => [`h${index}`, ''] as const)
  agent.send(rawRequest('GET', LIST, [...many, ['Impersonate-User', 'admin']]))
  t.match(await agent.answer(), { status: 403, body: /the header impersonate-user is not offered/ })
  t.same(asked, [])
})

t.test('what one connection asks for is done in its order, whatever takes longer', async (t) => {
  const { serve, release } = slowly()
  const { asked, agent, target } = await place(t, serve)
  agent.send(Buffer.concat([rawRequest('DELETE', `${LIST}/x`), rawRequest('GET', `${LIST}/x?pretty=1`)]))
  await release(`${LIST}/x`)
  t.equal(asked.length, 1)
  t.equal(target.record.decisions.length, 1, 'the next is judged when its turn comes')
  await release(`${LIST}/x?pretty=1`)
  t.equal((await agent.answer())?.status, 200)
  t.equal((await agent.answer())?.status, 200)
  t.same(
    asked.map((line) => line.split(' ')[0]),
    ['DELETE', 'GET'],
  )
})

t.test('a connection becomes nothing else while answers are still to come on it', async (t) => {
  const { serve, release } = slowly()
  const { asked, agent, target } = await place(t, serve)
  agent.send(Buffer.concat([rawRequest('GET', LIST), UPGRADE]))
  await release(LIST)
  t.equal((await agent.answer())?.status, 200)
  t.match(await agent.answer(), { status: 400, body: /command\.unparsable/ })
  t.equal(asked.length, 1, 'it was not asked for')
  t.equal(target.record.decisions.at(-1)?.refusal?.code, 'command.unparsable', 'and that is on record')
})

t.test('requests that waited for their turn are over with their connection', async (t) => {
  const { serve, release } = slowly()
  const { agent, target } = await place(t, serve, { config: { limits: { requests: 3 } } })
  const paths = [`${LIST}/a`, `${LIST}/b`, `${LIST}/c`]
  const requests = paths.map((path) => rawRequest('GET', path))
  agent.send(Buffer.concat([...requests, Buffer.from('CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere\r\n\r\n')]))
  await ended(t, agent, 'a tunnel is not offered')
  const others = await Promise.all(paths.map(() => RawHttp.connect(target)))
  t.teardown(() => others.forEach((other) => other.close()))
  others.forEach((other, index) => other.send(requests[index] as Buffer))
  for (const [index, other] of others.entries()) {
    await release(paths[index] as string)
    t.equal((await other.answer())?.status, 200, 'there is a place again')
  }
})

t.test('what follows an answer and is no HTTP breaks it off, and adds nothing to it', async (t) => {
  const { agent } = await place(t, (_request, response) => {
    response.writeHead(200, { 'content-length': 1_000 })
    response.write('{')
  })
  agent.send(rawRequest('GET', LIST))
  t.ok(await agent.until(/\r\n\r\n\{$/))
  agent.send(Buffer.from('this is no HTTP\r\n\r\n'))
  await ended(t, agent, 'the connection ends')
  t.match(agent.rest.toString(), /\{$/)
})
