/** The agent's side of a session: its messages one after the other, each to what judges it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Permit } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { FRAME, type FrameReader, NONE } from '../framing.ts'
import { decodeFrontend, FRONTEND, ProtocolViolation } from '../messages.ts'
import { FLUSH, newToken, refusedCopy, refusedQuery, TERMINATE } from '../origination.ts'
import type { Execution } from './execution.ts'
import { ExtendedQuery } from './extended.ts'
import { refused } from './refused.ts'
import type { Relay } from './relay.ts'
import { SimpleQuery } from './simple.ts'

/** What may come while a COPY takes data. PostgreSQL itself ends the connection at all else. */
/** How long a COPY may take to fail on the data before a message that has no place within it. */
const STRAY_MS = 1_000

const WITHIN_COPY: ReadonlySet<number> = new Set([
  FRONTEND.CopyData,
  FRONTEND.CopyDone,
  FRONTEND.CopyFail,
  FRONTEND.Sync,
  FRONTEND.Flush,
  FRONTEND.Terminate,
])

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
  /** A COPY in whose data the agent sent a Sync: the server ignores it, unless the COPY fails before. */
  #synced: Execution | null = null
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
      void this.#wait(waits)
      break
    }
    this.#relay.outgoing.flush()
    this.#relay.watch()
  }

  /** Goes on with the message behind this one when this one is done with. */
  async #wait(message: Promise<void>): Promise<void> {
    this.#waiting = true
    try {
      await message
      this.#waiting = false
      this.#reading.resume()
      if (!this.#relay.over) this.#run()
    } catch (error) {
      this.#failed(error)
    }
  }

  #frame(): void | Promise<void> {
    const { type, buffer, start, end } = this.#reader
    return this.#admit(type, buffer, start, end)
  }

  /** A message comes to its turn when all that it must wait for is over. */
  #admit(type: number, buffer: Buffer, start: number, end: number): void | Promise<void> {
    const relay = this.#relay
    if (relay.over) return
    const barrier = relay.blocked ?? this.#limited(type === FRONTEND.Sync)
    if (barrier !== null) return barrier.then(() => this.#admit(type, buffer, start, end))
    const [copy] = relay.copies
    if (copy === undefined || WITHIN_COPY.has(type)) return this.#message(type, buffer, start, end)
    // Where the server does not take the data, the COPY has failed, and what comes is not within it.
    if (!copy.taking) return relay.sent(copy.answered()).then(() => this.#admit(type, buffer, start, end))
    // It may have failed on data that is on its way; where the server says nothing, it would not take the message either.
    return relay.sent(Promise.race([copy.finished(), sleep(STRAY_MS)])).then(() => {
      if (copy.settled) return this.#admit(type, buffer, start, end)
      throw new ProtocolViolation('the agent', `a message of type ${String.fromCharCode(type)} came within COPY data`)
    })
  }

  /**
   * A limited execution may turn out to have failed after the server was done with it. What follows it must then not
   * run, so it waits; only the Sync of a segment that does nothing else may go on, since a transaction that has only
   * read ends the same way whether it is committed or not.
   */
  #limited(syncing: boolean): Promise<void> | null {
    const relay = this.#relay
    const { limited } = relay
    if (limited === null || (syncing && relay.skipping)) return null
    relay.limited = null
    // Of a Query, the answer that follows it belongs to it as well.
    if (limited.query) return relay.sent(relay.replies.answered())
    const { execution } = limited
    if (execution.settled || (syncing && relay.status === 'I' && relay.executions === 1)) return null
    relay.outgoing.originate(FLUSH)
    return relay.sent(execution.finished())
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
        return this.#sync()
      case FRONTEND.Query:
        return this.#query(buffer, start, end)
      case FRONTEND.Parse:
        return this.#extended.parse(buffer, start, end)
      case FRONTEND.Close:
        return this.#extended.close(buffer, start, end)
      case FRONTEND.Flush:
        // In the midst of COPY data the server ignores it.
        return this.#relay.copies.length === 0 ? this.#extended.flush() : undefined
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

  /** Whether the server heeds a Sync within a COPY hangs on whether it takes the data; so that has to be known. */
  #sync(): void | Promise<void> {
    const copy = this.#relay.copies[0]
    if (copy === undefined) return this.#extended.sync()
    if (!copy.taking) return this.#relay.sent(copy.answered()).then(() => this.#admitSync())
    if (this.#synced === copy) return
    this.#synced = copy
    void this.#syncAfter(copy)
  }

  async #syncAfter(copy: Execution): Promise<void> {
    await copy.finished()
    if (this.#synced !== copy || this.#relay.over) return
    this.#synced = null
    await this.#extended.sync()
    this.#relay.outgoing.flush()
  }

  #admitSync(): void | Promise<void> {
    return this.#relay.over ? undefined : this.#sync()
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
    this.#copying = this.#synced = null
    if (execution === undefined || execution.settled || !execution.permit.streaming) return
    this.#relay.outgoing.stream(execution.permit, buffer.subarray(start, end))
  }

  /** The policy no longer permits a COPY that runs: it ends as a failed one, if its data stands between two messages. */
  #revoked(because: Refusal, permit: Permit | null): void {
    const { copies, outgoing } = this.#relay
    const execution = copies.find((copy) => copy.permit === permit)
    // Of a COPY whose data has all been sent, nothing is left to be refused.
    if (execution === undefined) return
    if (this.#inPiece || execution !== copies[0]) return this.#relay.end(because)
    const token = newToken()
    copies.shift()
    this.#copying = this.#synced = null
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
