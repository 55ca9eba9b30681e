import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import t from 'tap'
import { endWith } from '../../../../src/protocols/kubernetes/transport/answer.ts'

t.setTimeout(20_000)

t.test('an agent that is told the last word of a connection and never leaves keeps no place', async (t) => {
  const closed = Promise.withResolvers<void>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('close', () => closed.resolve()).resume()
    endWith(socket, 'goodbye')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const agent = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => {
    agent.destroy()
    server.close()
  })
  let told = ''
  agent.on('data', (bytes) => (told += bytes.toString()))
  await once(agent, 'end')
  t.equal(told, 'goodbye')
  await closed.promise
})
