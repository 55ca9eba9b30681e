/**
 * Prepared statements and portals by name, as the server will know them once it has answered.
 *
 * A change takes effect here when it is sent, so that what follows in the same pipeline sees it, and is confirmed or
 * taken back when the server answers. Each name therefore has a chain of versions, newest first; taking one back
 * leaves the later ones standing. SQL and the protocol share both namespaces (PREPARE with Parse, DECLARE with Bind).
 */

/** One change of one name; `value` null is its removal. */
export interface Version<T> {
  readonly name: string
  readonly value: T | null
  previous: Version<T> | null
}

export class Names<T> {
  readonly #limit: number
  readonly #newest = new Map<string, Version<T>>()

  /** @param limit how many names may be known at once; removals that the server has not confirmed count. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get(name: string): T | undefined {
    return this.#newest.get(name)?.value ?? undefined
  }

  /** Another name fits within the limit. */
  get room(): boolean {
    return this.#newest.size < this.#limit
  }

  define(name: string, value: T): Version<T> {
    return this.#push(name, value)
  }

  remove(name: string): Version<T> {
    return this.#push(name, null)
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
      if (value === null || picks(value)) this.#newest.delete(name)
    }
  }

  /** The server has done it: what it replaced cannot come back. */
  confirm(version: Version<T>): void {
    version.previous = null
    if (version.value === null && this.#newest.get(version.name) === version) this.#newest.delete(version.name)
  }

  /** The server has not done it. */
  revert(version: Version<T>): void {
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
    const version: Version<T> = { name, value, previous: this.#newest.get(name) ?? null }
    this.#newest.set(name, version)
    return version
  }
}
