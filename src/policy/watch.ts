import { type FSWatcher, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** How often the files are looked at when no event came: events are lost on network mounts and when inotify is full. */
const POLL_MS = 5_000
/** A writer that does not rename needs a moment; the kubelet swaps several names at once. */
const SETTLE_MS = 50

/**
 * Calls back when files or directories may have changed: in place, replaced by a rename, or behind symbolic links that
 * lead elsewhere now, as in a mounted ConfigMap.
 */
export class Watch {
  readonly #paths: readonly string[]
  readonly #changed: () => void
  readonly #watchers: FSWatcher[] = []
  readonly #poll: NodeJS.Timeout
  #settle: NodeJS.Timeout | null = null
  #seen: string

  private constructor(paths: readonly string[], seen: string, changed: () => void, pollMs: number) {
    this.#paths = paths
    this.#seen = seen
    this.#changed = changed
    for (const directory of new Set(paths.flatMap((path) => [path, dirname(path)]))) this.#listen(directory)
    this.#poll = setInterval(() => void this.#look(), pollMs)
    this.#poll.unref()
  }

  /** Notes how things stand, so that whatever changes from here on is noticed. */
  static async begin(paths: readonly string[], changed: () => void, pollMs: number = POLL_MS): Promise<Watch> {
    return new Watch(paths, await fingerprints(paths), changed, pollMs)
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
    clearInterval(this.#poll)
    if (this.#settle !== null) clearTimeout(this.#settle)
    this.#settle = null
  }

  #listen(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#soon())
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    } catch {
      // Not there yet, or no watches left: the poll finds out.
    }
  }

  #soon(): void {
    if (this.#settle !== null) return
    this.#settle = setTimeout(() => {
      this.#settle = null
      void this.#look()
    }, SETTLE_MS)
    this.#settle.unref()
  }

  /** Events come for every file beside the ones that matter, so an event is only a reason to look. */
  async #look(): Promise<void> {
    const now = await fingerprints(this.#paths)
    if (now === this.#seen) return
    this.#seen = now
    this.#changed()
  }
}

async function fingerprints(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(fingerprint))).join('\n')
}

async function fingerprint(path: string): Promise<string> {
  try {
    const found = await stat(path, { bigint: true })
    const own = [found.dev, found.ino, found.size, found.mtimeNs].join(':')
    if (!found.isDirectory()) return own
    const names = await readdir(path)
    return [own, ...(await Promise.all(names.sort().map((name) => fingerprint(join(path, name)))))].join('\n')
  } catch {
    return 'absent'
  }
}
