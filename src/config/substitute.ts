/** `${file:…}` and `${env:…}` in string values: the only substitutions. */
import { type KeyPath, type Problem, problem } from './problem.ts'

export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a file named in the configuration; throws as `readFileSync` does. */
  readonly read: (file: string) => string
}

const SUBSTITUTION = /\$\{([^}]*)\}?/g

/** The value with all substitutions made; what cannot be made is told, and stays as it was. */
export function substitute(value: unknown, sources: Sources): { value: unknown; problems: Problem[] } {
  const problems: Problem[] = []
  return { value: walk(value, [], sources, problems), problems }
}

function walk(value: unknown, path: KeyPath, sources: Sources, problems: Problem[]): unknown {
  if (typeof value === 'string') {
    return value.replace(SUBSTITUTION, (whole, inner: string) => one(whole, inner, path, sources, problems))
  }
  if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index], sources, problems))
  if (value === null || typeof value !== 'object') return value
  // The schema would pass over it without a word.
  if (Object.hasOwn(value, '__proto__')) {
    problems.push(problem('config.unknown-key', [...path, '__proto__'], 'is not a key', 'remove it'))
  }
  const entries = Object.entries(value).filter(([key]) => key !== '__proto__')
  return Object.fromEntries(entries.map(([key, item]) => [key, walk(item, [...path, key], sources, problems)]))
}

function one(whole: string, inner: string, path: KeyPath, sources: Sources, problems: Problem[]): string {
  const [, kind, name = ''] = /^(env|file):(.+)$/.exec(inner) ?? []
  if (!whole.endsWith('}') || kind === undefined) {
    const remedy = 'write ${env:NAME} or ${file:/path}: there are no others'
    problems.push(problem('config.substitution', path, `${whole} is not a substitution`, remedy))
    return whole
  }
  if (kind === 'env') {
    const value = sources.env[name]
    if (value !== undefined) return value
    problems.push(
      problem('config.substitution', path, `the variable ${name} is not set`, `set ${name} for the sidecar`),
    )
    return whole
  }
  try {
    return sources.read(name).replace(/\r?\n$/, '')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    problems.push(
      problem('config.substitution', path, `the file ${name} cannot be read (${why})`, 'mount or name it right'),
    )
    return whole
  }
}
