/**
 * A `session` channel of the agent's: what it sets, then one program. RFC 4254, section 6.
 *
 * Requests are answered in their order, each when it has been ruled on; those behind one that waits for people wait too. A
 * program is accepted before it is ruled on, since only what was accepted can say why it ends.
 */
import type { Command } from '../../../gate/command.ts'
import type { Permit, Verdict } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { environmentCommand, ptyCommand, shellCommand, subsystemCommand, unreadableLine } from '../commands.ts'
import type { Requested, RequestedName } from '../forwards/requested.ts'
import type { Channel } from './channel.ts'
import { refuseVariable } from './environment.ts'
import { isSignalName } from './exit.ts'
import { ChannelViolation, fields, Reader, type Request } from './messages.ts'
import { honourSetting } from './obligations.ts'
import type { Prepared, Program, Setting, Setup, Size } from './program.ts'
import { RefusedProgram } from './refused-program.ts'
import { SftpProgram } from './sftp-program.ts'
import { readPty, readWindowChange, writePty } from './terminal.ts'
import { textOf } from './text.ts'
import { UpstreamProgram } from './upstream-program.ts'

/** Requests that wait while people are asked about the one before them: more than any client sends before its program. */
const MOST_WAITING = 128

export class SessionChannel {
  readonly #setting: Setting
  readonly #channel: Channel
  readonly #leaving = new AbortController()
  readonly #setups: Setup[] = []
  readonly #requested: Requested[] = []
  readonly #closed: () => void
  #terminal: Prepared['terminal'] = null
  #program: Program | null = null
  #variables = 0
  /** What came while a request waits for its ruling; null while none does. */
  #waiting: Request[] | null = null
  #early: Buffer[] = []
  #ended = false

  /** `closed`: the channel is over. */
  constructor(setting: Setting, channel: Channel, closed: () => void) {
    this.#setting = setting
    this.#channel = channel
    this.#closed = closed
    channel.events = {
      data: (bytes) => (this.#program === null ? void this.#early.push(bytes) : this.#program.data(bytes)),
      eof: () => this.#eof(),
      request: (request) => this.#request(request),
      writable: () => this.#program?.writable(),
      closed: () => this.#left(),
    }
  }

  /** Ends it; the agent is told why where there is a program to say it. */
  end(because: Refusal): void {
    if (this.#program === null) this.#channel.close()
    else this.#program.end(because)
  }

  #eof(): void {
    this.#ended = true
    this.#program?.eof()
  }

  #left(): void {
    this.#leaving.abort()
    if (this.#program === null) this.#skipSetups()
    this.#program?.left()
    for (const asked of this.#requested) asked.release()
    this.#closed()
  }

  #skipSetups(): void {
    for (const { permit } of this.#setups.splice(0)) {
      this.#setting.gate.settle(permit, 0, { status: 'skipped', code: '', rows: 0, bytes: 0, masked: [] })
    }
  }

  #request(request: Request): void {
    if (this.#waiting === null) return this.#handle(request)
    if (this.#waiting.length >= MOST_WAITING) throw new ChannelViolation('too many requests wait')
    this.#waiting.push(request)
  }

  #handle(request: Request): void {
    switch (request.name) {
      case 'env':
        return this.#environment(request)
      case 'pty-req':
        return this.#pty(request)
      case 'auth-agent-req@openssh.com':
      case 'x11-req':
        return this.#reached(request, request.name)
      case 'exec':
      case 'shell':
      case 'subsystem':
        return this.#begin(request)
      case 'window-change':
        return this.#resized(request)
      case 'signal': {
        const name = new Reader(request.body).name()
        return this.#reply(request, isSignalName(name) && (this.#program?.signalled(name) ?? false))
      }
      case 'eow@openssh.com':
        return this.#program?.unread()
      default:
        return this.#reply(request, false)
    }
  }

  #reply({ wantReply }: Request, succeeded: boolean): void {
    if (wantReply) this.#channel.reply(succeeded)
  }

  #environment(request: Request): void {
    const reader = new Reader(request.body)
    const [name, value] = [reader.string(), reader.string()].map((bytes) => bytes.toString('utf8')) as [string, string]
    const { config, user } = this.#setting
    this.#variables++
    // What comes beyond the cap is many, and each would be a record.
    if (this.#program !== null || this.#variables > config.limits.environment + 1) return this.#reply(request, false)
    const command = environmentCommand(user, name, value)
    const because =
      this.#variables > config.limits.environment
        ? refusal('session.limit', `only ${config.limits.environment} variables may be set`)
        : refuseVariable({ name, value }, config.environment)
    if (because !== null) return this.#refuse(request, command, because)
    const bytes = fields(name, value)
    // What is no text would be another value than the one that was judged.
    if (!bytes.equals(request.body)) {
      return this.#refuse(request, command, refusal('command.unparsable', 'the variable is no text'))
    }
    this.#rule(request, command, bytes, (permit) => this.#setups.push({ name: 'env', permit }))
  }

