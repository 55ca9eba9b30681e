/** Shells: what they run is in an argument, in a file, or in what they read. */
import type { Word, Words } from '../facts.ts'
import { hiding, nothing, reading, type Call, type Hidden, type Program } from './hidden.ts'

/** Letters that change nothing in how a script is read. */
const PLAIN_FLAGS = /^[-+][abefhmuvxBCEHPTcsilpnr]*[oO]?$/
const FILE_OPTIONS = new Set(['--rcfile', '--init-file', '--login'])
const PLAIN_LONG = new Set(['--norc', '--noprofile', '--posix', '--restricted', '--verbose', '--noediting'])
/** `-o` names that change nothing in how a script is read. */
const PLAIN_NAMES = new Set(['errexit', 'nounset', 'pipefail', 'xtrace', 'verbose', 'noglob', 'noclobber'])

interface ShellOptions {
  readonly command: boolean
  /** It reads commands that come in. */
  readonly input: boolean
  /** Files of the user's come first, or the grammar is changed. */
  readonly hides: 'file' | 'words' | null
  readonly next: number
}

/** A shell of the POSIX grammar. */
const posix: Program = (words, call) => {
  if (words.length === 2 && (words[1] === '--version' || words[1] === '--help')) return nothing(call.name)
  const options = readShellOptions(words)
  if (options === null) return hiding(call.name, 'words')
  const operand = words[options.next]
  if (options.command) {
    if (operand === undefined) return nothing(call.name)
    const hidden = reading(call.name, operand)
    // Dash goes on to its input after that.
    const input = options.input ? 'input' : null
    return { ...hidden, hides: hidden.hides ?? options.hides ?? input }
  }
  if (operand !== undefined && !options.input) return hiding(call.name, 'file')
  return fromInput(call)
}

/** Programs among them share the input, so what the shell gets of it is not certain even where all of it is known. */
function fromInput(call: Call): Hidden {
  return { ...reading(call.name, call.input ?? null), hides: 'input' }
}

function readShellOptions(words: Words): ShellOptions | null {
  let command = false
  let input = false
  let hides: ShellOptions['hides'] = null
  let next = 1
  for (; next < words.length; next += 1) {
    const word = words[next]
    if (word === null || word === undefined) return null
    if (word === '--' || word === '-') return { command, input, hides, next: next + 1 }
    if (!/^[-+]/.test(word)) break
    if (word.startsWith('--')) {
      if (FILE_OPTIONS.has(word)) hides ??= 'file'
      else if (!PLAIN_LONG.has(word)) return null
      if (word === '--rcfile' || word === '--init-file') next += 1
      continue
    }
    if (!PLAIN_FLAGS.test(word)) return null
    command ||= word.startsWith('-') && word.includes('c')
    input ||= word.includes('s')
    if (/[il]/.test(word)) hides ??= 'file'
    if (/[oO]$/.test(word)) {
      next += 1
      if (word.endsWith('O') || !plainName(words[next])) hides = 'words'
    }
  }
  return { command, input, hides, next }
}

function plainName(word: Word | undefined): boolean {
  return typeof word === 'string' && PLAIN_NAMES.has(word)
}

/** A shell of another grammar. */
const foreign: Program = (words, { name }) => {
  if (words.some((word) => word === null || /^-[a-zA-Z]*c/.test(word) || /^-+(c|command|enc)/i.test(word))) {
    return hiding(name, 'code')
  }
  return hiding(name, words.length > 1 ? 'file' : 'input')
}

const POSIX_SHELLS = ['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh', 'rbash', 'rksh', 'lksh', 'pdksh', 'posh', 'yash']
const FOREIGN_SHELLS = [
  'zsh',
  'rzsh',
  'fish',
  'csh',
  'tcsh',
  'rc',
  'es',
  'nu',
  'elvish',
  'xonsh',
  'oil',
  'osh',
  'ysh',
  'pwsh',
  'powershell',
  'scsh',
  'slsh',
  'tclsh',
  'sash',
]

export const SHELLS: readonly (readonly [string, Program])[] = [
  ...POSIX_SHELLS.map((name) => [name, posix] as const),
  ...FOREIGN_SHELLS.map((name) => [name, foreign] as const),
]
