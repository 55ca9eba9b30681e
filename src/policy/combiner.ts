/** Sidegate's own Rego: the combiner and the helpers. Part of the package, two levels up from here in `src` and `dist`. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const REGO = fileURLToPath(new URL('../../rego/', import.meta.url))

/** One file of a policy. */
export interface Source {
  /** Relative, with `/`. */
  readonly path: string
  readonly text: string
}

export const isTest = (path: string): boolean => path.endsWith('_test.rego')

/** As they stand in a build, all below the folder `sidegate`; without their tests. Sorted by path. */
export function combinerSources(): readonly Source[] {
  return ['.', 'lib']
    .flatMap((part) => {
      const root = join(REGO, part)
      return readdirSync(join(root, 'sidegate'), { recursive: true, encoding: 'utf8' })
        .map((path) => join('sidegate', path))
        .filter((path) => path.endsWith('.rego') && !isTest(path))
        .map((path) => ({ path: path.replaceAll(sep, '/'), text: readFileSync(join(root, path), 'utf8') }))
    })
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

/** What the attestation says of them; a bundle that was built with others is refused. */
export function combinerDigest(): string {
  const hash = createHash('sha256')
  for (const { path, text } of combinerSources()) {
    const bytes = Buffer.from(text)
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  return `sha256:${hash.digest('hex')}`
}
