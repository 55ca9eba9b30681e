/** Signals and sizes, as a host hears them that is not OpenSSH's: that one, as root, takes no signals. */
import { join } from 'node:path'
import { Client } from 'ssh2'
import t from 'tap'
import { startProgram } from '../../support/process.ts'
import { makeSshKey } from '../../support/ssh-keys.ts'
import { startSshTarget } from '../../support/ssh-target.ts'
import { sharedSshd } from '../../support/sshd.ts'

t.test('signals and changes of the window reach the program, and the signal that ends it the agent', async (t) => {
  const server = await sharedSshd()
  const key = await makeSshKey(join(server.directory, 'asyncssh-host'))
  const script = join(import.meta.dirname, 'asyncssh_host.py')
  const host = await startProgram('/usr/bin/python3', ['-W', 'ignore', script, key.file, server.authorizedKeysFile])
  t.teardown(async () => void (await host.stop()))
  const [port = ''] = await host.output(/^\d+$/m)
  const upstream = { host: '127.0.0.1', port: Number(port), hostKeys: [key.line] }
  const target = await startSshTarget(server, { config: { upstream } })
  t.teardown(() => target.close())

  const client = new Client()
  t.teardown(() => client.end())
  const ready = new Promise<void>((resolve, reject) => client.on('ready', () => resolve()).on('error', reject))
  client.connect({ host: '127.0.0.1', port: target.port, username: 'agent', authHandler: ['none'] })
  await ready
  let heard = ''
  const ended = Promise.withResolvers<unknown[]>()
  const says = async (text: string) => {
    while (!heard.includes(text)) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  client.exec('anything', { pty: { cols: 80, rows: 24 } }, (error, channel) => {
    if (error !== undefined) return ended.reject(error)
    let exit: unknown[] = []
    channel.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    channel.on('exit', (...how: unknown[]) => (exit = how))
    channel.on('close', () => ended.resolve(exit))
    void (async () => {
      await says('ready')
      for (const name of ['HUP', 'INT', 'QUIT', 'USR1', 'USR2', 'KILL']) {
        channel.signal(name)
        await says(`signal ${name}`)
      }
      channel.setWindow(50, 132, 0, 0)
      await says('size 132x50')
      channel.write('text\n')
      await says('line text')
      channel.signal('TERM')
    })()
  })
  t.match(await ended.promise, [null, 'TERM'])
  const frames = target.record.records.flatMap((record) => (record.type === 'frame' ? [record.event.kind] : []))
  const kinds = new Set(frames)
  for (const kind of ['signal', 'resize', 'output', 'exit'] as const) t.ok(kinds.has(kind), `${kind} is on record`)
})
