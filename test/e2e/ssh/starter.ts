/** The starter policy, its paths moved to a place that tests may write to. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

/** The same place for the same name each time, since compiled bundles are kept by their content. No two files share a name. */
export function movedStarter(t: Test, name: string): Moved {
  const srv = join(tmpdir(), `sidegate-starter-${name}`)
  rmSync(srv, { recursive: true, force: true })
  t.teardown(() => rmSync(srv, { recursive: true, force: true }))
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
