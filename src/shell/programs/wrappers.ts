/** Programs that run the command of their remaining words, and nothing else. */
import { harmlessInEnvironment } from '../assignments.ts'
import type { Words } from '../facts.ts'
import { hiding, nothing, running, type Hidden, type Program } from './hidden.ts'
import { readOptions, type OptionRules } from './options.ts'

interface WrapperRules extends OptionRules {
  /** Words between the options and the command. */
  readonly operands?: number
  /** The command outlives the line. */
  readonly background?: boolean
  /** With one of these options it runs nothing. */
  readonly idle?: readonly string[]
}

const HELP = ['help', 'version']

const RULES = {
  nice: { values: 'n', longValues: ['adjustment'], long: HELP, digits: true, idle: HELP },
  nohup: { long: HELP, background: true, idle: HELP },
  timeout: {
    flags: 'vfp',
    values: 'ks',
    long: ['foreground', 'preserve-status', 'verbose', ...HELP],
    longValues: ['kill-after', 'signal'],
    operands: 1,
    idle: HELP,
  },
  stdbuf: { values: 'ioe', longValues: ['input', 'output', 'error'], long: HELP, idle: HELP },
  setsid: { flags: 'cfw', long: ['ctty', 'fork', 'wait', ...HELP], background: true, idle: HELP },
  ionice: {
    flags: 't',
    values: 'cnpPu',
    long: ['ignore', ...HELP],
    longValues: ['class', 'classdata'],
    idle: ['p', 'P', 'u', ...HELP],
  },
  time: { flags: 'apqvV', values: 'fo', long: ['append', 'portability', 'quiet', 'verbose', ...HELP], idle: HELP },
  taskset: { flags: 'ac', long: ['all-tasks', 'cpu-list', ...HELP], operands: 1, idle: HELP },
  command: { flags: 'pvV', idle: ['v', 'V'] },
  builtin: {},
  noglob: {},
  nocorrect: {},
  exec: { flags: 'cl', values: 'a' },
  unbuffer: { flags: 'p' },
  eatmydata: {},
  fakeroot: {},
  setarch: { operands: 1 },
  linux32: {},
  linux64: {},
  sshpass: { flags: 'ev', values: 'fdpP' },
  chronic: { flags: 've' },
} as const satisfies Record<string, WrapperRules>

const ENV: OptionRules = {
  flags: 'i0v',
  values: 'uCa',
  long: [
    'ignore-environment',
    'null',
    'debug',
    'list-signal-handling',
    'block-signal',
    'default-signal',
    'ignore-signal',
    ...HELP,
  ],
  longValues: ['unset', 'chdir', 'argv0'],
}
const ASSIGNMENT = /^([^=]+)=/s

function wrapper(rules: WrapperRules): Program {
  return (words, { name }) => {
    const options = readOptions(words, rules)
    if (options === null) return hiding(name, 'words')
    if (rules.idle?.some((option) => options.given.has(option)) === true) return nothing(name)
    const operands = rules.operands ?? 0
    const from = options.next + operands
    if (words.slice(options.next, from).includes(null)) return hiding(name, 'words')
    return { ...running(name, words.slice(from)), background: rules.background === true }
  }
}

const env: Program = (words, { name }) => {
  // `-` alone is `-i`.
  const plain = words.map((word) => (word === '-' ? '-i' : word))
  const options = readOptions(plain, ENV)
  return options === null ? hiding(name, 'words') : afterAssignments(name, words, options.next)
}

/** What runs after `NAME=VALUE …`; a value that says what else to run is an escape. */
export function afterAssignments(name: string, words: Words, from: number): Hidden {
  let next = from
  let harmless = true
  for (; next < words.length; next += 1) {
    const word = words[next]
    if (word === null || word === undefined) return hiding(name, 'words')
    const [, variable] = ASSIGNMENT.exec(word) ?? []
    if (variable === undefined) break
    harmless &&= harmlessInEnvironment(variable)
  }
  return { ...running(name, words.slice(next)), hides: harmless ? null : 'escape' }
}

export const WRAPPERS: readonly (readonly [string, Program])[] = [
  ...Object.entries(RULES).map(([name, rules]) => [name, wrapper(rules)] as const),
  ['env', env],
]
