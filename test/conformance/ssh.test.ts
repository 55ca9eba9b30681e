/** The three ways in which agents give commands over SSH: exec, sftp, and the lines of a line-gated shell. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type ClientChannel, type SFTPWrapper } from 'ssh2'
import { runClient, type SshAddress, sshClient } from '../support/ssh-clients.ts'
import { RawSsh } from '../support/ssh-raw.ts'
import { startSshTarget } from '../support/ssh-target.ts'
import { sharedSshd } from '../support/sshd.ts'
import { Stammer } from './stammer.ts'
import { type Agent, conforms, type Ports, type Running, type Told } from './suite.ts'

const SECRET = 'the-secret-of-a-host'
const MASKS = [{ column: null, detector: 'credit-card', path: null, with: 'redact', policy: 'policy.test' }] as const

const server = await sharedSshd()

/** Sends a command, and is told what became of it. */
type Speaker = (command: string) => Promise<Told>

/** How agents speak on one connection, and what a command of theirs is. */
interface Way {
  readonly name: string
  readonly order: 'kept' | 'independent'
  /** Over the target's configuration. */
  readonly config: Readonly<Record<string, unknown>>
  command(marker: string, directory: string): string
  /** Whether the host has run it. */
  reached(marker: string, directory: string): boolean
  open(client: Client): Promise<Speaker>
  native(address: SshAddress, command: string): Promise<string>
}

const ENDED: Told = { kind: 'ended' }

function refusedBy(text: string): Told {
  return { kind: 'refused', code: /\[([a-z.-]+)\]/.exec(text)?.[1] ?? '', text }
}

/** Writes the marker where the test finds it, and to the agent. */
const noted = (marker: string, directory: string) => `echo ${marker} | tee -a ${join(directory, 'notes')}`

function inNotes(marker: string, directory: string): boolean {
  const notes = join(directory, 'notes')
  return existsSync(notes) && readFileSync(notes, 'utf8').includes(marker)
}

const exec: Way = {
  name: 'ssh exec',
  order: 'independent',
  config: {},
  command: noted,
  reached: inNotes,
  async open(client) {
    return (command) =>
      new Promise<Told>((resolve) => {
        client.exec(command, (error, channel) => {
          if (error !== undefined) return resolve(refusedBy(error.message))
          let [output, errors, code]: [string, string, number | null] = ['', '', null]
          channel.on('data', (chunk: Buffer) => (output += chunk.toString()))
          channel.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
          channel.on('exit', (status: number | null) => (code = status))
          channel.on('close', () => {
            if (code === 126) resolve(refusedBy(errors))
            else resolve(code === 0 ? { kind: 'done', output } : ENDED)
          })
        })
      })
  },
  async native(address, command) {
    return (await runClient('ssh', ['-F', sshClient(address).config, 'there', command])).stderr
  },
}

/** The marker is a directory that is made; what the agent is told has no text of its own. */
const sftp: Way = {
  name: 'ssh sftp',
  order: 'kept',
  config: {},
  command: (marker, directory) => join(directory, marker),
  reached: (marker, directory) => existsSync(join(directory, marker)),
  async open(client) {
    const opening = Promise.withResolvers<SFTPWrapper | null>()
    client.sftp((error, wrapper) => opening.resolve(error === undefined ? wrapper : null))
    const wrapper = await opening.promise
    return (command) =>
      new Promise<Told>((resolve) => {
        if (wrapper === null) return resolve(ENDED)
        wrapper.mkdir(command, (error) => {
          if (error === undefined || error === null) return resolve({ kind: 'done', output: command })
          const [, code = ''] = /^([a-z.-]+):/.exec(error.message) ?? []
          resolve(code === '' ? ENDED : { kind: 'refused', code, text: error.message })
        })
      })
  },
  async native(address, command) {
    const { host, port, user } = address
    const script = `
import paramiko, sys
transport = paramiko.Transport((${JSON.stringify(host)}, ${port}))
transport.start_client()
transport.auth_none(${JSON.stringify(user)})
try:
    paramiko.SFTPClient.from_transport(transport).mkdir(${JSON.stringify(command)})
except IOError as error:
    print(error)
transport.close()
`
    return (await runClient('/usr/bin/python3', ['-W', 'ignore', '-c', script])).stdout.toString()
  },
}

