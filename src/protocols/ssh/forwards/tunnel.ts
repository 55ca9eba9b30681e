/** What goes through under one permit: one connection of a forward, or all that come in through one listener. */
import type { Command } from '../../../gate/command.ts'
import type { Gate, Permit, Verdict } from '../../../gate/gate.ts'
import type { OutcomeStatus } from '../../../gate/ports.ts'
import { journalRefusal, type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import { Allowance } from '../../../stream/allowance.ts'
import { recorded } from '../../../stream/journal.ts'
import type { Channel } from '../channels/channel.ts'
import { honourForward } from '../obligations.ts'
import { type Side, Splice } from './splice.ts'

export interface TunnelTerms {
  readonly gate: Gate
  readonly session: Session
  readonly command: Command
  /** What is asked of the upstream host, as the permit holds it. */
  readonly bytes: Uint8Array
  /** Aborts when the agent leaves. */
  readonly signal: AbortSignal
  /** It was ended from within: taken back, or at its limit. */
  readonly cut?: () => void
  /** It is over and settled. Once. */
  readonly over: () => void
}

export class Tunnel {
  readonly #terms: TunnelTerms
  readonly #splices = new Set<Splice>()
  readonly #bytes: Record<Side, number> = { agent: 0, upstream: 0 }
  #permit: Permit | null = null
  /** Null until it begins. */
  #allowance: Allowance | null = null
  #ended: Refusal | null = null
  #settled = false
  /** More connections may come. */
  #listening = true

  constructor(terms: TunnelTerms) {
    this.#terms = terms
  }

  /** The agent is gone from it, and what it sent still waits for a side that does not take it. */
  get stuck(): boolean {
    return [...this.#splices].some((splice) => splice.stuck)
  }

  /** Why it was ended under way; null while it was not. */
  get ended(): Refusal | null {
    return this.#ended
  }

  /** Asks for the permit. Null is that there is one; a promise, that people are asked. */
  rule(): Refusal | null | Promise<Refusal | null> {
    const { gate, session, command, bytes, signal, over } = this.#terms
    if (signal.aborted) {
      this.#settled = true
      over()
      return refusal('session.ended', 'the session is ending')
    }
    const verdict = gate.rule(session, {
      commands: [command],
      bytes,
      honour: honourForward,
      revoked: (because) => this.end(because),
      signal,
    })
    return verdict instanceof Promise ? verdict.then((later) => this.#ruled(later)) : this.#ruled(verdict)
  }

  #ruled(verdict: Verdict): Refusal | null {
    if (verdict.kind === 'refused') {
      this.#settled = true
      this.#terms.over()
      return verdict.refusal
    }
    this.#permit = verdict.permit
    // Ended while people were asked.
    if (this.#ended !== null) this.#settle('cancelled', this.#ended.code)
    return this.#ended
  }

  /** What is to be asked of the upstream host, once the decision is on record. */
  async take(): Promise<Uint8Array | Refusal> {
    try {
      await recorded(this.#terms.gate)
    } catch (error) {
      this.end(recordRefusal(error), 'skipped')
    }
    return this.start()
  }

  /** The same where the record is known to be durable already. */
  start(): Uint8Array | Refusal {
    const permit = this.#permit
    if (this.#ended !== null || permit === null) return this.#ended ?? refusal('policy.unavailable')
    const taken = permit.take()
    this.#allowance = new Allowance(permit, (because) => this.end(because))
    return taken
  }

  /** Joins two channels under the permit. */
  join(agent: Channel, upstream: Channel): void {
    const splice: Splice = new Splice(agent, upstream, {
      pass: (from, bytes) => this.#pass(splice, from, bytes),
      closed: () => {
        this.#splices.delete(splice)
        this.#rest()
      },
    })
    this.#splices.add(splice)
  }

  /** Puts on record what a person who reads it wants to know: the address that a name stood for, who connected. */
  note(text: string): void {
    if (this.#permit === null || this.#settled) return
    try {
      this.#terms.gate.frame(this.#permit, 0, 'marker', Buffer.from(text))
    } catch (error) {
      this.end(recordRefusal(error))
    }
  }

  /** No more connections come; what there are go on to their ends. */
  last(): void {
    this.#listening = false
    this.#rest()
  }

  /** It came to nothing: the upstream host, or what stands before it, said no. */
  fail(code: string, status: 'failed' | 'refused' | 'skipped' = 'failed'): void {
    this.#settle(status, code)
  }

  /** Ends it at once. */
  end(because: Refusal, status: OutcomeStatus = 'refused'): void {
    if (this.#settled) return
    const first = this.#ended === null
    this.#ended ??= because
    for (const splice of this.#splices) splice.abort()
    if (this.#permit !== null) this.#settle(status, this.#ended.code)
    if (first) this.#terms.cut?.()
  }

  /** The connection is gone, and the channels with it. */
  lost(): void {
    if (this.#settled) return
    const limited = this.#ended
    this.#ended ??= refusal('session.ended', 'the connection is gone')
    for (const splice of this.#splices) splice.abort()
    if (this.#permit === null) return
    if (limited === null) this.#settle('lost', '')
    else this.#settle('refused', limited.code)
  }

  #pass(splice: Splice, from: Side, bytes: Buffer): Buffer {
    if (this.#ended !== null || this.#allowance === null) return bytes.subarray(0, 0)
    const passed = this.#allowance.take(bytes.length)
    const part = passed === bytes.length ? bytes : bytes.subarray(0, passed)
    if (from === 'agent') this.#permit?.pass(part)
    this.#bytes[from] += passed
    if (passed < bytes.length) this.#limitReached(splice, this.#allowance.exhausted)
    return part
  }

  /** What was let through still goes; nothing follows it. */
  #limitReached(splice: Splice, because: Refusal): void {
    this.#ended = because
    for (const other of this.#splices) if (other !== splice) other.abort()
    this.#terms.cut?.()
    this.last()
  }

  #rest(): void {
    if (this.#listening || this.#splices.size > 0) return
    if (this.#ended === null) this.#settle('completed', '')
    else this.#settle('refused', this.#ended.code)
  }

  #settle(status: OutcomeStatus, code: string): void {
    if (this.#settled) return
    this.#allowance?.end()
    const { gate, over } = this.#terms
    const { agent, upstream } = this.#bytes
    if (agent + upstream > 0) this.note(`${agent} bytes from the agent, ${upstream} bytes to it`)
    if (this.#settled) return
    this.#settled = true
    if (this.#permit !== null) gate.settle(this.#permit, 0, { status, code, rows: 0, bytes: upstream, masked: [] })
    over()
  }
}

function recordRefusal(error: unknown): Refusal {
  return journalRefusal(error) ?? refusal('record.unavailable')
}
