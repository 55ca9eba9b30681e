/** What programs are known to run. Of one that is not known, its words say all that policy can know. */
import type { Words } from '../facts.ts'
import { transferOfCommand } from '../transfers.ts'
import { BUILTINS } from './builtins.ts'
import { ESCAPES } from './escapes.ts'
import { FANOUT } from './fanout.ts'
import { git } from './git.ts'
import { type Call, hiding, nothing, type Hidden, type Program } from './hidden.ts'
import { INTERPRETERS } from './interpreters.ts'
import { LANGUAGES } from './languages.ts'
import { SHELLS } from './shells.ts'
import { USERS } from './users.ts'
import { WRAPPERS } from './wrappers.ts'

export type { Hidden } from './hidden.ts'

/** Later entries win. */
const PROGRAMS: ReadonlyMap<string, Program> = new Map([
  ...ESCAPES,
  ...INTERPRETERS,
  ...LANGUAGES,
  ...SHELLS,
  ...FANOUT,
  ...USERS,
  ...WRAPPERS,
  ['git', git] as const,
])
const BUILTIN: ReadonlyMap<string, Program> = new Map(BUILTINS)

/** Wrappers that are builtins. */
const SHELL_WORDS = new Set(['command', 'builtin', 'exec', 'time', 'noglob', 'nocorrect'])

/** The dynamic linker runs the program that it is given. */
const LINKER = /^ld(-.+)?\.so(\.\d+)?$/
/** `python3.11`, `bash-5.2`, `lua54`. */
const VERSION = /[-.]?\d[\d.]*[a-z]?$/
/** `vim.tiny`, `nc.openbsd`, `python3-dbg`. */
const VARIANT = /[-.\d].*$/s
/** The tools of s6, most of which run another. */
const FAMILY = /^s6-/
/** `x86_64-linux-gnu-gcc`. */
const PLATFORM = /^\w+-(\w+-)?linux-\w+-/
/** No program's name is longer; it bounds the time of matching. */
const NAME = 255

/** @param words the command, name first */
export function hiddenCommands(words: Words, around: Omit<Call, 'name'>): Hidden {
  const [path] = words
  if (path === null || path === undefined) return hiding('', 'words')
  const builtin = BUILTIN.get(path)
  if (builtin !== undefined) return builtin(words, { ...around, name: path })
  const file = path.slice(path.lastIndexOf('/') + 1)
  if (file.length > NAME) return hiding(file, 'words')
  const name = file.replace(PLATFORM, '')
  // The server's side of a copy says all in its words.
  if (transferOfCommand(words) !== null) return nothing(name)
  const program = PROGRAMS.get(name) ?? PROGRAMS.get(name.replace(VERSION, ''))
  if (program !== undefined) return program(words, { ...around, name })
  if (LINKER.test(file) || FAMILY.test(name) || PROGRAMS.has(name.replace(VARIANT, ''))) return hiding(name, 'escape')
  return nothing(name)
}

/** The shell itself does what this name says, and another shell may have another meaning for it. */
export function isBuiltin(name: string): boolean {
  return BUILTIN.has(name) || SHELL_WORDS.has(name)
}
