/** Programs that run a command for each thing that they find, read or wait for. */
import type { Word, Words } from '../facts.ts'
import { hiding, nothing, reading, running, textOf, type Hidden, type Program, type Run } from './hidden.ts'
import { readOptions, type OptionRules } from './options.ts'

const EXECUTING = new Set<Word>(['-exec', '-execdir', '-ok', '-okdir'])

const find: Program = (words, { name }) => {
  const runs: Run[] = []
  // A word that is not known could be another `-exec`.
  let unknown = words.includes(null)
  for (let at = 1; at < words.length; at += 1) {
    if (!EXECUTING.has(words[at] ?? null)) continue
    const end = endOfExec(words, at + 1)
    const argv = words.slice(at + 1, end).map((word) => (word?.includes('{}') === true ? null : word))
    if (argv.length > 0) runs.push({ kind: 'argv', argv })
    // To BusyBox every `+` ends a command, and another may follow it.
    unknown ||= argv.includes('+')
    at = end
  }
  return { ...nothing(name), runs, hides: unknown ? 'words' : null }
}

/** `;` ends a command, and so does `+` behind `{}`. */
function endOfExec(words: Words, from: number): number {
  for (let at = from; at < words.length; at += 1) {
    if (words[at] === ';' || (words[at] === '+' && words[at - 1] === '{}')) return at
  }
  return words.length
}

const XARGS: OptionRules = {
  flags: '0orRtxp',
  values: 'adEILnPsS',
  optional: 'eil',
  long: [
    'null',
    'no-run-if-empty',
    'verbose',
    'exit',
    'interactive',
    'open-tty',
    'show-limits',
    'help',
    'version',
    'replace',
    'eof',
    'max-lines',
  ],
  longValues: ['arg-file', 'delimiter', 'max-args', 'max-procs', 'max-chars', 'process-slot-var'],
}

/** Options that give a mark, and those that some call off the mark and put what is read behind the other words. */
const MARKING = ['I', 'i', 'replace']
const COUNTING = ['n', 'max-args', 'L', 'l', 'max-lines']

/** What it reads becomes words: in place of the mark where there is one, else behind the others. */
const xargs: Program = (words, { name }) => {
  const options = readOptions(words, XARGS)
  if (options === null) return hiding(name, 'words')
  const { given, next } = options
  if (given.has('help') || given.has('version')) return nothing(name)
  const marks = MARKING.filter((option) => given.has(option)).length
  // Which of them holds depends on their order, and on whose xargs it is.
  if (marks > 1 || (marks === 1 && COUNTING.some((option) => given.has(option)))) return hiding(name, 'words')
  const command = words.slice(next)
  const mark = markOf(given)
  const argv = command.length === 0 ? ['echo'] : command
  if (mark === null) return running(name, [...argv, null])
  return running(
    name,
    argv.map((word) => (word?.includes(mark) === true ? null : word)),
  )
}

function markOf(given: ReadonlyMap<string, string>): string | null {
  const mark = given.get('I') ?? given.get('i') ?? given.get('replace')
  return mark === undefined ? null : mark === '' ? '{}' : mark
}

const WATCH: OptionRules = {
  flags: 'bcCdegprtwx',
  values: 'nq',
  long: [
    'beep',
    'color',
    'no-color',
    'differences',
    'errexit',
    'chgexit',
    'precise',
    'no-rerun',
    'no-title',
    'no-wrap',
    'exec',
    'help',
    'version',
  ],
  longValues: ['interval', 'equexit'],
}

const watch: Program = (words, { name }) => {
  const options = readOptions(words, WATCH)
  if (options === null) return hiding(name, 'words')
  const command = words.slice(options.next)
  if (command.length === 0) return nothing(name)
  return options.given.has('x') || options.given.has('exec') ? running(name, command) : reading(name, textOf(command))
}

const SSH: OptionRules = { flags: '46AaCfGgKkMNnqsTtVvXxYy', values: 'BbcDEeFIiJLlmOoPpQRSWw' }
/** Options that name programs, files with such options, or sockets. */
const SSH_ESCAPES = ['o', 'F', 'I', 'J', 'S', 'E', 'L', 'R', 'D', 'W', 'w']

/** What runs on the other host is listed, but what that host makes of it is not known here. */
const ssh: Program = (words, { name }) => {
  const first = readOptions(words, SSH)
  if (first === null) return hiding(name, 'words')
  // Options may stand after the destination too.
  const rest = readOptions(words, SSH, first.next + 1)
  if (rest === null || words[first.next] === null) return hiding(name, 'words')
  const escapes = SSH_ESCAPES.some((option) => first.given.has(option) || rest.given.has(option))
  const hidden: Hidden = rest.next < words.length ? reading(name, textOf(words.slice(rest.next))) : nothing(name)
  return { ...hidden, hides: escapes ? 'escape' : 'remote', background: first.given.has('f') || rest.given.has('f') }
}

/** The applet is named by the next word. */
const multicall: Program = (words, { name }) => {
  const [, applet] = words
  if (applet === undefined || applet?.startsWith('--list') === true) return nothing(name)
  return applet === null || applet.startsWith('-') ? hiding(name, 'words') : running(name, words.slice(1))
}

export const FANOUT: readonly (readonly [string, Program])[] = [
  ['find', find],
  ['xargs', xargs],
  ['watch', watch],
  ['ssh', ssh],
  ['slogin', ssh],
  ['busybox', multicall],
  ['toybox', multicall],
]
