/** What is wrong with a configuration, told so that it can be put right without reading the source. */

/** `error`: the sidecar does not start. `weakness`: it does, and the posture shows it in red. */
export type Severity = 'error' | 'weakness'

export type KeyPath = readonly (string | number)[]

export interface Problem {
  readonly severity: Severity
  /** Stable, for machines: `config.unknown-key`. */
  readonly code: `config.${string}`
  readonly path: KeyPath
  readonly message: string
  /** What would be right. */
  readonly remedy: string
}

/** A problem with its place in the file; line and column count from 1. */
export interface Located extends Problem {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
}

export function problem(
  code: Problem['code'],
  path: KeyPath,
  message: string,
  remedy: string,
  severity: Severity = 'error',
): Problem {
  return { severity, code, path, message, remedy }
}

/** `targets.orders-db.agent.users.reporting`, with names that are not plain in brackets. */
export function keyOf(path: KeyPath): string {
  if (path.length === 0) return '(the whole file)'
  return path
    .map((part) =>
      /^[\w-]+$/.test(String(part)) && typeof part === 'string' ? `.${part}` : `[${JSON.stringify(part)}]`,
    )
    .join('')
    .replace(/^\./, '')
}

/** All mistakes of a configuration at once. */
export class ConfigurationError extends Error {
  readonly code = 'config.invalid'
  readonly problems: readonly (Problem | Located)[]

  constructor(problems: readonly (Problem | Located)[]) {
    super(problems.map(oneLine).join('\n'))
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

/** `sidegate.yaml:12:5  targets.db.listen  what is wrong; what to do  (code)`. */
export function oneLine(found: Problem | Located): string {
  const place =
    'file' in found ? [found.file, found.line, found.column].filter((part) => part !== null).join(':') + '  ' : ''
  // Of a file that could not be read nothing else is to be named.
  const key = place !== '' && found.path.length === 0 ? '' : `${keyOf(found.path)}  `
  return `${place}${key}${found.message}; ${found.remedy}  (${found.code})`
}
