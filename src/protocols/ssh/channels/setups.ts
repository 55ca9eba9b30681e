/** What an agent sets on a session channel before its program: variables, a terminal, its key agent, its display. */
import type { Command } from '../../../gate/command.ts'
import type { Gate, Permit, Verdict } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { environmentCommand, ptyCommand } from '../commands.ts'
import type { RequestedName } from '../forwards/requested.ts'
import { honourSetting } from '../obligations.ts'
import type { Channel } from './channel.ts'
import { refuseVariable } from './environment.ts'
import { bufferOf, fields, Reader, type Request } from './messages.ts'
import type { Prepared, Setting, Setup, Size } from './program.ts'
import { readPty, writePty } from './terminal.ts'

/** Whether it may be; a promise where people are asked. */
type Ruled = boolean | Promise<boolean>

export class Setups {
  readonly #setting: Setting
  readonly #signal: AbortSignal
  readonly #setups: Setup[] = []
  #terminal: Prepared['terminal'] = null
  readonly #requestedNames = new Set<RequestedName>()
  #variables = 0
  #over = false

  /** `signal` aborts when the channel is gone. */
  constructor(setting: Setting, signal: AbortSignal) {
    this.#setting = setting
    this.#signal = signal
  }

  get prepared(): Prepared {
    return { setups: this.#setups, terminal: this.#terminal }
  }

  /** Judges one of these requests. */
  judge({ name, body }: Request & { readonly name: 'env' | 'pty-req' | RequestedName }): Ruled {
    switch (name) {
      case 'env':
        return this.#environment(body)
      case 'pty-req':
        return this.#pty(body)
      default:
        return this.#requested(name, body)
    }
  }

  /** Whether there is a terminal that could have another size. */
  resized(size: Size): boolean {
    if (this.#terminal === null) return false
    this.#terminal = { ...this.#terminal, size }
    return true
  }

  /** The channel is over: what was not sent never will be. */
  release(): void {
    this.#over = true
    for (const setup of this.#setups) setup.release()
  }

  #environment(body: Buffer): Ruled {
    const reader = new Reader(body)
    const [name, value] = [reader.string().toString('utf8'), reader.string().toString('utf8')]
    const { config, user } = this.#setting
    const most = config.limits.environment
    this.#variables++
    // What comes beyond the cap is many, and each would be a record.
    if (this.#variables > most + 1) return false
    const command = environmentCommand(user, name, value)
    if (this.#variables > most)
      return this.#refuse(command, refusal('session.limit', `only ${most} variables may be set`))
    const because = refuseVariable({ name, value }, config.environment)
    if (because !== null) return this.#refuse(command, because)
    const bytes = fields(name, value)
    // What is no text would be sent as another value than the one that was judged.
    if (!bytes.equals(body)) return this.#refuse(command, refusal('command.unparsable', 'the variable is no text'))
    return this.#rule(command, bytes, (permit) => this.#add(new PermittedSetup(this.#setting.gate, 'env', permit)))
  }

  #pty(body: Buffer): Ruled {
    const pty = readPty(body)
    const { user } = this.#setting
    if (this.#terminal !== null) return false
    if ('code' in pty) return this.#refuse(ptyCommand(user, '', ''), pty)
    const { name, size } = pty
    return this.#rule(ptyCommand(user, name, `${size.columns}x${size.rows}`), writePty(pty), (permit) => {
      this.#terminal = { name, size }
      this.#add(new PermittedSetup(this.#setting.gate, 'pty-req', permit))
    })
  }

  #requested(name: RequestedName, body: Buffer): Ruled {
    // A second one would only be another way to the same.
    if (this.#requestedNames.has(name)) return false
    this.#requestedNames.add(name)
    const about = { tty: this.#terminal !== null, signal: this.#signal }
    const requested = this.#setting.forwarding.requested(name, body, about)
    const conclude = (because: Refusal | null): boolean => {
      if (because === null) this.#add(requested)
      return because === null
    }
    return requested.ruled instanceof Promise ? requested.ruled.then(conclude) : conclude(requested.ruled)
  }

  #refuse(command: Command, because: Refusal): false {
    this.#setting.gate.refuse(this.#setting.session, command, because)
    return false
  }

  #rule(command: Command, bytes: Buffer, permitted: (permit: Permit) => void): Ruled {
    const { gate, session } = this.#setting
    // It holds for as long as the channel: each line of a shell is given it anew.
    const revoked = () => {}
    const asked = { commands: [command], bytes, honour: honourSetting, signal: this.#signal, revoked }
    const conclude = (verdict: Verdict): boolean => {
      if (verdict.kind === 'permitted') permitted(verdict.permit)
      return verdict.kind === 'permitted'
    }
    const verdict = gate.rule(session, asked)
    return verdict instanceof Promise ? verdict.then(conclude) : conclude(verdict)
  }

  #add(setup: Setup): void {
    this.#setups.push(setup)
    if (this.#over) setup.release()
  }
}

/** A variable or a terminal that may be set: one request, which the host need not answer. */
class PermittedSetup implements Setup {
  readonly name: 'env' | 'pty-req'
  readonly #gate: Gate
  readonly #permit: Permit
  #sent: Buffer | null = null
  #released = false

  constructor(gate: Gate, name: 'env' | 'pty-req', permit: Permit) {
    this.name = name
    this.#gate = gate
    this.#permit = permit
  }

  send(upstream: Channel): void {
    // Policy has taken it back: what runs from now on runs without it.
    if (!this.#permit.streaming) return
    this.#sent = bufferOf(this.#sent === null ? this.#permit.take() : this.#permit.pass(this.#sent))
    upstream.request(this.name, this.#sent)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    const status = this.#sent === null ? 'skipped' : 'completed'
    this.#gate.settle(this.#permit, 0, { status, code: '', rows: 0, bytes: 0, masked: [] })
  }
}
