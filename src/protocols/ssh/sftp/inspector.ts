/**
 * Stands between the raw streams of an `sftp` channel, the agent's and the server's, and says what is to be done about
 * their packets. It does nothing itself: bytes go in, {@link Step}s come out, to be done in their order.
 *
 *     agent's bytes ──▶ fromAgent ──▶ judge ─────▶ gate ──▶ ruled ──▶ forward (the permit's own bytes)
 *                                 ├─▶ stream (READ, WRITE, READDIR, FSTAT, CLOSE by the permit of the handle's OPEN)
 *                                 ├─▶ originate (Sidegate's own: INIT, REALPATH, LSTAT, limits)
 *                                 └─▶ answer, refuse (a STATUS, and its record)
 *     server's bytes ─▶ fromServer ─▶ answer, settle, transfer; and what waited for the answer goes on
 *
 * Every request of the agent is answered once, under its own id: by the server, or by a STATUS where it was refused. A
 * request is taken up when those before it are judged, so that nothing overtakes what it depends on; what waits is in
 * `buffered`, and whoever reads the agent's stream pauses while that is much. Whatever is no packet of version 3 is a
 * violation, after which the channel has to end; so are answers that nobody asked for.
 *
 * A judged packet is sent as it was judged: with its paths absolute and resolved, whatever the agent wrote.
 */
import type { Verdict } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { AgentSide } from './agent.ts'
import { Exchange, LOST, type Settings } from './exchange.ts'
import type { OpenFile } from './handles.ts'
import { ProtocolViolation } from './packets/violation.ts'
import { ServerSide } from './server.ts'
import type { Judge, Step } from './steps.ts'

export class SftpInspector {
  readonly #exchange: Exchange
  readonly #agent: AgentSide
  readonly #server: ServerSide

  constructor(settings: Settings) {
    this.#exchange = new Exchange(settings)
    this.#agent = new AgentSide(this.#exchange)
    this.#server = new ServerSide(this.#exchange)
  }

  /** Bytes of the agent's that wait for what is before them. */
  get buffered(): number {
    return this.#agent.buffered
  }

  /** Nothing that the agent has sent waits to be judged. */
  get idle(): boolean {
    return this.#agent.idle
  }

  /** The open files by their handles' bytes (latin1). */
  get files(): ReadonlyMap<string, OpenFile> {
    return this.#exchange.files
  }

  /** A chunk that nobody writes to any more: permits hold on to views of it. */
  fromAgent(chunk: Buffer): Step[] {
    return this.#steps('agent', () => this.#agent.receive(chunk))
  }

  fromServer(chunk: Buffer): Step[] {
    const steps = this.#steps('server', () => this.#server.receive(chunk))
    return steps.concat(this.#steps('agent', () => this.#agent.resume()))
  }

  /** What the gate said to the last `judge`. After the end, a permit is left unused. */
  ruled(verdict: Verdict): Step[] {
    if (this.#exchange.phase !== 'over') return this.#steps('agent', () => this.#agent.ruled(verdict))
    if (verdict.kind === 'permitted') this.#exchange.settle(verdict.permit, { ...LOST, status: 'skipped' })
    return this.#exchange.steps()
  }

  /** The gate has taken back the permit of a `judge` that streams: from now on its handle can only be closed. */
  revoked(judge: Judge, because: Refusal): void {
    this.#agent.revoked(judge, because)
  }

  /** The bytes of a `stream` whose permit was taken back before they were sent. */
  undelivered(packet: Buffer): Step[] {
    return this.#steps('agent', () => this.#agent.undelivered(packet))
  }

  /** The channel is over, whoever ended it. */
  ended(): Step[] {
    this.#exchange.end()
    return this.#exchange.steps()
  }

  #steps(by: 'agent' | 'server', run: () => void): Step[] {
    const exchange = this.#exchange
    if (exchange.phase === 'over') return []
    try {
      run()
    } catch (violation) {
      if (!(violation instanceof ProtocolViolation)) throw violation
      exchange.end()
      exchange.step({ kind: 'violation', by, violation })
    }
    return exchange.steps()
  }
}
