import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Source } from '../combiner.ts'

/**
 * Gives a folder of its own in which the files stand by their relative paths, as OPA is to see them: its messages and
 * the compiled module name files, and neither may depend on where the author keeps them.
 */
export async function staged<T>(sources: readonly Source[], use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-policy-'))
  try {
    for (const { path, text } of sources) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
