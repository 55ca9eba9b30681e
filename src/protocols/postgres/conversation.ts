/** One session's two legs, from ReadyForQuery to the end of either. */
import type { Logger } from 'pino'
import type { PostgresTargetConfig } from '../../config/schema.ts'
import type { Gate } from '../../gate/gate.ts'
import { type Refusal, refusal } from '../../gate/refusal.ts'
import type { Session } from '../../gate/session.ts'
import { drained, forward } from '../../net/flow.ts'
import type { Leg } from '../../net/leg.ts'
import { watchIdle } from '../../net/timers.ts'
import type { FrameReader } from './framing.ts'
import { ProtocolViolation } from './messages.ts'
import { farewell } from './refusal.ts'
import { AgentSide } from './relay/agent.ts'
import type { Obligations } from './relay/obligations.ts'
import { Outgoing } from './relay/outgoing.ts'
import type { Analyses } from './relay/naming.ts'
import { Relay } from './relay/relay.ts'
import { ServerSide } from './relay/server.ts'

export interface Parties {
  readonly agent: Leg
  /** Holds what the agent sent before it was welcome. */
  readonly reader: FrameReader
  readonly upstream: Leg
  readonly upstreamReader: FrameReader
  /** Asks the server, over a connection of its own, to cancel what it does for this session. Never rejects. */
  cancel(): Promise<void>
}

export interface Setting {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  readonly limits: PostgresTargetConfig['limits']
  readonly analyses: Analyses
  readonly obligations: Obligations
  /** Settings that the server reports, and may not report otherwise: everything was judged under these. */
  readonly pinned: ReadonlyMap<string, string>
  /** The database's encoding, as the server reports it. */
  readonly encoding: string
  /** Aborts when the sidecar shuts down. */
  readonly signal: AbortSignal
}

const WAITS = 'a-message-waits'
const ANSWERS_WAIT = 'answers-wait'
const RECORDS_WAIT = 'records-wait'
/** How long the agent has to read its last answers before the connection is cut. */
const LINGER_MS = 5_000

/** An open transaction or a long statement has this long to end at a shutdown; the sidecar's patience, 10 s, ends without a word. */
const LAST_WORDS_MS = 8_000

export class Conversation {
  /** Resolves with the reason when nothing of either party is listened to any more. */
  readonly ended: Promise<string>
  readonly #closed = Promise.withResolvers<void>()
  readonly #parties: Parties
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #relay: Relay
  readonly #agentSide: AgentSide
  readonly #serverSide: ServerSide
  #lastWords: NodeJS.Timeout | null = null
  readonly #unwatch: () => void
  readonly #resolve: (reason: string) => void
  readonly #gate: Gate
  readonly #outgoing: Outgoing
  readonly #inFlight: number
  /** Bytes of the agent's that came since something waits for its record. */
  #unsent = 0
  #over = false
  #linger: NodeJS.Timeout | undefined

