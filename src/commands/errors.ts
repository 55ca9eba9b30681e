/** What a command exits with: 0 done, 1 refused or failed, 2 used wrongly. */
import { CommanderError } from 'commander'
import { ConfigurationError, oneLine } from '../config/problem.ts'
import type { Paint } from '../config/printout.ts'
import { lines } from './audit/text.ts'

/** Prints why a command failed, and returns what to exit with. */
export function explain(error: unknown, paint: Paint, print: (line: string) => void): number {
  // Commander has printed its own; help and version are no failures.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof ConfigurationError) {
    for (const found of error.problems) print(`${paint.red('error')}  ${lines(oneLine(found))}`)
    return 1
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? `  (${error.code})` : ''
  print(`${paint.red('error')}  ${lines(`${error instanceof Error ? error.message : String(error)}${code}`)}`)
  return 1
}
