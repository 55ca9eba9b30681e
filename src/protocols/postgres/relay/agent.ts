/** The agent's side of a session: its messages one after the other, each to what judges it. */
import type { Permit } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { FRAME, type FrameReader, NONE } from '../framing.ts'
import { decodeFrontend, FRONTEND, ProtocolViolation } from '../messages.ts'
import { newToken, refusedCopy, refusedQuery, TERMINATE } from '../origination.ts'
import type { Execution } from './execution.ts'
import { ExtendedQuery } from './extended.ts'
import { refused, type Relay } from './relay.ts'
import { SimpleQuery } from './simple.ts'

export interface AgentPauses {
  pause(): void
  resume(): void
}

export class AgentSide {
  readonly #relay: Relay
  readonly #reader: FrameReader
  readonly #simple: SimpleQuery
  readonly #extended: ExtendedQuery
  readonly #reading: AgentPauses
  readonly #failed: (error: unknown) => void
  /** A message waits for people, for the parser's thread, or for the server: those behind it wait too. */
  #waiting = false
  #copying: Execution | null = null
  /** A large CopyData of which more is to come. */
  #inPiece = false
  /** The agent has said Terminate. */
  #terminated = false

  constructor(relay: Relay, reader: FrameReader, reading: AgentPauses, failed: (error: unknown) => void) {
    this.#relay = relay
    this.#reading = reading
    this.#failed = failed
    this.#reader = reader
    const revoked = (because: Refusal, permit: () => Permit | null) => this.#revoked(because, permit())
    this.#simple = new SimpleQuery(relay, revoked)
    this.#extended = new ExtendedQuery(relay, revoked)
  }

  get terminated(): boolean {
    return this.#terminated
  }

  /** Begins with what the agent sent before it was welcome. */
  begin(): void {
    this.#run()
  }

  /** A chunk of the agent's, in memory that is the relay's own: permits hold on to views of it. */
  receive(chunk: Buffer): void {
    this.#reader.feed(chunk)
    if (!this.#waiting) return this.#run()
    // Reading goes on while a message waits, so that the agent's leaving is noticed; up to a bound.
    if (this.#reader.buffered > this.#relay.limits.inFlight) this.#reading.pause()
  }

  #run(): void {
    const reader = this.#reader
    for (let kind = reader.next(); kind !== NONE && !this.#terminated; kind = reader.next()) {
      const waits = kind === FRAME ? this.#frame() : this.#copyData()
      if (waits === undefined) continue
      this.#wait(waits)
      break
    }
    this.#relay.outgoing.flush()
  }

  #wait(waits: Promise<void>): void {
    this.#waiting = true
    waits.then(
      () => {
        this.#waiting = false
        this.#reading.resume()
        try {
          this.#run()
        } catch (error) {
          this.#failed(error)
        }
      },
      (error: unknown) => this.#failed(error),
    )
  }

  #frame(): void | Promise<void> {
    const { type, buffer, start, end } = this.#reader
    const { refreshing } = this.#relay
    if (refreshing !== null) return refreshing.then(() => this.#message(type, buffer, start, end))
    if (type !== FRONTEND.Sync || !this.#relay.skipping) {
      const barrier = this.#extended.waits(type === FRONTEND.Sync)
      if (barrier !== undefined) return barrier.then(() => this.#message(type, buffer, start, end))
    }
    return this.#message(type, buffer, start, end)
  }

  #message(type: number, buffer: Buffer, start: number, end: number): void | Promise<void> {
    switch (type) {
      case FRONTEND.Bind:
        return this.#extended.bind(buffer, start, end)
      case FRONTEND.Describe:
        return this.#extended.describe(buffer, start, end)
      case FRONTEND.Execute:
        return this.#extended.execute(buffer, start, end)
      case FRONTEND.Sync:
        // In the midst of COPY data the server ignores it.
        return this.#copying === null ? this.#extended.sync() : undefined
      case FRONTEND.Query:
        return this.#query(buffer, start, end)
      case FRONTEND.Parse:
        return this.#extended.parse(buffer, start, end)
      case FRONTEND.Close:
        return this.#extended.close(buffer, start, end)
      case FRONTEND.Flush:
        return this.#copying === null ? this.#extended.flush() : undefined
      case FRONTEND.CopyData:
        return this.#copyData()
      case FRONTEND.CopyDone:
      case FRONTEND.CopyFail:
        return this.#copyEnds(type, buffer, start, end)
      case FRONTEND.FunctionCall:
        return this.#functionCall(buffer, start, end)
      case FRONTEND.Terminate:
        return this.#terminate()
      default:
        throw new ProtocolViolation('the agent', `a message of type ${String.fromCharCode(type)} is not expected here`)
    }
  }

  #query(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.#extended.release()
    if (waits !== undefined) return waits.then(() => this.#query(buffer, start, end))
    // The server drops a Query that comes before the Sync that it waits for, without a word.
    return this.#relay.skipping ? undefined : this.#simple.query(buffer, start, end)
  }

  /** One CopyData frame, or a part of a large one. What no COPY waits for is dropped, as the server would. */
  #copyData(): void {
    const { buffer, start, end, remaining } = this.#reader
    if (!this.#inPiece) this.#copying = this.#relay.copies[0] ?? null
    this.#inPiece = remaining > 0
    const execution = this.#copying
    if (execution === null || execution.settled || !execution.permit.streaming) return
    execution.bytes += end - start
    this.#relay.outgoing.stream(execution.permit, buffer.subarray(start, end))
  }

  #copyEnds(type: number, buffer: Buffer, start: number, end: number): void {
    if (type === FRONTEND.CopyFail) decodeFrontend(buffer, start, end)
    const execution = this.#relay.copies.shift()
    this.#copying = null
    if (execution === undefined || execution.settled || !execution.permit.streaming) return
    this.#relay.outgoing.stream(execution.permit, buffer.subarray(start, end))
  }

  /** The policy no longer permits a COPY that runs: it ends as a failed one, if its data stands between two messages. */
  #revoked(because: Refusal, permit: Permit | null): void {
    const { copies, outgoing } = this.#relay
    const execution = copies.find((copy) => copy.permit === permit)
    // Of a COPY whose data has all been sent, nothing is left to be refused.
    if (execution === undefined) return
    if (this.#inPiece || !outgoing.empty || execution !== copies[0]) return this.#relay.end(because)
    const token = newToken()
    copies.shift()
    this.#copying = null
    this.#relay.stop(execution, because, token)
    outgoing.originate(refusedCopy(token))
    outgoing.flush()
  }

  /** The second door to every function: what it calls cannot be judged by a text. */
  #functionCall(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.#extended.release()
    if (waits !== undefined) return waits.then(() => this.#functionCall(buffer, start, end))
    if (this.#relay.skipping) return undefined
    const because = refusal('command.unsupported', 'FunctionCall is not permitted', 'call the function in a SELECT')
    this.#relay.refuse('', because)
    return this.#relay.substitute(refused(because), refusedQuery, { ready: true })
  }

  #terminate(): void {
    this.#terminated = true
    this.#relay.outgoing.originate(TERMINATE)
  }
}
