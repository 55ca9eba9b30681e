/**
 * Prepared statements and portals by name, as the server will know them once it has answered.
 *
 * A change takes effect here when it is sent, so that what follows in the same pipeline sees it, and is confirmed or
 * taken back when the server answers. Each name therefore has a chain of versions, newest first; taking one back
 * leaves the later ones standing. SQL and the protocol share both namespaces (PREPARE with Parse, DECLARE with Bind).
 */
import { isUtf8 } from 'node:buffer'

/** One change of one name; `value` null is its removal. */
export interface Version<T> {
  readonly name: string
  readonly value: T | null
  /** The segment of the pipeline that makes the change: if it fails, all that follows in the same segment is skipped. */
  readonly segment: number
  previous: Version<T> | null
  /** The server has said whether it did it. */
  settled: boolean
  waiting: (() => void) | null
}

/** NAMEDATALEN - 1: PostgreSQL finds statements and portals by this many bytes of their names. */
const NAME_BYTES = 63
/** A UTF-16 unit takes at most three bytes: shorter names need not be measured. */
const NAME_UNITS = NAME_BYTES / 3

export class Names<T> {
  readonly #limit: number
  readonly #pipeline: { readonly segment: number }
  readonly #weigh: (value: T) => number
  readonly #newest = new Map<string, Version<T>>()

  /**
   * @param limit how many names may be known at once; removals that the server has not confirmed count.
   * @param pipeline where the agent is in its pipeline
   * @param weigh what one of them holds in memory
   */
  constructor(limit: number, pipeline: { readonly segment: number }, weigh: (value: T) => number) {
    this.#limit = limit
    this.#pipeline = pipeline
    this.#weigh = weigh
  }

  get(name: string): T | undefined {
    return this.#newest.get(key(name))?.value ?? undefined
  }

  /** The name is known, or its removal is under way. */
  has(name: string): boolean {
    return this.#newest.has(key(name))
  }

  /**
   * Resolves when the server has said what became of the name's last change. Undefined where that need not be waited for:
   * within the segment of the change, because whoever uses the name there is skipped where the change fails.
   */
  settling(name: string): Promise<void> | undefined {
    const newest = this.#newest.get(key(name))
    if (newest === undefined || newest.settled || newest.segment === this.#pipeline.segment) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const others = newest.waiting
    newest.waiting = () => {
      others?.()
      resolve()
    }
    return promise
  }

  /** Another name fits within the limit. */
  get room(): boolean {
    return this.#newest.size < this.#limit
  }

  /** What all names but this one hold together. */
  weightBeside(name: string): number {
    const own = key(name)
    let weight = 0
    for (const [other, newest] of this.#newest) {
      if (other === own) continue
      for (let version: Version<T> | null = newest; version !== null; version = version.previous) {
        if (version.value !== null) weight += this.#weigh(version.value)
      }
    }
    return weight
  }

  define(name: string, value: T): Version<T> {
    return this.#push(key(name), value)
  }

  remove(name: string): Version<T> {
    return this.#push(key(name), null)
  }

  /** Removes all names that the predicate picks. */
  removeWhere(picks: (value: T) => boolean): Version<T>[] {
    const versions: Version<T>[] = []
    for (const [name, { value }] of this.#newest) {
      if (value !== null && picks(value)) versions.push(this.#push(name, null))
    }
    return versions
  }

  /** Drops all names that the predicate picks, because the server has. */
  forget(picks: (value: T) => boolean): void {
    for (const [name, { value }] of this.#newest) {
      if (value !== null && picks(value)) this.#newest.delete(name)
    }
  }

  /** The server has done it: what it replaced cannot come back. */
  confirm(version: Version<T>): void {
    version.previous = null
    if (version.value === null && this.#newest.get(version.name) === version) this.#newest.delete(version.name)
    settle(version)
  }

  /** The server has not done it. */
  revert(version: Version<T>): void {
    this.#unlink(version)
    settle(version)
  }

  #unlink(version: Version<T>): void {
    const newest = this.#newest.get(version.name)
    if (newest === version) {
      if (version.previous === null) this.#newest.delete(version.name)
      else this.#newest.set(version.name, version.previous)
      return
    }
    for (let later = newest; later !== undefined && later !== null; later = later.previous ?? undefined) {
      if (later.previous === version) {
        later.previous = version.previous
        return
      }
    }
  }

  #push(name: string, value: T | null): Version<T> {
    const previous = this.#newest.get(name) ?? null
    const { segment } = this.#pipeline
    const version: Version<T> = { name, value, segment, previous, settled: false, waiting: null }
    this.#newest.set(name, version)
    return version
  }
}

function settle<T>(version: Version<T>): void {
  version.settled = true
  version.waiting?.()
  version.waiting = null
}

function key(name: string): string {
  if (name.length <= NAME_UNITS || Buffer.byteLength(name) <= NAME_BYTES) return name
  const bytes = Buffer.from(name).subarray(0, NAME_BYTES)
  // Cut within a character it is no text any more, and equals no name that is one: no name has a NUL.
  return isUtf8(bytes) ? bytes.toString() : `\0${bytes.toString('latin1')}`
}
