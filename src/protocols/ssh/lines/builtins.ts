/** Which lines the shell itself answers: single commands of literal words. Everything else goes upstream as it is. */
import { analyseCommandLine } from '../../../shell/analyse.ts'
import type { Reason } from '../../../shell/facts.ts'
import { SHELL_LIMITS } from '../../../shell/limits.ts'
import { assignmentsOf } from './state.ts'

export type Intent =
  | { readonly kind: 'nothing' }
  /** By the host, as one Command. `whole`: it can be parsed by itself, so that something may stand in front of it. */
  | { readonly kind: 'run'; readonly whole: boolean }
  | { readonly kind: 'cd'; readonly to: string; readonly fromHome: boolean }
  | { readonly kind: 'cd-home' }
  | { readonly kind: 'cd-back' }
  | { readonly kind: 'export'; readonly assignments: ReadonlyMap<string, string> }
  | { readonly kind: 'list-variables' }
  | { readonly kind: 'unset'; readonly names: readonly string[] }
  | { readonly kind: 'exit'; readonly status: number | null }
  | { readonly kind: 'pwd' }
  | { readonly kind: 'history' }
  | { readonly kind: 'help' }
  | { readonly kind: 'misused'; readonly message: string }

const NOTHING = /^\s*(#.*)?$/s
const LITERAL = 'the words of this are taken as they are: nothing in them can be expanded'
/** They change a shell for what follows; each line has its own, so nothing would follow. */
const NOT_KEPT = new Set(
  [
    'alias unalias set shopt enable hash trap umask ulimit bind complete',
    'declare typeset readonly local read mapfile readarray getopts',
    'pushd popd dirs fg bg jobs disown suspend fc',
  ].flatMap((names) => names.split(' ')),
)

/** What stands in one of these is not the line's own command. */
const APART = new Set<Reason>(['compound', 'background', 'negation', 'time', 'function', 'coprocess', 'test'])

type Builtin = (words: readonly string[]) => Intent

const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['cd', changeDirectory],
  ['export', exportVariables],
  ['unset', (names) => ({ kind: 'unset', names: names[0] === '-v' ? names.slice(1) : names })],
  ['exit', leave],
  ['logout', leave],
  ['pwd', (words) => (words.length === 0 ? { kind: 'pwd' } : { kind: 'run', whole: true })],
  ['history', (words) => (words.length === 0 ? { kind: 'history' } : misused('history takes no words'))],
  ['help', () => ({ kind: 'help' })],
])

export function intentOf(line: string, limit: number): Intent {
  if (NOTHING.test(line)) return { kind: 'nothing' }
  // Of tildes, the one is known that stands for where the login begins.
  const home = /^\s*cd\s+~(?:\/+(?<rest>.*))?\s*$/s.exec(line)
  const rest = home?.groups?.['rest']?.trim() ?? ''
  if (home !== null && rest === '') return { kind: 'cd-home' }
  const intent = literalIntent(home === null ? line : `cd ./${rest}`, limit)
  return home !== null && intent.kind === 'cd' ? { ...intent, fromHome: true } : intent
}

function literalIntent(line: string, limit: number): Intent {
  const analysis = analyseCommandLine(line, { ...SHELL_LIMITS, bytes: limit })
  if (analysis.kind === 'refused') return { kind: 'run', whole: false }
  const { commands, reasons, redirects } = analysis.facts
  if (reasons.includes('assignment') && commands.every(({ name }) => name === null)) {
    return misused('a variable outlasts its line only with: export NAME=VALUE')
  }
  const [command, ...others] = commands
  const alone =
    command !== undefined &&
    command.nested === 0 &&
    others.every(({ nested }) => nested > 0) &&
    redirects.length === 0 &&
    !reasons.some((reason) => APART.has(reason))
  if (!alone || command.name === null) return { kind: 'run', whole: true }
  if (NOT_KEPT.has(command.name))
    return misused(`${command.name} changes nothing here: each line has a shell of its own`)
  const builtin = BUILTINS.get(command.name)
  if (builtin === undefined) return { kind: 'run', whole: true }
  const words = command.argv.slice(1)
  if (!command.literal || analysis.canonical === null || !areKnown(words)) return misused(LITERAL)
  return builtin(words)
}

function changeDirectory(words: readonly string[]): Intent {
  const [to, ...more] = words[0] === '--' ? words.slice(1) : words
  if (to === undefined) return { kind: 'cd-home' }
  if (to === '-') return { kind: 'cd-back' }
  if (to === '' || more.length > 0 || (to.startsWith('-') && words[0] !== '--')) {
    return misused('cd takes one directory and no options')
  }
  return { kind: 'cd', to, fromHome: false }
}

function exportVariables(words: readonly string[]): Intent {
  if (words.length === 0 || (words.length === 1 && words[0] === '-p')) return { kind: 'list-variables' }
  const assignments = assignmentsOf(words)
  return assignments === null ? misused('export takes words of the form NAME=VALUE') : { kind: 'export', assignments }
}

function leave(words: readonly string[]): Intent {
  const [status] = words
  if (status === undefined) return { kind: 'exit', status: null }
  const known = words.length === 1 && /^\d{1,3}$/.test(status) && Number(status) <= 255
  return known ? { kind: 'exit', status: Number(status) } : misused('exit takes one number from 0 to 255')
}

function misused(message: string): Intent {
  return { kind: 'misused', message }
}

function areKnown(words: readonly (string | null)[]): words is readonly string[] {
  return !words.includes(null)
}
