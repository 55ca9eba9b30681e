/** What goes both ways while a program runs: within its limits, on record, and given back to a side's window once the other has it. */
import type { Permit } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import type { Allowance } from '../../../stream/allowance.ts'
import type { Recording } from '../../../stream/recording.ts'
import type { AgentEnd } from './agent-end.ts'
import type { Channel } from './channel.ts'
import { bufferOf } from './messages.ts'
import type { Stream } from './outgoing.ts'

export interface FlowTerms {
  readonly agent: AgentEnd
  readonly upstream: Channel
  readonly permit: Permit
  readonly recording: Recording
  readonly allowance: Allowance
  /** A limit is reached: what was let through is on its way. */
  exhausted(because: Refusal): void
  /** It could not be recorded. */
  failed(error: unknown): void
}

export class ProgramFlow {
  readonly #terms: FlowTerms
  /** Bytes that were taken and not yet given back to each side's window. */
  readonly #unpaid = { agent: 0, upstream: 0 }
  #ended = false

  constructor(terms: FlowTerms) {
    this.#terms = terms
  }

  output(bytes: Buffer, stream: Stream): void {
    const { agent, allowance, exhausted } = this.#terms
    const part = this.#take(bytes, stream === 'data' ? 'output' : 'error')
    if (part === null) return
    agent.write(part, stream)
    if (part.length < bytes.length) return exhausted(allowance.exhausted)
    this.#unpaid.upstream += bytes.length
    this.payUpstream()
  }

  input(bytes: Buffer): void {
    const { upstream, permit, allowance, exhausted } = this.#terms
    const part = this.#take(bytes, 'input')
    if (part === null) return
    upstream.write(bufferOf(permit.pass(part)))
    if (part.length < bytes.length) return exhausted(allowance.exhausted)
    this.#unpaid.agent += bytes.length
    this.payAgent()
  }

  payUpstream(): void {
    const { agent, upstream } = this.#terms
    if (this.#unpaid.upstream === 0 || agent.full) return
    upstream.credit(this.#unpaid.upstream)
    this.#unpaid.upstream = 0
  }

  payAgent(): void {
    const { agent, upstream } = this.#terms
    if (this.#unpaid.agent === 0 || upstream.full) return
    agent.credit(this.#unpaid.agent)
    this.#unpaid.agent = 0
  }

  end(): void {
    this.#ended = true
    this.#terms.allowance.end()
  }

  /** What may pass, on record; null where nothing does any more. */
  #take(bytes: Buffer, name: Parameters<Recording['bytes']>[0]): Buffer | null {
    if (this.#ended) return null
    const { allowance, recording, failed } = this.#terms
    const passed = allowance.take(bytes.length)
    const part = passed === bytes.length ? bytes : bytes.subarray(0, passed)
    try {
      recording.bytes(name, part)
    } catch (error) {
      failed(error)
    }
    return this.#ended ? null : part
  }
}
