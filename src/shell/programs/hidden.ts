/** What a command runs in turn, as far as its words say. */
import type { Hides, Reason, Word, Words } from '../facts.ts'

/** Another command by its words, or a script that a shell reads. */
export type Run = { readonly kind: 'argv'; readonly argv: Words } | { readonly kind: 'script'; readonly text: string }

export interface Hidden {
  /** Why it could run more than `runs`; null: it does not. */
  readonly hides: Hides | null
  readonly runs: readonly Run[]
  readonly via: string
  /** Whom `runs` run as, `*` where not known; null: nobody else. */
  readonly user: string | null
  readonly background: boolean
  /** Why the line is not literal because of it, beside what it hides. */
  readonly reason: Reason | null
}

/** What is known of a program that is called with `words`; its name is the first of them. */
export type Program = (words: Words, call: Call) => Hidden

export interface Call {
  /** The program's name without directory. */
  readonly name: string
  /** What it reads where the line says so word for word; undefined: what it inherits. */
  readonly input: Word | undefined
  /** It runs on a terminal. */
  readonly terminal: boolean
}

export function nothing(via: string): Hidden {
  return { hides: null, runs: [], via, user: null, background: false, reason: null }
}

export function hiding(via: string, hides: Hides | null, reason: Reason | null = null): Hidden {
  return { ...nothing(via), hides, reason }
}

/** Runs the command of these words, if there are any; a name like an option could be one that was not expected here. */
export function running(via: string, argv: Words): Hidden {
  if (argv[0]?.startsWith('-') === true) return hiding(via, 'words')
  return argv.length === 0 ? nothing(via) : { ...nothing(via), runs: [{ kind: 'argv', argv }] }
}

/** Runs what a shell makes of this text; null: of a text that is not known. */
export function reading(via: string, text: Word): Hidden {
  return text === null ? hiding(via, 'words') : { ...nothing(via), runs: [{ kind: 'script', text }] }
}

/** The text that `eval`, `ssh` and `watch` make of their words; null where one is not known. */
export function textOf(words: Words): Word {
  return words.includes(null) ? null : words.join(' ')
}
