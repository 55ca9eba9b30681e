/** Programs that an agent asks for, and what it sets before them, as Commands. */
import type { Command } from '../../gate/command.ts'
import type { JsonObject } from '../../gate/json.ts'
import { type Refusal, refusal } from '../../gate/refusal.ts'
import type { ShellAnalysis, ShellFacts } from '../../shell/facts.ts'
import { analyseCommandLine } from '../../shell/analyse.ts'
import { SHELL_LIMITS } from '../../shell/limits.ts'
import { commandOf, DETAIL } from './detail.ts'

export type Kind = 'exec' | 'shell' | 'subsystem' | 'environment' | 'pty'
export type ShellMode = 'recorded' | 'line-gated'

/** A command line: what is sent of it where it may run, or why it cannot be judged. */
export type Line =
  | { readonly command: Command; readonly bytes: Buffer }
  | { readonly command: Command; readonly refusal: Refusal }

/** Lines that are kept with their analyses: what a program repeats. */
const MOST_LINES = 1024
/** Of all the lines together; their analyses are some ten times as large. */
const MOST_TEXT = 1024 ** 2

/** The commands of one target. The same line is the same shape, so that what was derived from it is found again. */
export class Commands {
  readonly #bytes: number
  readonly #posix: boolean
  readonly #lines = new Map<string, Line>()
  #text = 0

  /** `bytes`: the longest line; `posix`: the login shell reads lines as POSIX shells do. */
  constructor(bytes: number, posix: boolean) {
    this.#bytes = bytes
    this.#posix = posix
  }

  line(line: string, user: string, { tty, mode }: { readonly tty: boolean; readonly mode: 'line-gated' | null }): Line {
    const key = `${user}\0${tty ? 't' : ''}${mode ?? ''}\0${line}`
    const known = this.#lines.get(key)
    if (known !== undefined) {
      // The one that was used last is the last to go.
      this.#lines.delete(key)
      this.#lines.set(key, known)
      return known
    }
    const terminal = tty && mode === null
    const analysis = analyseCommandLine(line, { ...SHELL_LIMITS, bytes: this.#bytes }, { terminal })
    const facts: Partial<ShellFacts> = analysis.kind === 'commands' ? analysis.facts : {}
    const made = this.#made(command('exec', user, line, { ...facts, tty, mode }), line, analysis)
    this.#keep(key, made)
    return made
  }

  /** What is sent was judged: Sidegate's own quoting where there is one, which no shell reads in another way. */
  #made(judged: Command, line: string, analysis: ShellAnalysis): Line {
    if (analysis.kind === 'refused') return { command: judged, refusal: analysis.refusal }
    if (this.#posix || analysis.portable) return { command: judged, bytes: Buffer.from(analysis.canonical ?? line) }
    const message = 'the login shell of the target could read this line in another way'
    return { command: judged, refusal: refusal('command.unsupported', message, 'send one program with plain words') }
  }

  #keep(key: string, line: Line): void {
    this.#lines.set(key, line)
    this.#text += key.length
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= MOST_LINES && this.#text <= MOST_TEXT) return
      this.#lines.delete(oldest)
      this.#text -= oldest.length
    }
  }
}

/** A command line that was not analysed, since it is no text. */
export function unreadableLine(bytes: Buffer, user: string, tty: boolean): Command {
  return command('exec', user, bytes.toString('utf8'), { tty })
}

export function shellCommand(user: string, mode: ShellMode, tty: boolean): Command {
  return command('shell', user, 'shell', { mode, tty })
}

export function subsystemCommand(user: string, name: string, tty: boolean): Command {
  return command('subsystem', user, name, { subsystem: name.toWellFormed(), tty })
}

export function environmentCommand(user: string, name: string, value: string): Command {
  const environment = { name: name.toWellFormed(), value: value.toWellFormed() }
  return command('environment', user, `${name}=${value}`, { environment })
}

export function ptyCommand(user: string, terminal: string, size: string): Command {
  const environment = { name: 'TERM', value: terminal.toWellFormed() }
  return command('pty', user, `${terminal} ${size}`, { tty: true, environment })
}

function command(kind: Kind, user: string, text: string, about: JsonObject): Command {
  const detail = { ...DETAIL, ...freeze(about), kind, user: user.toWellFormed() }
  return commandOf(detail, text.toWellFormed())
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