  constructor(parties: Parties, setting: Setting) {
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    this.#resolve = resolve
    this.#parties = parties
    this.#log = setting.log
    this.#signal = setting.signal
    this.#gate = setting.gate
    this.#inFlight = setting.limits.inFlight
    const { agent, upstream, reader } = parties
    this.#outgoing = new Outgoing(
      setting.gate,
      (bytes) => void forward(agent, upstream, bytes),
      (error) => this.#unrecorded(error),
      () => this.#sent(),
    )
    this.#relay = new Relay({
      ...setting,
      outgoing: this.#outgoing,
      toAgent: (bytes) => void forward(upstream, agent, bytes),
      // An agent that does not read its refusals is not asked for more.
      answer: (bytes) => {
        if (!agent.write(bytes)) agent.pause(ANSWERS_WAIT)
      },
      notify: (notice) => {
        if (!this.#serverSide.cut) agent.write(notice)
      },
      end: (because) => this.#end(because, because.code),
      cancel: () => parties.cancel(),
    })
    const reading = { pause: () => agent.pause(WAITS), resume: () => agent.resume(WAITS) }
    this.#agentSide = new AgentSide(this.#relay, reader, reading, (error) => this.#failed(error))
    this.#serverSide = new ServerSide(this.#relay, parties.upstreamReader, setting.pinned)
    this.#unwatch = watchIdle(
      () => [agent, upstream],
      setting.limits.idle,
      () => this.#idle(),
    )
    setting.signal.addEventListener('abort', this.#shutdown, { once: true })
  }

  /** The agent's leg is listened to from now on; its handlers. */
  readonly agent = {
    chunk: (bytes: Buffer): void => {
      this.#try(() => this.#agentSide.receive(Buffer.from(bytes)))
      this.#received(bytes.length)
    },
    end: (): void => this.#agentLeft(),
    drain: (): void => {
      this.#parties.agent.resume(ANSWERS_WAIT)
      drained(this.#parties.upstream)
    },
    close: (): void => {
      this.#agentLeft()
      this.#agentClosed()
    },
  }

  /** The server's leg; its handlers. */
  readonly upstream = {
    chunk: (bytes: Buffer): void => {
      this.#try(() => this.#serverSide.receive(Buffer.from(bytes)))
      if (this.#signal.aborted) this.#shutdown()
    },
    end: (): void => this.#serverLeft(),
    drain: (): void => drained(this.#parties.agent),
    close: (): void => this.#serverLeft(),
  }

  /** Reads what the agent sent while it was being connected. */
  begin(): void {
    this.#try(() => this.#agentSide.begin())
    if (this.#signal.aborted) this.#shutdown()
  }

  /** Resolves when the agent has read its last answers, or had the time to. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** The agent cancels: what waits for people, or else what the server does. */
  cancel(): void {
    if (!this.#relay.withdraw()) void this.#parties.cancel()
  }

  /** An operator ends the session: what runs is cancelled. */
  end(because: Refusal): void {
    this.#end(because, because.code)
  }

  /** Ends a conversation that did not begin. */
  abandon(): void {
    this.#agentLeft()
    this.#parties.agent.destroy()
    this.#parties.upstream.destroy()
    this.#agentClosed()
  }

  /** COPY data, above all, would fill the memory while a slow disk takes the records of whatever came before. */
  #received(bytes: number): void {
    if (this.#over || this.#outgoing.empty) return
    this.#unsent += bytes
    if (this.#unsent > this.#inFlight) this.#parties.agent.pause(RECORDS_WAIT)
  }

  #sent(): void {
    this.#unsent = 0
    this.#parties.agent.resume(RECORDS_WAIT)
  }

  #try(handle: () => void): void {
    if (this.#over) return
    try {
      handle()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (error instanceof ProtocolViolation) {
      return this.#end(refusal('protocol.violation', error.message), error.code)
    }
    this.#log.error({ err: error }, 'the session failed')
    this.#end(refusal('protocol.violation', 'the session failed inside the sidecar, and was ended'), 'failed')
  }

  #unrecorded(error: unknown): void {
    this.#log.error({ err: error }, 'what was permitted could not be recorded, and was not forwarded')
    this.#end(refusal('record.unavailable'), 'record.unavailable')
  }

  #idle(): void {
    this.#end(refusal('session.limit', 'the session was idle for too long'), 'idle', '57P05')
  }

  /** What is under way is finished first; the listener's own deadline bounds how long that may take. */
  readonly #shutdown = (): void => {
    if (this.#relay.idle) return this.#goodbye()
    this.#lastWords ??= setTimeout(() => this.#goodbye(), LAST_WORDS_MS).unref()
  }

  #goodbye(): void {
    this.#end(refusal('session.limit', 'the sidecar is shutting down'), 'shutdown', '57P01')
  }

  /** The agent has gone, with Terminate or without: nobody waits for what the server may still be doing. */
  #agentLeft(): void {
    if (this.#over) return
    const { agent, upstream } = this.#parties
    const { terminated } = this.#agentSide
    const busy = !this.#relay.replies.empty
    this.#finish(terminated ? 'agent terminated' : 'agent left')
    agent.end()
    if (busy || !terminated) this.#leaveServer(busy)
    else this.#gate.whenRecorded(() => upstream.end())
  }

  #serverLeft(): void {
    if (this.#over) return
    const { agent, upstream } = this.#parties
    this.#finish('server left')
    agent.end()
    upstream.destroy()
  }

  /** Ends both legs with a farewell to the agent. */
  #end(because: Refusal, reason: string, sqlstate?: string): void {
    if (this.#over) return
    const busy = !this.#relay.replies.empty
    this.#finish(reason)
    this.#parties.agent.end(farewell(because, sqlstate))
    this.#leaveServer(busy)
  }

  /** What was not sent stays unsent; what runs is cancelled, since the server would not notice that nobody waits. */
  #leaveServer(busy: boolean): void {
    const { upstream, cancel } = this.#parties
    this.#outgoing.close()
    if (busy) void cancel().finally(() => upstream.destroy())
    else upstream.destroy()
  }

  /** The agent's leg stays until all of it is read, for a while. */
  #finish(reason: string): void {
    const { agent } = this.#parties
    this.#over = true
    this.#unwatch()
    this.#signal.removeEventListener('abort', this.#shutdown)
    if (this.#lastWords !== null) clearTimeout(this.#lastWords)
    this.#relay.over = true
    this.#relay.withdraw()
    this.#serverSide.lost()
    this.#resolve(reason)
    // What the agent still sends is read and dropped: unread, it would make the kernel throw our last words away.
    agent.resume(WAITS)
    agent.resume(ANSWERS_WAIT)
    agent.resume(RECORDS_WAIT)
    if (agent.socket.destroyed) return this.#agentClosed()
    this.#linger = setTimeout(() => agent.destroy(), LINGER_MS)
  }

  #agentClosed(): void {
    clearTimeout(this.#linger)
    this.#closed.resolve()
  }
}
