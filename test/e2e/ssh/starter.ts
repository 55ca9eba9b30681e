/** The starter policy, its paths moved to a place that tests may write to. */
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

const STARTER = join(import.meta.dirname, '../../../bundles/starter-ssh')

export interface Moved {
  /** Rego by the name of its package. */
  readonly policy: Readonly<Record<string, string>>
  /** What is `/srv` in the policy: agents may read it, and write to `agent` below it. */
  readonly srv: string
}

/** More runs at once than any machine has. */
const MOST_RUNS = 64

/** Where no other run is: an abstract socket is held as a lock, which the kernel releases however this process ends. */
async function place(): Promise<{ readonly path: string; release(): void }> {
  for (let run = 0; run < MOST_RUNS; run++) {
    const path = join(tmpdir(), `sidegate-starter-${run}`)
    const lock = createServer().unref()
    try {
      await once(lock.listen(`\0${path}`), 'listening')
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') continue
      throw error
    }
    return { path, release: () => void lock.close() }
  }
  throw new Error('too many runs at once')
}

/** One of few places, run after run: bundles that were compiled are kept by their content, and this is part of it. */
export async function movedStarter(t: Test): Promise<Moved> {
  const { path: srv, release } = await place()
  rmSync(srv, { recursive: true, force: true })
  t.teardown(() => {
    rmSync(srv, { recursive: true, force: true })
    release()
  })
  for (const directory of ['app', 'agent', 'git']) mkdirSync(join(srv, directory), { recursive: true })
  writeFileSync(join(srv, 'app/config.yml'), 'one: 1\ntwo: 2\n')
  const files = readdirSync(STARTER).filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego'))
  const policy = Object.fromEntries(
    files.map((name) => {
      const text = readFileSync(join(STARTER, name), 'utf8')
      return [name.replace(/\.rego$/, ''), text.replaceAll('"/srv', `"${srv}`)]
    }),
  )
  return { policy, srv }
}
