/**
 * What outlasts a line: the working directory and exported variables. They go in front of each later line, in literal
 * words, and are judged with it: the line that is judged is the line that is executed.
 */
import { posix } from 'node:path'

/** PATH_MAX of Linux. */
const PATH = 4096
/** They go upstream with every line, and every line is limited. */
const VARIABLES = 64
const VARIABLE_BYTES = 4 * 1024

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const CONTROL = /[\p{Cc}\ufffd]/u

export class ShellState {
  /** Absolute, without links; null: where the login begins. */
  directory: string | null = null
  /** Where `cd -` goes. */
  previous: string | null | undefined
  #variables = new Map<string, string>()

  get variables(): ReadonlyMap<string, string> {
    return this.#variables
  }

  /** The line as it goes upstream. Where the directory is gone, nothing of it runs. */
  applied(line: string): string {
    const { directory } = this
    const there = directory === null ? '' : `cd ${quoted(directory)} || exit; `
    return `${there}${exporting(this.#variables)}${line}`
  }

  /** What asks the host where `operand` leads, from here; a directory that is known is named in full. */
  asking(operand: string, fromHome: boolean): string {
    const from = fromHome ? null : this.directory
    const known = operand.startsWith('/') ? operand : from === null ? null : `${from}/${operand}`
    // A leading dot keeps CDPATH out, and names that begin with `-` from being options.
    const relative = operand.startsWith('./') ? operand : `./${operand}`
    return `cd ${quoted(known === null ? relative : absolute(known))} && pwd -P`
  }

  enter(directory: string | null): void {
    this.previous = this.directory
    this.directory = directory
  }

  /** What keeps the assignments of `export`. */
  exported(assignments: ReadonlyMap<string, string>): string {
    return this.applied(exporting(assignments).replace(/; $/, ''))
  }

  /** @returns false where these would be too many */
  fits(assignments: ReadonlyMap<string, string>): boolean {
    const all = new Map([...this.#variables, ...assignments])
    return all.size <= VARIABLES && Buffer.byteLength(exporting(all)) <= VARIABLE_BYTES
  }

  keep(assignments: ReadonlyMap<string, string>): void {
    this.#variables = new Map([...this.#variables, ...assignments])
  }

  forget(name: string): boolean {
    return this.#variables.delete(name)
  }
}

/** `NAME=VALUE` words; null where one of them is something else. */
export function assignmentsOf(words: readonly string[]): Map<string, string> | null {
  const assignments = new Map<string, string>()
  for (const word of words) {
    const end = word.indexOf('=')
    if (end < 0 || !NAME.test(word.slice(0, end))) return null
    assignments.set(word.slice(0, end), word.slice(end + 1))
  }
  return assignments
}

/** The one line that `pwd` writes; null where it is anything else. */
export function directoryFrom(output: Buffer): string | null {
  const text = output.toString('utf8')
  const directory = text.endsWith('\n') ? text.slice(0, -1) : ''
  if (!directory.startsWith('/') || output.length > PATH || CONTROL.test(directory)) return null
  return absolute(directory) === directory ? directory : null
}

function absolute(path: string): string {
  const plain = posix.normalize(path).replace(/^\/+/, '/')
  return plain.length > 1 ? plain.replace(/\/$/, '') : plain
}

function exporting(variables: ReadonlyMap<string, string>): string {
  if (variables.size === 0) return ''
  const words = [...variables].map(([name, value]) => `${name}=${quoted(value)}`)
  return `export ${words.join(' ')}; `
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}
