import { readFileSync } from 'node:fs'
import { AuthoringError } from '../../policy/authoring/findings.ts'

/** The text of a key that an option names. */
export function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new AuthoringError('policy.key', `the key ${file} ${why}`, [], error)
  }
}
