/** One agent's connection from the end of authentication to its last byte: its channels, and the leg that they need upstream. */
import type { Logger } from 'pino'
import type { SshTargetConfig } from '../../config/schema.ts'
import type { Gate } from '../../gate/gate.ts'
import { type Refusal, refusal } from '../../gate/refusal.ts'
import type { Session } from '../../gate/session.ts'
import { deadline, watchActivity } from '../../net/timers.ts'
import { type ChannelOpen, Channels } from './channels/channels.ts'
import { ChannelViolation } from './channels/messages.ts'
import { failureRefusal } from './channels/failure.ts'
import type { Setting, Upstream } from './channels/program.ts'
import { SessionChannel } from './channels/session-channel.ts'
import type { Commands } from './commands.ts'
import { Forwarding } from './forwards/forwarding.ts'
import type { AgentLeg, UpstreamLeg } from './legs.ts'

export interface Around {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  readonly config: SshTargetConfig
  readonly commands: Commands
  /** The login name upstream. */
  readonly user: string
  /** Dials the host. Fails with an {@link UpstreamError}. */
  connect(signal: AbortSignal): Promise<UpstreamLeg>
  /** Aborts when the sidecar shuts down. */
  readonly signal: AbortSignal
}

/** An agent that was told why has this long to leave by itself: a DISCONNECT would drop what it has not written out yet. */
const FAREWELL_MS = 1_000
/** Then it is told to, and after as long again it is cut off. */
const LINGER_MS = 4_000
/** What runs has this long to end at a shutdown; the sidecar's patience, 10 s, ends without a word. */
const LAST_WORDS_MS = 7_000

export class Conversation {
  /** Resolves with the reason when nothing is listened to any more; everything is settled. */
  readonly ended: Promise<string>
  /** Resolves when the agent's connection is gone. */
  readonly closed: Promise<void>
  readonly #around: Around
  readonly #leg: AgentLeg
  readonly #agent: Channels
  readonly #forwarding: Forwarding
  readonly #setting: Setting
  readonly #programs = new Set<SessionChannel>()
  readonly #leaving = new AbortController()
  readonly #timers: (() => void)[] = []
  readonly #resolve: (reason: string) => void
  readonly #gone = Promise.withResolvers<void>()
  #dialling: Promise<Upstream> | null = null
  #upstream: { readonly leg: UpstreamLeg; readonly channels: Channels } | null = null
  #ending: string | null = null
  #over = false

