/** One writer for a directory: a file `lock` that names the process. A dead process's is taken over. */
import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RecordError } from './errors.ts'

/** Two starts that find the same stale lock may undo each other's work; a few rounds settle it. */
const ATTEMPTS = 5

interface Owner {
  readonly pid: number
  /** The process's start, in clock ticks since the host's: a later process may get the same pid. Empty where there is no /proc. */
  readonly started: string
  /** A pid means nothing in another namespace, where a container's restart puts it. */
  readonly namespace: string
  readonly token: string
}

export class Lock {
  readonly #path: string
  readonly #token: string

  private constructor(path: string, token: string) {
    this.#path = path
    this.#token = token
  }

  /** Throws `record.locked` while the owner lives. */
  static take(directory: string): Lock {
    const path = join(directory, 'lock')
    const owner = { pid: process.pid, started: startOf(process.pid), namespace: namespaceOf(), token: randomUUID() }
    const own = `${path}.${owner.token}`
    writeFileSync(own, JSON.stringify(owner), { flag: 'wx', mode: 0o600 })
    try {
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        if (tryLink(own, path)) return new Lock(path, owner.token)
        const other = ownerOf(path)
        if (other !== null && lives(other)) {
          throw new RecordError(
            'record.locked',
            `${directory} belongs to process ${other.pid}; one sidecar, one journal`,
          )
        }
        moveAside(path, `${own}.stale`)
      }
      throw new RecordError('record.locked', `${directory}: its lock could not be taken over`)
    } finally {
      rmSync(own, { force: true })
      rmSync(`${own}.stale`, { force: true })
    }
  }

  /** False once another process took it over, which it may when it cannot see this one. */
  get held(): boolean {
    return ownerOf(this.#path)?.token === this.#token
  }

  release(): void {
    if (this.held) rmSync(this.#path, { force: true })
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function moveAside(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

function ownerOf(path: string): Owner | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const whole = typeof owner === 'object' && owner !== null && 'pid' in owner && typeof owner.pid === 'number'
    return whole ? (owner as Owner) : null
  } catch {
    return null
  }
}

function lives({ pid, started, namespace }: Owner): boolean {
  if (namespace !== namespaceOf()) return false
  if (started !== '') return startOf(pid) === started
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Field 22; the second, the command's name, may contain anything but ends with the last parenthesis.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function namespaceOf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
