import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import type { Connection } from '../../src/net/connection.ts'
import { isLoopback, Listener, WAITING_ROOM } from '../../src/net/listener.ts'
import { adopt, type Leg } from '../../src/net/leg.ts'

type Serve = (connection: Connection) => Promise<void>

async function listening(connections: number, serve: Serve) {
  const failures: Error[] = []
  const failed = (error: Error) => void failures.push(error)
  const listener = new Listener({ host: '127.0.0.1', port: 0, connections, serve, failed })
  const port = await listener.listen()
  return { listener, port, failures, dial: () => connect({ port, host: '127.0.0.1' }).on('error', () => {}) }
}

/** Echoes until the agent ends, or until the sidecar wants it to. */
function echo(connection: Connection): Promise<void> {
  return new Promise((resolve) => {
    const leg: Leg = adopt(
      connection.socket,
      {
        chunk: (bytes) => leg.write(Buffer.from(bytes)),
        end: () => leg.end(),
        drain: () => {},
        close: () => resolve(),
      },
      { inFlight: 65_536 },
    )
    connection.signal.addEventListener('abort', () => leg.end(Buffer.from('bye')))
  })
}

async function say(socket: Socket, word: string): Promise<string> {
  socket.write(word)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

t.test('connections are served side by side and counted', async (t) => {
  const { listener, dial } = await listening(10, echo)
  const sockets = [dial(), dial(), dial()]
  t.same(await Promise.all(sockets.map((socket, index) => say(socket, `word ${index}`))), [
    'word 0',
    'word 1',
    'word 2',
  ])
  t.match(listener.counts, { accepted: 3, active: 3, refused: 0 })
  for (const socket of sockets) socket.destroy()
  await listener.close(1_000)
  t.equal(listener.counts.active, 0)
})

t.test('the connection says who is there and that it is on the loopback', async (t) => {
  const seen = Promise.withResolvers<Connection>()
  const { listener, port, dial } = await listening(1, async (connection) => seen.resolve(connection))
  const socket = dial()
  await once(socket, 'connect')
  const connection = await seen.promise
  t.match(connection, { destination: { address: '127.0.0.1', port }, peer: { address: '127.0.0.1' }, local: true })
  t.equal(connection.peer.port, socket.localPort)
  await listener.close(100)
})

t.test('a connection over the cap is served as soon as a place is free', async (t) => {
  const { listener, dial } = await listening(1, echo)
  const first = dial()
  t.equal(await say(first, 'one'), 'one')
  const second = dial()
  const answer = say(second, 'two')
  await until(() => listener.counts.waiting === 1)
  first.destroy()
  t.equal(await answer, 'two')
  t.match(listener.counts, { accepted: 2, refused: 0, waiting: 0 })
  second.destroy()
  await listener.close(1_000)
})

t.test('a connection over the cap is closed unserved when no place gets free, and is counted', async (t) => {
  const { listener, dial } = await listening(1, echo)
  const first = dial()
  await say(first, 'one')
  const others = Array.from({ length: WAITING_ROOM + 1 }, () => dial().resume())
  await Promise.race(others.map((other) => once(other, 'close')))
  t.equal(listener.counts.refused, 1, 'the room for waiting is bounded')
  await Promise.all(others.filter((other) => !other.closed).map((other) => once(other, 'close')))
  t.match(listener.counts, { accepted: 1, active: 1, refused: WAITING_ROOM + 1, waiting: 0 })
  first.destroy()
  await listener.close(1_000)
})

t.test('closing lets sessions end by themselves', async (t) => {
  const { listener, dial } = await listening(5, echo)
  const socket = dial()
  await say(socket, 'one')
  const closing = listener.close(5_000)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  t.equal(bytes.toString(), 'bye')
  socket.end()
  await closing
})

t.test('closing ends sessions that do not end by themselves, when its patience is over', async (t) => {
  const { listener, dial } = await listening(5, (connection) => {
    return new Promise((resolve) => {
      const nothing = () => {}
      const handlers = { chunk: nothing, end: nothing, drain: nothing, close: () => resolve() }
      adopt(connection.socket, handlers, { inFlight: 65_536 })
    })
  })
  const socket = dial()
  await once(socket, 'connect')
  await until(() => listener.counts.active === 1)
  const started = Date.now()
  await listener.close(50)
  t.ok(Date.now() - started < 1_000)
})

t.test('a session that fails is reported, its connection closed, and the next one is served', async (t) => {
  let count = 0
  const { listener, dial, failures } = await listening(1, (connection) => {
    if (count++ === 0) throw new Error('broken')
    return echo(connection)
  })
  await once(dial().resume(), 'close')
  t.match(failures, [{ message: 'broken' }])
  const second = dial()
  t.equal(await say(second, 'two'), 'two')
  second.destroy()
  await listener.close(1_000)
})

t.test('a taken port is a coded error that names it', async (t) => {
  const { listener, port } = await listening(1, echo)
  const other = new Listener({ host: '127.0.0.1', port, connections: 1, serve: echo, failed: () => {} })
  await t.rejects(other.listen(), { code: 'net.listen', message: new RegExp(`127.0.0.1:${port}`) })
  await listener.close(0)
})

t.test('loopback is known in all its spellings and nothing else is', async (t) => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST']) {
    t.ok(isLoopback(host), host)
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.evil.example',
    'localhost.evil.example',
    '::ffff:10.0.0.1',
    '',
  ]) {
    t.notOk(isLoopback(host), host)
  }
})

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  if (!condition()) throw new Error('it never came to be')
}
