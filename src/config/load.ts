/** From a YAML file to a configuration that has been checked in every way that needs no network. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { z } from 'zod'
import { MAX_CONFIGURATION, readDocument } from './document.ts'
import { checkFiles, resolveFiles } from './files.ts'
import { problemsOf } from './issues.ts'
import { child } from './keys.ts'
import { ConfigurationError, type Located, type Problem, problem } from './problem.ts'
import { checkRules } from './rules.ts'
import { type Configuration, configuration as schema } from './schema.ts'
import { substitute } from './substitute.ts'

export interface Loaded {
  readonly file: string
  readonly configuration: Configuration
  /** What works and weakens: shown in red. */
  readonly weaknesses: readonly (Problem | Located)[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Throws a {@link ConfigurationError} with all mistakes at once. */
export function loadConfiguration(file: string, env: Environment = process.env): Loaded {
  const document = readDocument(file, readText(file))
  if (document.problems.length > 0) throw new ConfigurationError(document.problems)
  const base = dirname(resolve(file))
  const read = (name: string) => readBounded(resolve(base, name))
  const { value, problems } = substitute(document.value, { env, read })
  const parsed = schema.safeParse(value)
  if (!parsed.success) problems.push(...problemsOf(schema, parsed.error.issues, value))
  resolveFiles(value, base)
  if (parsed.success) resolveFiles(parsed.data, base)
  const found = [
    ...checkEnvironment(env),
    ...problems,
    ...(parsed.success ? checkRules(parsed.data) : []),
    ...checkFiles(value),
  ]
  const located = found.map((one) => document.locate(asWritten(one, document.value, value, base)))
  const errors = located.filter(({ severity }) => severity === 'error').sort(byPlace)
  if (errors.length > 0 || !parsed.success) throw new ConfigurationError(errors)
  return { file, configuration: parsed.data, weaknesses: located.sort(byPlace) }
}

/** What Node obeys behind the configuration's back: for Redis and for the issuers' keys, where a target's legs say it themselves. */
function checkEnvironment(env: Environment): Problem[] {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return []
  const message =
    'NODE_TLS_REJECT_UNAUTHORIZED=0 is set: whoever answers would be taken for Redis, or for an issuer of tokens'
  const remedy = 'unset it; a private authority is trusted by `ca`, or by NODE_EXTRA_CA_CERTS'
  return [problem('config.environment', [], message, remedy)]
}

/** Where the admin port is; undefined where none is configured. As {@link section} has it. */
export function loadAdmin(file: string, env: Environment = process.env): Configuration['admin'] {
  return section(file, 'admin', schema.pick({ admin: true }), env).admin
}

/** Where the records are. As {@link section} has it. */
export function loadRecord(file: string, env: Environment = process.env): Configuration['record'] {
  return section(file, 'record', schema.pick({ record: true }), env).record
}

/**
 * One section, for commands that need no more: a mistake elsewhere, or a secret that only the sidecar may read, keeps nobody from the
 * kill switch and the records. Its files are not looked at.
 */
function section<Part extends object>(file: string, name: string, part: z.ZodType<Part>, env: Environment): Part {
  const document = readDocument(file, readText(file))
  if (document.problems.length > 0) throw new ConfigurationError(document.problems)
  const base = dirname(resolve(file))
  const read = (from: string) => readBounded(resolve(base, from))
  const { value, problems } = substitute({ [name]: child(document.value, name) }, { env, read })
  const parsed = part.safeParse(value)
  if (!parsed.success) problems.push(...problemsOf(part, parsed.error.issues, value))
  if (problems.length > 0 || !parsed.success) throw new ConfigurationError(problems.map((one) => document.locate(one)))
  resolveFiles(parsed.data, base)
  return parsed.data
}

/** The checks of {@link loadConfiguration} for a configuration that was made in memory: returns its weaknesses. */
export function checkConfiguration(configuration: Configuration): readonly Problem[] {
  const found = [...checkRules(configuration), ...checkFiles(configuration)]
  const errors = found.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new ConfigurationError(errors)
  return found
}

/**
 * What came out of a variable or a file, where a file's name belongs, is told as it was written: many a secret has been put there by
 * mistake, and errors go to logs.
 */
function asWritten(found: Problem, written: unknown, value: unknown, base: string): Problem {
  const [before, after] = [written, value].map((whole) => found.path.reduce(child, whole))
  if (typeof before !== 'string' || typeof after !== 'string' || !before.includes('${')) return found
  const hidden: [string, string][] = [[after, before]]
  // Of what is not there, the nearest folder that is may be told, and that may be a part of it.
  for (
    let folder = dirname(after);
    isAbsolute(folder) && !`${base}/`.startsWith(`${folder}/`) && folder !== '/';
    folder = dirname(folder)
  ) {
    hidden.push([folder, `the folder of ${before}`])
  }
  const told = (text: string) => hidden.reduce((told, [name, shown]) => told.replaceAll(name, () => shown), text)
  return { ...found, message: told(found.message), remedy: told(found.remedy) }
}

function readText(file: string): string {
  try {
    return readBounded(file)
  } catch (error) {
    const found = problem('config.file', [], whyUnread(error), 'name the configuration with --config FILE')
    throw new ConfigurationError([{ ...found, file, line: null, column: null }])
  }
}

function whyUnread(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EISDIR') return 'is a directory'
  return code === '' && error instanceof Error ? error.message : `cannot be read (${code})`
}

/** A configuration may come by a pipe, which says nothing of its size; a device may have no end. */
function readBounded(file: string): string {
  const tooLarge = () => new Error(`is larger than ${MAX_CONFIGURATION} bytes`)
  const stats = statSync(file)
  if (stats.size > MAX_CONFIGURATION) throw tooLarge()
  if (stats.isCharacterDevice()) throw new Error('is a device')
  const text = readFileSync(file, 'utf8')
  if (text.length > MAX_CONFIGURATION) throw tooLarge()
  return text
}

function byPlace(one: Located, other: Located): number {
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0)
}
