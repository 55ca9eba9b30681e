/** What went through one handle: how much, and the digest of the content where that is what it says. */
import { createHash, type Hash } from 'node:crypto'

/** The transcript's entry of a handle that was closed. */
export interface Transfer {
  readonly operation: 'open' | 'opendir'
  readonly path: string
  readonly resolved: string | null
  readonly flags: readonly string[]
  /** Bytes of content that the agent was sent, and that the server took. Of a directory, of its listing. */
  readonly bytesRead: number
  readonly bytesWritten: number
  /** Where in the file the digested content begins: 0 for a whole file. */
  readonly offset: number
  /** SHA-256 of the content in hexadecimal; null where it was not one run in one direction, see `note`. */
  readonly sha256: string | null
  readonly note: string | null
}

/** Why there is no digest. */
export const NOTE = {
  nothing: 'nothing was transferred',
  listing: 'a directory',
  order: 'not transferred in order',
  both: 'read and written',
  failed: 'a write failed',
  copied: 'written by copy-data',
  off: 'digests are off',
} as const
type Note = (typeof NOTE)[keyof typeof NOTE]

type Direction = 'read' | 'written'

export class Volume {
  read = 0
  written = 0
  /** Bytes of writes that the server has not answered yet. */
  unanswered = 0
  #hash: Hash | null
  #note: Note | null
  #direction: Direction | null = null
  #offset = 0n
  #next = 0n

  /** With a note, nothing is digested. */
  constructor(note: Note | null) {
    this.#note = note
    this.#hash = note === null ? createHash('sha256') : null
  }

  get moved(): number {
    return this.read + this.written + this.unanswered
  }

  /** Content on its way, at its place in the file. */
  pass(direction: Direction, offset: bigint, content: Buffer): void {
    if (this.#hash === null) return
    if (this.#direction === null) {
      this.#direction = direction
      this.#offset = this.#next = offset
    }
    if (this.#direction !== direction) return this.spoil(NOTE.both)
    if (offset !== this.#next) return this.spoil(NOTE.order)
    this.#next += BigInt(content.length)
    this.#hash.update(content)
  }

  /** A write that was counted and never sent. */
  lose(bytes: number): void {
    this.unanswered -= bytes
    this.spoil(NOTE.failed)
  }

  /** There will be no digest, for the first reason that there was. */
  spoil(note: Note): void {
    this.#note ??= note
    this.#hash = null
  }

  /** Once, when nothing more can come. */
  digest(): { readonly sha256: string | null; readonly offset: number; readonly note: string | null } {
    const offset = Number(this.#offset)
    if (this.#hash === null) return { sha256: null, offset, note: this.#note }
    if (this.#direction === null) return { sha256: null, offset, note: NOTE.nothing }
    return { sha256: this.#hash.digest('hex'), offset, note: null }
  }
}