  constructor(leg: AgentLeg, around: Around) {
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    this.closed = this.#gone.promise
    this.#resolve = resolve
    this.#leg = leg
    this.#around = around
    const { limits } = around.config
    this.#agent = new Channels(leg.client, {
      window: limits.inFlight,
      most: limits.channels,
      open: (open) => this.#opened(open),
      violated: (violation) => this.#violated(violation),
    })
    const upstream = () => this.#connected()
    const { client } = leg
    this.#forwarding = new Forwarding({ ...around, client, channels: this.#agent, upstream, limits })
    this.#setting = {
      ...around,
      forcedCommand: leg.proven.restriction?.forcedCommand ?? null,
      upstream,
      forwarding: this.#forwarding,
      failed: (error) => this.#failed(error),
    }
  }

  /** From now on the agent's channels are served, and the host is dialled. */
  begin(): void {
    const { client } = this.#leg
    const { config, signal } = this.#around
    client.on('error', (error: Error) => this.#wentWrong("the agent's connection failed", error))
    client.once('end', () => this.#finish('agent left'))
    const gone = (): void => {
      this.#finish('agent left')
      this.#gone.resolve()
    }
    if (this.#agent.closed) return gone()
    client.once('close', gone)
    this.#timers.push(
      deadline(config.limits.duration, () =>
        this.end(refusal('session.limit', 'the session lasted for too long'), 'duration'),
      ),
      watchActivity(
        () => this.#agent.activity + (this.#upstream?.channels.activity ?? 0),
        config.limits.idle,
        () => this.end(refusal('session.limit', 'the session was idle for too long'), 'idle'),
      ),
    )
    if (signal.aborted) this.#shutdown()
    else signal.addEventListener('abort', this.#shutdown, { once: true })
    // Most agents come to do something: the host is there by the time that they say what. What fails now fails again then.
    this.#connected().catch(() => {})
  }

  /** Ends all channels, each of which is told why, and then the connection. */
  end(because: Refusal, reason: string): void {
    if (this.#ending !== null || this.#over) return
    this.#ending = reason
    for (const program of this.#programs) program.end(because)
    this.#forwarding.close(because)
    this.#timers.push(
      deadline(FAREWELL_MS, () => this.#agent.disconnect('application')),
      deadline(FAREWELL_MS + LINGER_MS, () => this.#finish(reason)),
    )
    if (this.#programs.size === 0) this.#agent.disconnect('application')
  }

  #opened(open: ChannelOpen): boolean {
    if (this.#ending !== null || this.#over) return false
    if (open.type !== 'session') return this.#forwarding.open(open)
    const program = new SessionChannel(this.#setting, open.accept(), () => {
      this.#programs.delete(program)
      if (this.#programs.size === 0) this.#drained()
    })
    this.#programs.add(program)
    return true
  }

  #drained(): void {
    // The last words of the last channel were read; OpenSSH leaves by itself now.
    if (this.#around.signal.aborted) this.#goodbye()
  }

  #connected(): Promise<Upstream> {
    this.#dialling ??= this.#dial().catch((error: unknown) => {
      // The next command tries again.
      this.#dialling = null
      throw error
    })
    return this.#dialling
  }

  async #dial(): Promise<Upstream> {
    const { config, connect, log } = this.#around
    const leg = await connect(this.#leaving.signal)
    const { client, software, host } = leg
    client.on('error', (error: Error) => this.#wentWrong("the target's connection failed", error))
    for (const event of ['end', 'close']) client.once(event as 'end', () => this.#upstreamLost())
    const channels = new Channels(client, {
      window: config.limits.inFlight,
      // Nothing is opened from there but what was forwarded, which is asked for.
      most: config.limits.channels,
      open: (open) => open.type !== 'session' && this.#forwarding.incoming(open),
      violated: (violation) => log.warn({ reason: violation.message }, 'the target broke the protocol'),
    })
    log.debug({ software, host }, 'the target is connected')
    this.#upstream = { leg, channels }
    if (this.#over) this.#leaveUpstream()
    return { channels, software, client }
  }

  #upstreamLost(): void {
    this.#upstream?.channels.lost()
    if (this.#ending === null && !this.#over) {
      this.end(refusal('upstream.unavailable', 'the connection to the target was lost'), 'target left')
    }
  }

  #violated(violation: Error): void {
    this.#around.log.info({ reason: violation.message }, 'the agent broke the protocol')
    this.#finish('protocol.violation')
  }

  /** ssh2 says of what went wrong on the wire where it did; what it does not is a defect of Sidegate. */
  #wentWrong(what: string, error: Error): void {
    const { log } = this.#around
    if ('level' in error || 'code' in error) log.debug({ reason: error.message }, what)
    else log.error({ err: error }, what)
  }

  #failed(error: unknown): void {
    if (error instanceof ChannelViolation) {
      this.#agent.disconnect('violation')
      return this.#violated(error)
    }
    this.#around.log.error({ err: error }, 'a channel failed, and ends the connection')
    this.end(failureRefusal(error), 'failed')
  }

  /** What is under way is finished first; the listener's own deadline bounds how long that may take. */
  readonly #shutdown = (): void => {
    if (this.#programs.size === 0) return this.#goodbye()
    this.#timers.push(deadline(LAST_WORDS_MS, () => this.#goodbye()))
  }

  #goodbye(): void {
    this.end(refusal('session.limit', 'the sidecar is shutting down'), 'shutdown')
  }

  /** Nothing is heard of either side any more. */
  #finish(reason: string): void {
    if (this.#over) return
    this.#over = true
    for (const stop of this.#timers) stop()
    this.#around.signal.removeEventListener('abort', this.#shutdown)
    this.#leaving.abort()
    // Every program is told that its agent has left, and settles.
    this.#agent.lost()
    this.#forwarding.close(null)
    this.#leaveUpstream()
    this.#resolve(this.#ending ?? reason)
    this.#agent.disconnect('application')
    const cut = setTimeout(() => this.#agent.destroy(), LINGER_MS)
    void this.closed.then(() => clearTimeout(cut))
  }

  #leaveUpstream(): void {
    if (this.#upstream === null) return
    const { leg, channels } = this.#upstream
    channels.disconnect('application')
    channels.lost()
    const cut = setTimeout(() => channels.destroy(), LINGER_MS).unref()
    leg.client.once('close', () => clearTimeout(cut))
  }
}
