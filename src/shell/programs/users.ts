/** Programs that run a command as another user. */
import type { Words } from '../facts.ts'
import { hiding, nothing, reading, running, type Hidden, type Program } from './hidden.ts'
import { readOptions, type OptionRules } from './options.ts'
import { afterAssignments } from './wrappers.ts'

const UNKNOWN = '*'
const ROOT = 'root'
/** By number: only that of root is known to be a name's. */
const NUMBER = /^#?[+-]?\d+$/

function named(user: string = ROOT): string {
  if (!NUMBER.test(user)) return user
  return Number(user.replace('#', '')) === 0 ? ROOT : UNKNOWN
}

const SUDO: OptionRules = {
  flags: 'ABbEHiKklnPSsVv',
  values: 'CDghpRrTtUu',
  long: [
    'askpass',
    'background',
    'bell',
    'login',
    'list',
    'non-interactive',
    'preserve-groups',
    'preserve-env',
    'remove-timestamp',
    'reset-timestamp',
    'set-home',
    'shell',
    'stdin',
    'validate',
    'version',
    'no-update',
  ],
  longValues: [
    'close-from',
    'chdir',
    'group',
    'host',
    'prompt',
    'chroot',
    'role',
    'command-timeout',
    'type',
    'other-user',
    'user',
  ],
}
const SUDO_IDLE = ['V', 'K', 'l', 'v', 'list', 'validate', 'version', 'remove-timestamp']
/** The user's own shell runs it, after what the user's files tell that. */
const SUDO_SHELL = ['i', 's', 'login', 'shell']
/** Another root, or another host's rules. */
const SUDO_ELSEWHERE = ['R', 'chroot', 'h', 'host', 'preserve-env', 'E']

const sudo: Program = (words, { name }) => {
  const options = readOptions(words, SUDO)
  if (options === null) return { ...hiding(name, 'words'), user: UNKNOWN }
  const { given, next } = options
  const user = userOf(given)
  const inner = afterAssignments(name, words, next)
  const background = given.has('b') || given.has('background')
  if (inner.runs.length === 0 && inner.hides === null) {
    return SUDO_IDLE.some((option) => given.has(option)) || !hasShell(given)
      ? nothing(name)
      : { ...hiding(name, 'input'), user }
  }
  const hides = hasShell(given) ? 'file' : SUDO_ELSEWHERE.some((option) => given.has(option)) ? 'escape' : null
  return { ...inner, hides: hides ?? inner.hides, user, background }
}

/** Of the two ways to name one, the last holds, and their order is not known here. */
function userOf(given: ReadonlyMap<string, string>): string {
  const [user, ...others] = ['u', 'user'].flatMap((option) => given.get(option) ?? [])
  return others.length > 0 ? UNKNOWN : named(user)
}

function hasShell(given: ReadonlyMap<string, string>): boolean {
  return SUDO_SHELL.some((option) => given.has(option))
}

const doas: Program = (words, { name }) => {
  const options = readOptions(words, { flags: 'Lns', values: 'aCu' })
  if (options === null) return { ...hiding(name, 'words'), user: UNKNOWN }
  const user = named(options.given.get('u'))
  if (options.given.has('s')) return { ...hiding(name, 'input'), user }
  if (options.given.has('L') || options.given.has('C')) return nothing(name)
  return { ...running(name, words.slice(options.next)), user }
}

const SU: OptionRules = {
  flags: 'lfmpPT',
  values: 'csgGwu',
  long: ['login', 'fast', 'preserve-environment', 'pty', 'no-pty', 'help', 'version'],
  longValues: ['command', 'session-command', 'shell', 'group', 'supp-group', 'whitelist-environment', 'user'],
}

/** Its options may stand after the user's name too. */
const su: Program = (words, { name }) => {
  const operands: string[] = []
  const given = new Map<string, string>()
  let from = 1
  while (from < words.length) {
    const options = readOptions(words, SU, from)
    if (options === null) return { ...hiding(name, 'words'), user: UNKNOWN }
    for (const [option, value] of options.given) given.set(option, value)
    const word = words[options.next]
    if (word === null) return { ...hiding(name, 'words'), user: UNKNOWN }
    if (word !== undefined) operands.push(word)
    from = options.next + 1
  }
  return asUser(
    name,
    operands.filter((operand, index) => operand !== '-' || index > 0),
    given,
  )
}

function asUser(name: string, operands: readonly string[], given: ReadonlyMap<string, string>): Hidden {
  const [account, ...others] = operands
  const user = named(account)
  const [script, ...scripts] = ['c', 'command', 'session-command'].flatMap((option) => given.get(option) ?? [])
  // The last of them holds.
  if (scripts.length > 0) return { ...hiding(name, 'words'), user }
  if (script === undefined) return { ...hiding(name, others.length > 0 ? 'file' : 'input'), user }
  // A login shell reads its user's files, and another shell may be of another kind.
  const login = given.has('l') || given.has('login') || given.has('s') || given.has('shell')
  return { ...reading(name, script), hides: login || others.length > 0 ? 'file' : null, user }
}

const runuser: Program = (words, call) => {
  const options = readOptions(words, SU)
  if (options === null || !(options.given.has('u') || options.given.has('user'))) return su(words, call)
  return { ...running(call.name, words.slice(options.next)), user: userOf(options.given) }
}

/** With a login shell, what it reads may end in `-`. */
function loginDash(program: Program): Program {
  return (words, call) => {
    const hidden = program(words, call)
    return words.includes('-') && hidden.hides === null ? { ...hidden, hides: 'file' } : hidden
  }
}

const pkexec: Program = (words, { name }) => {
  const options = readOptions(words, {
    longValues: ['user'],
    long: ['disable-internal-agent', 'keep-cwd', 'help', 'version'],
  })
  if (options === null) return { ...hiding(name, 'words'), user: UNKNOWN }
  return { ...running(name, words.slice(options.next)), user: named(options.given.get('user')) }
}

const editing = (words: Words, { name }: { readonly name: string }): Hidden => ({
  ...hiding(name, words.includes(null) ? 'words' : 'escape'),
  user: ROOT,
})

export const USERS: readonly (readonly [string, Program])[] = [
  ['sudo', sudo],
  ['doas', doas],
  ['su', loginDash(su)],
  ['runuser', loginDash(runuser)],
  ['pkexec', pkexec],
  ['sudoedit', editing],
]