  #pty(request: Request): void {
    const pty = readPty(request.body)
    const { user } = this.#setting
    if (this.#program !== null || this.#terminal !== null) return this.#reply(request, false)
    if ('code' in pty) return this.#refuse(request, ptyCommand(user, '', ''), pty)
    const { name, size } = pty
    this.#rule(request, ptyCommand(user, name, `${size.columns}x${size.rows}`), writePty(pty), (permit) => {
      this.#terminal = { name, size }
      this.#setups.push({ name: 'pty-req', permit })
    })
  }

  /** What the program upstream would reach on the agent's side: its key agent, its display. */
  #reached(request: Request, name: RequestedName): void {
    if (this.#program !== null || this.#requested.some((asked) => asked.name === name)) {
      return this.#reply(request, false)
    }
    const { forwarding } = this.#setting
    const about = { tty: this.#terminal !== null, signal: this.#leaving.signal }
    const asked = forwarding.requested(name, request.body, about)
    this.#when(asked.ruled, (because) => {
      if (because === null) this.#requested.push(asked)
      if (this.#channel.closing) return asked.release()
      this.#reply(request, because === null)
    })
  }

  #resized({ body }: Request): void {
    const size: Size = readWindowChange(body)
    if (this.#terminal === null) return
    this.#terminal = { ...this.#terminal, size }
    this.#program?.resized(size)
  }

  #refuse(request: Request, command: Command, because: Refusal): void {
    this.#setting.gate.refuse(this.#setting.session, command, because)
    this.#reply(request, false)
  }

  /** Rules on what is set before the program. */
  #rule(request: Request, command: Command, bytes: Buffer, permitted: (permit: Permit) => void): void {
    const { gate, session } = this.#setting
    const conclude = (verdict: Verdict) => {
      if (verdict.kind === 'permitted') permitted(verdict.permit)
      if (this.#channel.closing) return this.#skipSetups()
      this.#reply(request, verdict.kind === 'permitted')
    }
    const asked = { commands: [command], bytes, honour: honourSetting, signal: this.#leaving.signal }
    this.#when(gate.rule(session, asked), conclude)
  }

  /** Goes on at once where nobody is asked; what comes meanwhile waits where somebody is. */
  #when<Ruled>(ruled: Ruled | Promise<Ruled>, conclude: (ruled: Ruled) => void): void {
    if (!(ruled instanceof Promise)) return conclude(ruled)
    this.#waiting = []
    void this.#later(ruled, conclude)
  }

  async #later<Ruled>(ruled: Promise<Ruled>, conclude: (ruled: Ruled) => void): Promise<void> {
    try {
      conclude(await ruled)
      this.#goOn()
    } catch (error) {
      this.#setting.failed(error)
    }
  }

  #goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    while (waiting.length > 0 && this.#waiting === null) this.#handle(waiting.shift() as Request)
    // Written only by what was called above.
    if (this.#waiting !== null) (this.#waiting as Request[]).push(...waiting)
  }

  #begin(request: Request): void {
    // One program for each channel: RFC 4254, section 6.5.
    if (this.#program !== null) return this.#reply(request, false)
    const program = this.#programOf(request)
    if (program === null) return this.#reply(request, false)
    this.#program = program
    this.#reply(request, true)
    program.start()
    for (const chunk of this.#early.splice(0)) program.data(chunk)
    if (this.#ended) program.eof()
  }

  #programOf(request: Request): Program | null {
    const prepared: Prepared = {
      setups: this.#setups.splice(0),
      requested: [...this.#requested],
      terminal: this.#terminal,
    }
    switch (request.name) {
      case 'exec':
        return this.#exec(new Reader(request.body).string(), prepared)
      case 'shell':
        return this.#shell(prepared)
      default:
        return this.#subsystem(new Reader(request.body).string(), prepared)
    }
  }

  #exec(bytes: Buffer, prepared: Prepared): Program {
    const { user, commands, config } = this.#setting
    const tty = prepared.terminal !== null
    const text = textOf(bytes)
    if (text === null) {
      const because = refusal('command.unparsable', 'the command line is no text', 'write it in UTF-8, without NUL')
      return this.#refused(prepared, unreadableLine(bytes, user, tty), because)
    }
    const { command, analysis } = commands.line(text, user, { tty, mode: null })
    if (analysis.kind === 'refused') return this.#refused(prepared, command, analysis.refusal)
    if (config.upstream.shell === 'other' && !analysis.portable) {
      const because = refusal(
        'command.unsupported',
        'the login shell of the target could read this line in another way',
        'send one program with plain words',
      )
      return this.#refused(prepared, command, because)
    }
    const line = Buffer.from(analysis.canonical ?? text)
    return new UpstreamProgram(this.#setting, this.#channel, prepared, { request: 'exec', command, bytes: line })
  }

  #shell(prepared: Prepared): Program {
    const { user, config } = this.#setting
    const tty = prepared.terminal !== null
    const mode = config.shell === 'none' ? 'recorded' : config.shell
    const command = shellCommand(user, mode, tty)
    if (config.shell === 'none') {
      const because = refusal('target.forbidden', 'this target gives no shell', 'send each command by itself')
      return this.#refused(prepared, command, because)
    }
    const asked = { request: 'shell', command, bytes: Buffer.alloc(0) } as const
    return new UpstreamProgram(this.#setting, this.#channel, prepared, asked)
  }

  /** `sftp` is judged by its operations; any other is opaque. */
  #subsystem(bytes: Buffer, prepared: Prepared): Program | null {
    const name = textOf(bytes)
    if (name === 'sftp') return new SftpProgram(this.#setting, this.#channel, prepared)
    const { user, gate, session } = this.#setting
    const command = subsystemCommand(user, name ?? bytes.toString('utf8'), prepared.terminal !== null)
    if (name === null) {
      gate.refuse(session, command, refusal('command.unparsable', 'the name of the subsystem is no text'))
      return null
    }
    return new UpstreamProgram(this.#setting, this.#channel, prepared, { request: 'subsystem', command, bytes })
  }

  #refused(prepared: Prepared, command: Command, because: Refusal): Program {
    return new RefusedProgram(this.#setting, this.#channel, prepared, { command, because })
  }
}
