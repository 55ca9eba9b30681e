/** A real Redis server for tests. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { type Program, removeAtExit, startProgram } from './process.ts'

const START_MS = 10_000
const START_ATTEMPTS = 3

export interface RedisOptions {
  readonly password?: string
  /** Keeps what was written over {@link RedisServer.restart}: every write is in the append-only file. */
  readonly persistent?: boolean
  /** Lines of redis.conf as `--name value`, over the defaults for tests: `{ maxmemory: '1mb' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface RedisServer {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly url: string
  /** It stops answering, and its connections stay open: a stalled host. */
  pause(): void
  resume(): void
  /** It is gone, with its connections: a crash. Its port stays reserved for {@link restart} as far as that goes. */
  kill(): Promise<void>
  /** Starts it again on the same port; what it held is there when it is persistent. */
  restart(): Promise<void>
  /** Sends one inline command and gives the raw reply, for what a client library would hide. */
  command(line: string): Promise<string>
  /** Ends it and removes its data. Safe to repeat. */
  stop(): Promise<void>
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sidegate-redis-'))
  removeAtExit(directory)
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return serverOf(await launch(port, directory, options), port, directory, options)
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error
    }
  }
}

async function launch(port: number, directory: string, options: RedisOptions): Promise<Program> {
  const settings: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    dir: directory,
    save: '',
    appendonly: options.persistent === true ? 'yes' : 'no',
    appendfsync: 'always',
    daemonize: 'no',
    ...(options.password === undefined ? {} : { requirepass: options.password }),
    ...options.settings,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const program = await startProgram('redis-server', args)
  try {
    await program.output(/Ready to accept connections/, START_MS)
  } catch (error) {
    await program.stop('SIGKILL')
    throw error
  }
  return program
}

function serverOf(first: Program, port: number, directory: string, options: RedisOptions): RedisServer {
  const host = '127.0.0.1'
  let program = first
  const kill = async (): Promise<void> => {
    await program.stop('SIGKILL')
  }
  return {
    host,
    port,
    url: options.password === undefined ? `redis://${host}:${port}` : `redis://:${options.password}@${host}:${port}`,
    pause: () => program.signal('SIGSTOP'),
    resume: () => program.signal('SIGCONT'),
    kill,
    async restart() {
      await kill()
      program = await launch(port, directory, options)
    },
    async command(line) {
      const socket = connect(port, host)
      let reply = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => (reply += chunk))
      await once(socket, 'connect')
      const auth = options.password === undefined ? '' : `AUTH ${options.password}\r\n`
      socket.write(`${auth}${line}\r\nQUIT\r\n`)
      await once(socket, 'close')
      return reply
    },
    async stop() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
