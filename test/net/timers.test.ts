import { createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { drained, forward } from '../../src/net/flow.ts'
import { adopt, dial, type Handlers } from '../../src/net/leg.ts'
import { deadline, watchIdle } from '../../src/net/timers.ts'

const SILENT: Handlers = { chunk: () => {}, end: () => {}, drain: () => {}, close: () => {} }

async function pair() {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepting = once(server, 'connection') as Promise<[Socket]>
  const { port } = server.address() as AddressInfo
  const near = await dial({ host: '127.0.0.1', port, timeout: 1_000 }, SILENT, { inFlight: 65_536 })
  const [far] = await accepting
  server.close()
  return { near, far }
}

t.test('a deadline calls back once after its time, and never when it was called off or is zero', async (t) => {
  let calls = 0
  const called = () => calls++
  deadline(5, called)
  deadline(5, called)()
  deadline(0, called)
  await delay(40)
  t.equal(calls, 1)
})

t.test('a leg with traffic is not idle, and one without is', async (t) => {
  const { near, far } = await pair()
  far.resume()
  const started = Date.now()
  const idle = new Promise<number>((resolve) =>
    watchIdle(
      () => [near],
      80,
      () => resolve(Date.now() - started),
    ),
  )
  for (let i = 0; i < 10; i++) {
    near.write(Buffer.from('x'))
    await delay(20)
  }
  const keepsAlive = setTimeout(() => {}, 2_000)
  t.ok((await idle) >= 200)
  clearTimeout(keepsAlive)
  near.destroy()
  far.destroy()
})

t.test('a fast source is paused while its sink is slow, and what waits stays bounded', async (t) => {
  const producer = await pair()
  const consumer = await pair()
  let mostWaiting = 0
  const heard = Promise.withResolvers<null>()
  producer.near.handlers = {
    ...SILENT,
    chunk(bytes) {
      forward(producer.near, consumer.near, Buffer.from(bytes))
      mostWaiting = Math.max(mostWaiting, consumer.near.waiting)
    },
    end: () => consumer.near.end(),
  }
  consumer.near.handlers = { ...SILENT, drain: () => drained(producer.near) }
  const total = 32 * 1024 * 1024
  producer.far.end(Buffer.alloc(total, 'x'))
  await delay(50)
  t.ok(producer.near.paused, 'nobody reads at the far end yet')
  let received = 0
  adopt(
    consumer.far,
    { ...SILENT, chunk: (bytes) => void (received += bytes.length), end: () => heard.resolve(null) },
    { inFlight: 65_536 },
  )
  await heard.promise
  t.equal(received, total)
  t.ok(mostWaiting <= 2 * 65_536, `${mostWaiting} bytes waited at most`)
  for (const leg of [producer.near, consumer.near]) leg.destroy()
  producer.far.destroy()
})

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
