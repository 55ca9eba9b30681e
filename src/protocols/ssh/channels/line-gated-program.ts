/** A shell without a shell upstream: each line is a program of its own, judged before it runs. */
import type { Command } from '../../../gate/command.ts'
import type { Permit, Verdict } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { Allowance } from '../../../stream/allowance.ts'
import { Recording } from '../../../stream/recording.ts'
import type { LineEnd, Running, ShellHost } from '../lines/host.ts'
import { LineGatedShell } from '../lines/shell.ts'
import { REFUSED_STATUS } from '../refusal.ts'
import type { Channel } from './channel.ts'
import { failureRefusal } from './failure.ts'
import { Holding } from './holding.ts'
import { LineAgent } from './line-end.ts'
import { fields } from './messages.ts'
import type { Stream } from './outgoing.ts'
import type { Prepared, Program, Setting, Size } from './program.ts'
import { refuseProgram } from './refused-program.ts'
import { UpstreamProgram } from './upstream-program.ts'

export class LineGatedProgram implements Program, ShellHost {
  readonly #setting: Setting
  readonly #agent: Channel
  readonly #prepared: Prepared
  readonly #command: Command
  readonly #holding: Holding
  #unread: Buffer[] = []
  #ended = false
  #permit: Permit | null = null
  #shell: LineGatedShell | null = null
  #recording: Recording | null = null
  #allowance: Allowance | null = null
  /** The line that runs, or waits to. */
  #line: UpstreamProgram | null = null
  #because: Refusal | null = null
  #unpaid = 0
  #left = false
  #over = false

  constructor(setting: Setting, agent: Channel, prepared: Prepared, command: Command) {
    this.#setting = setting
    this.#agent = agent
    this.#prepared = prepared
    this.#command = command
    this.#holding = new Holding(agent, prepared.terminal !== null)
  }

