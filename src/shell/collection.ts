/** What has been found so far in a line, and the one way in which its analysis ends early. */
import { refusal, type Refusal, type RefusalCode } from '../gate/refusal.ts'
import type { FoundCommand, Hides, Reason, RedirectFacts } from './facts.ts'
import type { ShellLimits } from './limits.ts'

/** Where in the line something stands. */
export interface Place {
  readonly nested: number
  readonly via: string | null
  readonly user: string | null
  readonly background: boolean
  /** In a script that is itself a word of the line: what is executed is that text, not Sidegate's quoting of it. */
  readonly script: boolean
}

export class Refused extends Error {
  readonly refusal: Refusal

  constructor(code: RefusalCode, message: string, remedy: string) {
    super(message)
    this.name = 'Refused'
    this.refusal = refusal(code, message, remedy)
  }
}

export class Collection {
  readonly limits: ShellLimits
  /** The line has a terminal: programs show what is long by a pager, which runs what it is told. */
  readonly terminal: boolean
  readonly commands: FoundCommand[] = []
  readonly redirects: RedirectFacts[] = []
  /** Why the line is not literal. */
  readonly reasons = new Set<Reason>()
  /** Shells differ in how they read what would be executed as it is written. */
  unportable = false

  constructor(limits: ShellLimits, terminal: boolean) {
    this.limits = limits
    this.terminal = terminal
  }

  command(command: FoundCommand): void {
    if (this.commands.length >= this.limits.commands) {
      throw new Refused(
        'command.too-large',
        `more than ${this.limits.commands} commands in one line`,
        'run fewer commands at once, or put them into a file',
      )
    }
    this.commands.push(command)
  }

  /** Something runs here of which nothing is known. */
  opaque(place: Place, hides: Hides): void {
    const { nested, via, user, background } = place
    this.command({ name: null, argv: [], literal: false, nested, via, hides, user, background })
    this.reasons.add('hidden-commands')
  }
}