/** A script of lines, each followed by one that says that it is over. */
const lines: Way = {
  name: 'ssh line-gated shell',
  order: 'kept',
  config: { shell: 'line-gated' },
  command: noted,
  reached: inNotes,
  async open(client) {
    const opening = Promise.withResolvers<ClientChannel>()
    client.shell(false, (error, channel) => (error === undefined ? opening.resolve(channel) : opening.reject(error)))
    const channel = await opening.promise
    const waiting: { readonly sentinel: string; tell(text: string | null): void }[] = []
    let [heard, count] = ['', 0]
    const hear = (chunk: Buffer) => {
      heard += chunk.toString()
      for (let [next] = waiting; next !== undefined && heard.includes(next.sentinel); [next] = waiting) {
        const [before = '', ...after] = heard.split(`${next.sentinel}\n`)
        heard = after.join(`${next.sentinel}\n`)
        waiting.shift()
        next.tell(before)
      }
    }
    channel.on('data', hear)
    channel.stderr.on('data', hear)
    channel.on('close', () => {
      for (const { tell } of waiting.splice(0)) tell(null)
    })
    return async (command) => {
      const over = Promise.withResolvers<string | null>()
      const sentinel = `over-${count++}.`
      waiting.push({ sentinel, tell: over.resolve })
      channel.write(`${command}\necho ${sentinel}\n`)
      const text = await over.promise
      if (text === null) return ENDED
      const told = text.replaceAll(/^sidegate: .*\[approval\.pending\]\n/gm, '')
      return told.includes('sidegate: ') ? refusedBy(told) : { kind: 'done', output: told }
    }
  },
  async native(address, command) {
    const { stdout, stderr } = await runClient('ssh', ['-T', '-F', sshClient(address).config, 'there'], {
      input: `${command}\n`,
    })
    return `${stdout.toString()}${stderr}`
  },
}

async function start(way: Way, ports: Ports, directory: string): Promise<Running> {
  const config = { limits: { channels: 100 }, ...way.config }
  const target = await startSshTarget(server, { ...ports, config })
  const wire = await Stammer.before(target.port)
  const clients: Client[] = []

  async function connected(): Promise<Agent> {
    const client = new Client()
    clients.push(client)
    const ready = Promise.withResolvers<void>()
    client.on('ready', ready.resolve).on('error', ready.reject)
    client.connect({ host: '127.0.0.1', port: wire.port, username: server.user, authHandler: ['none'] })
    await ready.promise
    const speak = await way.open(client)
    return {
      run: (...commands) => Promise.all(commands.map(speak)),
      async runSplit(command) {
        wire.split = true
        const told = await speak(command)
        wire.split = false
        return told
      },
      async send(command) {
        void speak(command)
      },
      async sendUnknown(marker) {
        const raw = await RawSsh.connect(target.port, { authHandler: ['none'] })
        const unknown = await raw.open(`${marker}@example.com`)
        const channel = await raw.open()
        const requested = channel === null ? null : await raw.ask(channel, `${marker}@example.com`, marker)
        raw.destroy()
        const done = unknown !== null || requested === true
        return done ? { kind: 'done', output: '' } : { kind: 'refused', code: '', text: '' }
      },
      leave: () => client.destroy(),
    }
  }

  return {
    connect: connected,
    reached: (marker) => way.reached(marker, directory),
    native: (command) => way.native(target.address, command),
    async close() {
      for (const client of clients) client.destroy()
      await wire.close()
      await target.close()
    },
  }
}

for (const way of [exec, sftp, lines]) {
  let starts = 0
  let directory = ''
  conforms({
    protocol: way.name,
    order: way.order,
    command: (marker) => way.command(marker, directory),
    masked: {
      get command() {
        return way.command(SECRET, directory)
      },
      secret: SECRET,
      masks: MASKS,
      fate: 'refused',
    },
    start(ports) {
      directory = join(server.directory, way.name.replaceAll(' ', '-'), String(starts++))
      mkdirSync(directory, { recursive: true })
      return start(way, ports, directory)
    },
  })
}
