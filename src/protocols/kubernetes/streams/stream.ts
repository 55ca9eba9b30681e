/**
 * One upgraded request, whatever its connection becomes:
 *
 *     judged ─▶ (held) ─▶ on record ─▶ a connection upstream has switched ─▶ the agent's switches ─▶ bytes both ways ─▶ settled
 *
 * Nothing is joined before the API server's own 101. Whoever ends it (the program, the agent, policy, a limit, an operator), it
 * is settled once.
 */
import type { Command } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Permit, Verdict } from '../../../gate/gate.ts'
import type { OutcomeStatus } from '../../../gate/ports.ts'
import { journalRefusal, type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import { Allowance } from '../../../stream/allowance.ts'
import { recorded } from '../../../stream/journal.ts'
import { honourStream } from '../../../stream/obligations.ts'
import { Recording } from '../../../stream/recording.ts'
import { upstreamRefusal } from '../credential/failure.ts'
import type { Request } from '../request/facts.ts'
import type { Conversation } from '../session.ts'
import { askUpstream } from './ask.ts'
import type { Answered, Switched } from './dial.ts'
import type { Exit } from './exit.ts'

/** What an agent's connection becomes: how it is told, and how it is joined to what the upstream's has become. */
export interface AgentEnd {
  /** People are asked. */
  held(demands: Decision['approvals']): void
  /** It does not come about, or ends before its time. */
  refuse(because: Refusal): void
  /** The API server answers, and does not switch. */
  answer(answered: Answered): void
  /** Both have switched. False where the API server switched to something else than it was asked for. */
  join(upstream: Switched, stream: Stream): boolean
  /** The agent's connection is over: what it sent before still goes upstream, whose connection then ends. */
  left(): void
}

const honour = honourStream({ content: 'a stream', subject: 'a stream', remedy: 'ask for what has fields' })

export interface StreamOf {
  readonly conversation: Conversation
  readonly session: Session
  readonly request: Request
  readonly command: Command
  /** The request as it goes upstream, for the permit. */
  readonly bytes: Uint8Array
  readonly auditId: string
  /** Headers of the transport itself, which say nothing of the agent's. */
  readonly transport: Readonly<Record<string, string>>
}

export class Stream {
  readonly #of: StreamOf
  readonly #end: AgentEnd
  readonly #ending = new AbortController()
  #permit: Permit | null = null
  #recording: Recording | null = null
  #allowance: Allowance | null = null
  #sent = 0
  #over = false

  constructor(of: StreamOf, end: AgentEnd) {
    this.#of = of
    this.#end = end
  }

  /** Resolves with why it was refused before it began; null where it was not. */
  async run(): Promise<Refusal | null> {
    const { gate } = this.#of.conversation.shared.wiring
    const verdict = await gate.rule(this.#of.session, {
      commands: [this.#of.command],
      bytes: this.#of.bytes,
      honour,
      revoked: (because) => this.stop(because),
      held: (demands) => {
        if (!this.#over) this.#end.held(demands)
      },
      signal: this.#ending.signal,
    })
    try {
      await recorded(gate)
      return await this.#ruled(verdict)
    } catch (error) {
      this.#failed(error)
      return null
    }
  }

  async #ruled(verdict: Verdict): Promise<Refusal | null> {
    if (verdict.kind === 'refused') {
      if (!this.#over) this.#end.refuse(verdict.refusal)
      this.#over = true
      return verdict.refusal
    }
    const { permit } = verdict
    this.#permit = permit
    // The agent left, or an operator ended it, while people were asked.
    if (this.#over) this.#settle('skipped', '')
    else await this.#begin(permit)
    return null
  }

  async #begin(permit: Permit): Promise<void> {
    const { gate } = this.#of.conversation.shared.wiring
    const tty = this.#of.request.facts.exec?.tty === true
    this.#recording = new Recording(gate, permit, tty ? 'everything' : 'beginning', { unsized: tty })
    let answer: Switched | Answered
    try {
      const { shared } = this.#of.conversation
      const headers = { ...this.#of.transport, 'audit-id': this.#of.auditId }
      answer = await askUpstream(shared, permit, headers, this.#ending.signal)
    } catch (error) {
      return this.stop(upstreamRefusal(error), 'failed')
    }
    if (answer.kind === 'switched') return this.#join(permit, answer)
    if (this.#over) return
    this.#end.answer(answer)
    this.#finish('failed', String(answer.status))
  }

  #join(permit: Permit, switched: Switched): void {
    if (this.#over) {
      switched.socket.destroy()
      return
    }
    this.#allowance = new Allowance(permit, (because) => this.stop(because))
    if (this.#end.join(switched, this)) return
    switched.socket.destroy()
    this.stop(refusal('upstream.unavailable', 'the API server switched to another protocol'), 'failed')
  }

  get over(): boolean {
    return this.#over
  }

  /** Of the agent's bytes those that go on: all, or fewer where a limit is reached, and then no more. */
  input(bytes: Buffer, into: 'recording' | 'nothing' = 'recording'): Buffer {
    const part = this.#allow(bytes)
    if (into === 'recording') this.#guarded(() => this.#recording?.bytes('input', part))
    if (this.#over || this.#permit === null) return part.subarray(0, 0)
    return this.#permit.pass(part) as Buffer
  }

  /** The same of what the API server sends. `null` is a tunnel's, of which nothing is recorded. */
  output(bytes: Buffer, as: 'output' | 'error' | null): Buffer {
    const part = this.#allow(bytes)
    if (as !== null) this.#guarded(() => this.#recording?.bytes(as, part))
    if (this.#over) return part.subarray(0, 0)
    this.#sent += part.length
    return part
  }

  /** To be called behind what {@link input} or {@link output} gave, of so many bytes, was sent. */
  passed(given: Buffer, part: Buffer): void {
    if (part.length < given.length && !this.#over && this.#allowance !== null) this.stop(this.#allowance.exhausted)
  }

  resized(columns: number, rows: number): void {
    this.#guarded(() => this.#recording?.resized(columns, rows))
  }

  marked(text: string): void {
    this.#guarded(() => this.#recording?.marked(text))
  }

  /** It came to its own end. */
  finished(exit: Exit, tunnel = false): void {
    if (tunnel || exit?.status === 0) this.#finish('completed', exit === null ? '' : String(exit.status), exit)
    else this.#finish('failed', exit === null ? '' : String(exit.status), exit)
  }

  /** The agent is gone. */
  left(code = ''): void {
    this.#finish('cancelled', code)
  }

  /** Ends it before its time, for a reason that the agent is told. */
  stop(because: Refusal, status: OutcomeStatus = 'refused'): void {
    if (this.#over) return
    this.#finish(status, because.code)
    this.#end.refuse(because)
  }

  #allow(bytes: Buffer): Buffer {
    const allowed = this.#over ? 0 : (this.#allowance?.take(bytes.length) ?? bytes.length)
    return allowed === bytes.length ? bytes : bytes.subarray(0, allowed)
  }

  /** What cannot be recorded does not go on. */
  #guarded(record: () => void): void {
    if (this.#over) return
    try {
      record()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    const because = journalRefusal(error)
    if (because === null) this.#of.conversation.log.error({ err: error }, 'a stream failed')
    this.stop(because ?? refusal('policy.error', 'the stream failed', 'tell whoever runs the sidecar'), 'failed')
  }

  #finish(status: OutcomeStatus, code: string, exit: Exit = null): void {
    if (this.#over) return
    try {
      this.#recording?.ended(exit)
    } catch (error) {
      this.#of.conversation.log.error({ err: error }, 'the end of a stream could not be recorded')
    }
    this.#over = true
    this.#allowance?.end()
    this.#settle(status, code)
    this.#ending.abort()
  }

  #settle(status: OutcomeStatus, code: string): void {
    if (this.#permit === null) return
    const { gate } = this.#of.conversation.shared.wiring
    gate.settle(this.#permit, 0, { status, code, rows: 0, bytes: this.#sent, masked: [] })
  }
}
