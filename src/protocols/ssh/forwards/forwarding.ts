/**
 * Forwards of one connection, in all their forms. What is forwarded is opaque to Sidegate: a forward is judged by where it leads,
 * counted, timed and recorded, and nobody looks inside.
 */
import type { Logger } from 'pino'
import type { Client, Connection as ServerConnection } from 'ssh2'
import type { Command } from '../../../gate/command.ts'
import type { Gate } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import type { ChannelOpen, Channels } from '../channels/channels.ts'
import { OPEN_FAILURE } from '../channels/messages.ts'
import { UpstreamError } from '../legs.ts'
import { quoted } from './destination.ts'
import { forwardCommand } from './facts.ts'
import { Grants } from './grants.ts'
import { listen } from './listeners.ts'
import { readOutbound, serveOutbound } from './outbound.ts'
import { openFailure } from './refusal.ts'
import { judgeRequested, type Requested, type RequestedAbout, type RequestedName } from './requested.ts'
import { type Lookup, systemLookup } from './resolve.ts'
import { Tunnel } from './tunnel.ts'

/** The upstream leg, and its channels. */
export interface UpstreamSide {
  readonly client: Client
  readonly channels: Channels
}

export interface ForwardingOptions {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  /** The login name upstream. */
  readonly user: string
  readonly client: ServerConnection
  readonly channels: Channels
  /** The upstream leg, dialled when first asked for. Rejects with {@link UpstreamError}. */
  readonly upstream: () => Promise<UpstreamSide>
  readonly limits: { readonly channels: number }
  /** How names become addresses; the system's way by default. */
  readonly lookUp?: Lookup
}

interface TunnelAbout {
  /** It was ended from within. */
  readonly cut?: () => void
  /** Aborts when whoever asked has left before the connection does. */
  readonly left?: AbortSignal
}

export class Forwarding {
  readonly user: string
  readonly limits: { readonly channels: number }
  readonly lookUp: Lookup
  /** The channels of the agent's leg. */
  readonly agent: Channels
  readonly grants: Grants = new Grants(this)
  readonly #options: ForwardingOptions
  readonly #tunnels = new Set<Tunnel>()
  readonly #left = new AbortController()

  /** From now on the agent's global requests are served; channels are once they are told. */
  constructor(options: ForwardingOptions) {
    const { user, limits, channels, client, lookUp = systemLookup } = options
    this.#options = options
    this.user = user
    this.limits = limits
    this.lookUp = lookUp
    this.agent = channels
    listen(this, client)
  }

  /** Forwards that are under way, listeners and granted requests among them. */
  get size(): number {
    return this.#tunnels.size
  }

  /** The agent asks for a channel that is no session. Always answered, now or later. */
  open(offer: ChannelOpen): true {
    const outbound = readOutbound(offer)
    if (outbound === null) this.#unknown(offer)
    else void serveOutbound(this, offer, outbound)
    return true
  }

  /**
   * No more connections may be asked for: too many that the agent has closed still hold what it sent, and a destination that does
   * not take it. The limit of the agent's own channels knows nothing of these.
   */
  get full(): boolean {
    let stuck = 0
    for (const tunnel of this.#tunnels) if (tunnel.stuck) stuck++
    return stuck >= this.limits.channels
  }

  #unknown(offer: ChannelOpen): void {
    const command = forwardCommand({ kind: 'forward', user: this.user, about: `channel of type ${quoted(offer.type)}` })
    const because = refusal('command.unsupported', 'channels of this type are not forwarded')
    this.refuseUnjudged(offer, command, because, OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE)
  }

  /** The upstream host asks for a channel. Always answered, now or later. */
  incoming(offer: ChannelOpen): true {
    this.grants.serve(offer)
    return true
  }

  /** Judges what a session channel asks for before its program: see {@link Requested}. */
  requested(name: RequestedName, body: Buffer, about: RequestedAbout): Requested {
    return judgeRequested(this, name, body, about)
  }

  /**
   * The connection ends, because of what is given, or since it is gone: what is under way is cut and settled. To be called
   * before the gate's session is closed.
   */
  close(because: Refusal | null): void {
    this.#left.abort()
    for (const tunnel of this.#tunnels) {
      if (because === null) tunnel.lost()
      else tunnel.end(because, 'cancelled')
    }
  }

  /** What goes through under one permit, asked for and settled here. */
  tunnel(command: Command, bytes: Uint8Array, { cut, left }: TunnelAbout = {}): Tunnel {
    const { gate, session } = this.#options
    const over = () => this.#tunnels.delete(tunnel)
    const signal = left === undefined ? this.#left.signal : AbortSignal.any([this.#left.signal, left])
    const terms = { gate, session, command, bytes, signal, over }
    const tunnel: Tunnel = new Tunnel(cut === undefined ? terms : { ...terms, cut })
    this.#tunnels.add(tunnel)
    return tunnel
  }

  upstream(): Promise<UpstreamSide> {
    return this.#options.upstream()
  }

  /** Records what policy was not asked about. */
  recordRefused(command: Command, because: Refusal): Refusal {
    const { gate, session } = this.#options
    return gate.refuse(session, command, because)
  }

  refuseUnjudged(offer: ChannelOpen, command: Command, because: Refusal, reason?: number): void {
    const failure = openFailure(this.recordRefused(command, because))
    offer.refuse(reason ?? failure.reason, failure.description)
  }

  /** What an agent may know of an error. */
  failure(error: unknown): Refusal {
    if (error instanceof UpstreamError) return error.refusal
    this.#options.log.warn({ err: error }, 'a forward failed')
    return refusal('upstream.unavailable', 'the target would not do this')
  }
}
