/** The facts about one command line, in the words of `rego/schemas/ssh.json`. */
import type { Refusal } from '../gate/refusal.ts'

/** A word as a command is given it; null where only the shell that runs it will know it, and then it may be several. */
export type Word = string | null
export type Words = readonly Word[]

/** Why a command could run more than is listed. */
export type Hides = 'words' | 'code' | 'file' | 'input' | 'escape' | 'remote' | 'depth'

/** Why a line is not literal. */
export type Reason =
  | 'parameter'
  | 'command-substitution'
  | 'process-substitution'
  | 'arithmetic'
  | 'glob'
  | 'brace'
  | 'tilde'
  | 'locale-quoting'
  | 'assignment'
  | 'declaration'
  | 'redirect'
  | 'here-document'
  | 'compound'
  | 'function'
  | 'coprocess'
  | 'test'
  | 'negation'
  | 'time'
  | 'background'
  | 'shell-state'
  | 'hidden-commands'
  | 'depth'
  | 'unportable'
  | 'unsupported'

/** A command by itself. */
export type FoundCommand = {
  readonly name: Word
  readonly argv: Words
  readonly literal: boolean
  readonly nested: number
  readonly via: string | null
  readonly hides: Hides | null
  readonly user: string | null
  readonly background: boolean
}

export type CommandFacts = FoundCommand & {
  /** Where it runs, if the line itself says so. */
  readonly directory: string | null
}

export type RedirectFacts = {
  readonly operation: '<' | '>' | '>>' | '>|' | '<>' | '&>' | '&>>' | '<&' | '>&' | '<<' | '<<-' | '<<<'
  readonly access: 'read' | 'write' | 'read-write' | 'descriptor' | 'text'
  readonly target: Word
  readonly descriptor: number | null
}

export type Transfer = {
  readonly program: 'scp' | 'rsync' | 'git'
  readonly direction: 'upload' | 'download'
  readonly paths: readonly string[]
  /** An upload that makes symbolic links of the agent's: by them, later paths lead elsewhere. */
  readonly links: boolean
}

/** The keys of `input.command.detail` that a command line fills. */
export type ShellFacts = {
  readonly commands: readonly CommandFacts[]
  readonly literal: boolean
  readonly reasons: readonly Reason[]
  readonly redirects: readonly RedirectFacts[]
  readonly transfer: Transfer | null
}

export type ShellAnalysis =
  | {
      readonly kind: 'commands'
      readonly facts: ShellFacts
      /**
       * The line in Sidegate's own quoting, which POSIX shells cannot read in another way than it was judged. Never null
       * for a literal line, nor for one that is not literal only because of what its commands could run.
       */
      readonly canonical: string | null
      /** The canonical form is one command that csh and fish read as POSIX shells do. */
      readonly portable: boolean
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
