import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AuthoringError } from './findings.ts'

/** OPA compiles the largest policies in seconds; what takes longer hangs. */
const TIMEOUT = 120_000
/** A syntax tree with locations is about a hundred times its source. */
const MAX_OUTPUT = 256 * 1024 ** 2

/** Where the checkout's own `make tools` puts it, seen from `src` and from `dist`. */
const CHECKOUT = fileURLToPath(new URL('../../../.bin/opa', import.meta.url))

export interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The `opa` to use: `$SIDEGATE_OPA`, else the checkout's own, else the one on PATH. */
export function findOpa(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment['SIDEGATE_OPA']
  if (chosen !== undefined && chosen !== '') {
    if (isExecutable(chosen)) return chosen
    throw new AuthoringError('opa.missing', `SIDEGATE_OPA names ${chosen}, which is not an executable file`)
  }
  const onPath = (environment['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'opa'))
  const found = [CHECKOUT, ...onPath].find((path) => isExecutable(path))
  if (found !== undefined) return found
  throw new AuthoringError(
    'opa.missing',
    'opa was not found: run `make tools` in the checkout, or install it (https://www.openpolicyagent.org), or set SIDEGATE_OPA to it',
  )
}

/** Runs `opa`; a status other than 0 is an answer, not an error. */
export function runOpa(args: readonly string[], cwd: string): Promise<Run> {
  const opa = findOpa()
  const { promise, resolve, reject } = Promise.withResolvers<Run>()
  execFile(opa, args, { cwd, timeout: TIMEOUT, maxBuffer: MAX_OUTPUT, encoding: 'utf8' }, (error, stdout, stderr) => {
    if (error === null) resolve({ status: 0, stdout, stderr })
    else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr })
    else reject(new AuthoringError('opa.failed', `opa ${args[0] ?? ''} did not end by itself`, [], error))
  })
  return promise
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