  start(): void {
    this.#holding.rule(this.#setting, {
      command: this.#command,
      bytes: Buffer.alloc(0),
      ruled: (verdict) => this.#ruled(verdict),
      failed: (error) => this.#failed(error),
      revoked: (because) => this.end(because),
    })
  }

  #ruled(verdict: Verdict): void {
    if (verdict.kind === 'refused') return this.#over ? undefined : this.#refuse(verdict.refusal)
    this.#permit = verdict.permit
    if (this.#over) return this.#settle()
    const { permit } = verdict
    this.#recording = new Recording(this.#setting.gate, permit, 'everything')
    this.#setting.gate.whenRecorded((error) => {
      if (error !== null) this.#failed(error)
      else if (!this.#over) void this.#serve(permit)
    })
  }

  async #serve(permit: Permit): Promise<void> {
    // Nothing goes upstream by it but what each line's own permit covers.
    permit.take()
    const { config, user } = this.#setting
    const { terminal } = this.#prepared
    this.#allowance = new Allowance(permit, (because) => this.end(because))
    const shell = new LineGatedShell(this, {
      user,
      target: config.name,
      terminal: terminal === null ? null : { name: terminal.name, ...terminal.size },
      command: config.limits.command,
    })
    this.#shell = shell
    if (terminal !== null) this.#guarded(() => this.#recording?.resized(terminal.size.columns, terminal.size.rows))
    for (const chunk of this.#unread.splice(0)) this.data(chunk)
    if (this.#ended) shell.ended()
    try {
      this.#finish(await shell.serve())
    } catch (error) {
      this.#failed(error)
    }
  }

  /** One line of the shell, as a command of its own. */
  async run(text: string, running: Running): Promise<LineEnd> {
    const { commands, user, gate, session } = this.#setting
    const line = commands.line(text, user, { tty: this.#prepared.terminal !== null, mode: 'line-gated' })
    if ('refusal' in line) return { refused: gate.refuse(session, line.command, line.refusal) }
    const end = new LineAgent(running)
    const { command, bytes } = line
    // The host has no terminal for it, and is told nothing of the agent's.
    const setups = this.#prepared.setups.filter(({ name }) => name === 'env')
    const asked = { request: 'exec', command, bytes } as const
    this.#line = new UpstreamProgram(this.#setting, end, { setups, terminal: null }, asked)
    end.run(this.#line)
    try {
      return await end.ended
    } finally {
      this.#line = null
    }
  }

  output(bytes: Buffer): boolean {
    return this.#say(bytes, 'data')
  }

  error(bytes: Buffer): boolean {
    return this.#say(bytes, 'error')
  }

  #say(bytes: Buffer, stream: Stream): boolean {
    if (this.#left || this.#agent.closing) return true
    const passed = this.#because === null ? (this.#allowance?.take(bytes.length) ?? bytes.length) : bytes.length
    const part = bytes.subarray(0, passed)
    this.#guarded(() => this.#recording?.bytes(stream === 'data' ? 'output' : 'error', part))
    this.#agent.write(part, stream)
    if (passed < bytes.length && this.#allowance !== null) this.end(this.#allowance.exhausted)
    return !this.#agent.full
  }

  resume(): void {
    this.#agent.credit(this.#unpaid)
    this.#unpaid = 0
  }

  data(bytes: Buffer): void {
    if (this.#over) return
    if (this.#shell === null) return void this.#unread.push(bytes)
    this.#guarded(() => this.#recording?.bytes('input', bytes))
    this.#unpaid += bytes.length
    if (this.#shell.typed(bytes)) this.resume()
  }

  eof(): void {
    this.#ended = true
    this.#shell?.ended()
  }

  writable(): void {
    this.#shell?.drained()
  }

  resized(size: Size): void {
    if (this.#shell === null || this.#over) return
    this.#shell.resized(size.columns, size.rows)
    this.#guarded(() => this.#recording?.resized(size.columns, size.rows))
  }

  signalled(name: string): boolean {
    if (this.#shell === null || this.#over) return false
    this.#shell.signalled(name)
    this.#guarded(() => this.#recording?.signalled(name))
    return true
  }

  unread(): void {}

  /** The shell says why, and its channel ends with it. */
  end(because: Refusal): void {
    if (this.#over || this.#because !== null) return
    this.#because = because
    this.#holding.withdraw()
    if (this.#shell === null) return this.#refuse(because)
    // What runs is killed: of a channel that is only closed, the host lets it go on.
    this.#line?.end(because)
    this.#shell.end(because)
  }

  leaving(): void {
    this.left()
    this.#agent.close()
  }

  left(): void {
    if (this.#over) return
    this.#left = true
    this.#holding.withdraw()
    this.#shell?.end(null)
    this.#finish(null)
  }

  #refuse(because: Refusal): void {
    this.#because = because
    refuseProgram(this.#agent, because, this.#prepared.terminal !== null)
    this.#finish(null)
  }

  #finish(status: number | null): void {
    if (this.#over) return
    this.#over = true
    this.#unread = []
    this.#allowance?.end()
    const told = this.#because === null ? status : REFUSED_STATUS
    this.#guarded(() => this.#recording?.ended(told === null ? null : { status: told }))
    if (status !== null) {
      this.#agent.request('exit-status', fields(told ?? status))
      this.#agent.eof()
      this.#agent.close()
    }
    this.#settle(status)
  }

  #settle(status: number | null = null): void {
    if (this.#permit === null) return
    const bytes = this.#recording?.sent ?? 0
    const ended = { rows: 0, bytes, masked: [] }
    const { gate } = this.#setting
    if (this.#because !== null) gate.settle(this.#permit, 0, { status: 'refused', code: this.#because.code, ...ended })
    else if (status === null) gate.settle(this.#permit, 0, { status: 'cancelled', code: '', ...ended })
    else gate.settle(this.#permit, 0, { status: 'completed', code: String(status), ...ended })
  }

  #guarded(record: () => void): void {
    try {
      record()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.end(failureRefusal(error))
    this.#setting.failed(error)
  }
}
