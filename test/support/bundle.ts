/** Compiled bundles for tests, kept by the content that they were built from. */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPolicy } from '../../src/policy/authoring/build.ts'
import { CAPABILITIES, readSources } from '../../src/policy/authoring/sources.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'

const CACHE = fileURLToPath(new URL('../../.cache/bundles/', import.meta.url))

/**
 * Builds an unsigned bundle and gives its path. Takes the folder of a policy (`bundles/starter`), or Rego by the name of
 * its package: `{ reads: 'package policy.reads …' }`, formatted as `opa fmt` would.
 */
export async function buildBundle(policy: string | Readonly<Record<string, string>>): Promise<string> {
  if (typeof policy === 'string') return cached(policy)
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-test-policy-'))
  try {
    for (const [name, text] of Object.entries(policy)) writeFileSync(join(folder, `${name}.rego`), text)
    return await cached(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function cached(folder: string): Promise<string> {
  const { rules, tests, data } = readSources(folder)
  const hash = createHash('sha256').update(combinerDigest()).update(readFileSync(CAPABILITIES))
  for (const { path, text } of [...rules, ...tests, ...data]) hash.update(JSON.stringify([path, text]))
  const file = join(CACHE, `${hash.digest('hex')}.tar.gz`)
  if (existsSync(file)) return file
  const { archive } = await buildPolicy(folder, { revision: 'test', key: null, serial: null })
  mkdirSync(dirname(file), { recursive: true })
  // Tests run beside each other, and one may read what another is about to write.
  const partial = `${file}.${randomUUID()}`
  writeFileSync(partial, archive)
  renameSync(partial, file)
  return file
}
