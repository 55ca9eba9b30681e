/** The name of a journal's writer. */
import { randomBytes } from 'node:crypto'
import { INSTANCE_LENGTH } from './block.ts'

/** Bytes that make it unique without asking anybody: a pod that lost its directory is another instance. */
const UNIQUE = 4

/** Begins with the pod or the host. */
export function nameInstance(name: string): string {
  const unique = randomBytes(UNIQUE).toString('hex')
  const safe = name.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, INSTANCE_LENGTH - unique.length - 1)
  return `${safe === '' ? 'sidegate' : safe}-${unique}`
}
