/** A bare TCP relay in Node, as a program: what any proxy in Node costs before it does anything. `relay.ts PORT TARGET-PORT` */
import { connect, createServer } from 'node:net'

const [port, target] = process.argv.slice(2).map(Number)

const server = createServer({ noDelay: true }, (agent) => {
  const upstream = connect({ host: '127.0.0.1', port: target ?? 0, noDelay: true })
  agent.on('data', (chunk) => {
    if (!upstream.write(chunk)) agent.pause()
  })
  upstream.on('data', (chunk) => {
    if (!agent.write(chunk)) upstream.pause()
  })
  agent.on('drain', () => upstream.resume())
  upstream.on('drain', () => agent.resume())
  agent.on('error', () => upstream.destroy())
  upstream.on('error', () => agent.destroy())
  agent.on('close', () => upstream.destroy())
  upstream.on('close', () => agent.destroy())
})
server.listen(port ?? 0, '127.0.0.1', () => console.log('listening'))
