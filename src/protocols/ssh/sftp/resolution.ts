/**
 * Where the upstream host says that a path leads, every link followed that the operation follows. It is asked for the path
 * itself, or for the directory of what is not followed; where that does not exist, for the nearest directory above that
 * does, and whether what is missing is really no link that points at nothing.
 *
 * Another session may put a link there between the answer and the operation. That is why the operation is sent with the path
 * as it was resolved, which such a link can only break where it replaces a real directory.
 */
import { below, canonical, LONGEST_PATH, split, textOf } from './paths.ts'
import type { SftpReply } from './packets/replies.ts'
import { REPLY, STATUS } from './packets/types.ts'

/** How far up it is asked: trees that are made from the top are asked for once or twice. */
const MOST_ANCESTORS = 16

/** What the server has to be asked next. */
export interface Query {
  readonly kind: 'realpath' | 'lstat'
  readonly path: string
}

export class Resolution {
  /** Null when the answer is there. */
  query: Query | null
  /** Null where it could not be found out. */
  resolved: string | null = null
  #rest = ''
  #found: string | null = null
  #left = MOST_ANCESTORS

  constructor(path: string, follows: boolean) {
    this.query = { kind: 'realpath', path }
    if (!follows && path !== '/') this.#up(path)
  }

  /** What the server answered to `query`. */
  answer(reply: SftpReply): void {
    const { query } = this
    if (query === null) return
    this.query = null
    if (query.kind === 'lstat') return this.#resolve(isMissing(reply) ? this.#found : null)
    const name = realpathOf(reply)
    if (name === null) {
      if (isMissing(reply) && query.path !== '/' && this.#left-- > 0) this.#up(query.path)
    } else if (this.#left === MOST_ANCESTORS) {
      this.#resolve(name)
    } else {
      // REALPATH of some servers does not find a link that points at nothing, but creating a file follows it.
      this.#found = name
      this.query = { kind: 'lstat', path: below(name, this.#rest.split('/', 1)[0] ?? '') }
    }
  }

  #resolve(name: string | null): void {
    const resolved = name === null ? null : below(name, this.#rest)
    this.resolved = resolved !== null && Buffer.byteLength(resolved) <= LONGEST_PATH ? resolved : null
  }

  #up(path: string): void {
    const { directory, name } = split(path)
    this.#rest = this.#rest === '' ? name : `${name}/${this.#rest}`
    this.query = { kind: 'realpath', path: directory }
  }
}

/** The one absolute path of a REALPATH's answer; null for anything else. */
export function realpathOf(reply: SftpReply): string | null {
  if (reply.type !== REPLY.NAME || reply.entries.length !== 1) return null
  const text = textOf(reply.entries[0]?.name ?? Buffer.alloc(0))
  return text?.startsWith('/') ? canonical('/', text) : null
}

function isMissing(reply: SftpReply): boolean {
  return reply.type === REPLY.STATUS && reply.code === STATUS.NO_SUCH_FILE
}
