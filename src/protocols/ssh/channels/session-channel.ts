/**
 * A `session` channel of the agent's: what it sets, then one program. RFC 4254, section 6.
 *
 * Requests are answered in their order, each when it has been ruled on; those behind one that waits for people wait too. A
 * program is accepted before it is ruled on, since only what was accepted can say why it ends.
 */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Channel } from './channel.ts'
import { isSignalName } from './exit.ts'
import { ChannelViolation, Reader, type Request } from './messages.ts'
import type { Program, Setting } from './program.ts'
import { programOf } from './programs.ts'
import { Setups } from './setups.ts'
import { readWindowChange } from './terminal.ts'

/** Requests that wait while people are asked about the one before them: more than any client sends before its program. */
const MOST_WAITING = 128

export class SessionChannel {
  readonly #setting: Setting
  readonly #channel: Channel
  readonly #leaving = new AbortController()
  readonly #setups: Setups
  readonly #closed: () => void
  #program: Program | null = null
  /** What came while a request waits for its ruling; null while none does. */
  #waiting: Request[] | null = null
  #early: Buffer[] = []
  #ended = false

  /** `closed`: the channel is over. */
  constructor(setting: Setting, channel: Channel, closed: () => void) {
    this.#setting = setting
    this.#channel = channel
    this.#closed = closed
    this.#setups = new Setups(setting, this.#leaving.signal)
    channel.events = {
      data: (bytes) => (this.#program === null ? void this.#early.push(bytes) : this.#program.data(bytes)),
      eof: () => this.#eof(),
      request: (request) => this.#request(request),
      writable: () => this.#program?.writable(),
      leaving: () => (this.#program === null ? channel.close() : this.#program.leaving()),
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
    this.#program?.left()
    this.#setups.release()
    this.#early = []
    this.#closed()
  }

  #request(request: Request): void {
    if (this.#channel.closing) return
    if (this.#waiting === null) return this.#handle(request)
    if (this.#waiting.length >= MOST_WAITING) throw new ChannelViolation('too many requests wait')
    this.#waiting.push(request)
  }

  #handle(request: Request): void {
    switch (request.name) {
      case 'env':
      case 'pty-req':
      case 'x11-req':
      case 'auth-agent-req@openssh.com':
        return this.#setUp({ ...request, name: request.name })
      case 'exec':
      case 'shell':
      case 'subsystem':
        return this.#begin({ ...request, name: request.name })
      case 'window-change': {
        const size = readWindowChange(request.body)
        if (this.#setups.resized(size)) this.#program?.resized(size)
        return this.#reply(request, true)
      }
      case 'signal': {
        const name = new Reader(request.body).name()
        return this.#reply(request, isSignalName(name) && (this.#program?.signalled(name) ?? false))
      }
      case 'eow@openssh.com':
        this.#channel.unread()
        return this.#program?.unread()
      default:
        return this.#reply(request, false)
    }
  }

  #reply({ wantReply }: Request, succeeded: boolean): void {
    if (wantReply) this.#channel.reply(succeeded)
  }

  #setUp(request: Parameters<Setups['judge']>[0]): void {
    // What a program already runs with is not changed under it.
    if (this.#program !== null) return this.#reply(request, false)
    const ruled = this.#setups.judge(request)
    if (typeof ruled === 'boolean') return this.#reply(request, ruled)
    void this.#whenRuled(request, ruled)
  }

  async #whenRuled(request: Request, ruled: Promise<boolean>): Promise<void> {
    this.#waiting = []
    try {
      this.#reply(request, await ruled)
      this.#goOn()
    } catch (error) {
      this.#setting.failed(error)
    }
  }

  #goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const request of waiting) this.#request(request)
  }

  #begin(request: Parameters<typeof programOf>[0]): void {
    // One program for each channel: RFC 4254, section 6.5.
    if (this.#program !== null) return this.#reply(request, false)
    const program = programOf(request, this.#setting, this.#channel, this.#setups.prepared)
    if (program === null) return this.#reply(request, false)
    this.#program = program
    this.#reply(request, true)
    program.start()
    for (const chunk of this.#early.splice(0)) program.data(chunk)
    if (this.#ended) program.eof()
  }
}
