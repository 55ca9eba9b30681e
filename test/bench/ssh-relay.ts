/**
 * A bare relay of SSH, as a program: ssh2's server before ssh2's client and nothing between them, what any two-legged proxy on
 * it costs before it does anything. `ssh-relay.ts PORT TARGET-PORT TARGET-USER TARGET-KEY HOST-KEY`
 */
import { readFileSync } from 'node:fs'
import ssh2, { type Client, type ClientChannel, type ServerChannel } from 'ssh2'
import { ALGORITHMS } from '../../src/protocols/ssh/algorithms.ts'

const [port = '0', target = '0', username = '', keyFile = '', hostKeyFile = ''] = process.argv.slice(2)
const privateKey = readFileSync(keyFile)

function join(agent: ServerChannel, upstream: ClientChannel): void {
  agent.pipe(upstream)
  upstream.pipe(agent, { end: false })
  upstream.stderr.pipe(agent.stderr, { end: false })
  let status: number | null = null
  upstream.on('exit', (code: number | null) => (status = code))
  upstream.on('close', () => {
    agent.exit(status ?? 1)
    agent.end()
  })
  agent.on('close', () => upstream.close())
}

const server = new ssh2.Server({ hostKeys: [readFileSync(hostKeyFile)], algorithms: ALGORITHMS }, (agent) => {
  const upstream = new ssh2.Client()
  const ready = new Promise<void>((resolve) => upstream.once('ready', resolve))
  upstream.once('ready', () => upstream.setNoDelay(true))
  // Missing in the package of types.
  agent.once('ready', () => (agent as unknown as Client).setNoDelay(true))
  upstream.on('error', () => agent.end())
  upstream.on('close', () => agent.end())
  agent.on('error', () => upstream.end())
  agent.on('close', () => upstream.end())
  agent.on('authentication', (context) => context.accept())
  agent.on('session', (accept) => {
    const session = accept()
    session.on('exec', (take, _, { command }) => {
      const channel = take()
      channel.pause()
      void ready.then(() =>
        upstream.exec(command, (error, stream) => (error ? channel.close() : join(channel, stream))),
      )
    })
    session.on('subsystem', (take, _, { name }) => {
      const channel = take()
      channel.pause()
      void ready.then(() => upstream.subsys(name, (error, stream) => (error ? channel.close() : join(channel, stream))))
    })
  })
  upstream.connect({ host: '127.0.0.1', port: Number(target), username, privateKey, algorithms: ALGORITHMS })
})
server.listen(Number(port), '127.0.0.1', () => console.log('listening'))
