/**
 * Connections that come back: what the upstream host opens towards the agent. Each needs a grant that the agent asked for, and
 * that policy allowed: a listener of a remote forward, the agent's key agent, or its X11 display.
 */
import type { Channel } from '../channels/channel.ts'
import { type ChannelOpen, OpenFailed } from '../channels/channels.ts'
import { fields, OPEN_FAILURE, Reader } from '../channels/messages.ts'
import type { Forwarding } from './forwarding.ts'
import { relayedFailure } from './refusal.ts'
import type { Tunnel } from './tunnel.ts'

export interface Grant {
  /** The type of the channels that it lets in. */
  readonly type: string
  /** Of a listener: its address or its socket's path, as the agent wrote it and as it was judged; and its real port. */
  readonly address: string
  readonly bound: string
  readonly port: number
  /** For one connection only. */
  readonly single: boolean
  readonly tunnel: Tunnel
}

/** What an offer says of itself, and of the listener that it came in by. */
interface Incoming {
  readonly address: string
  readonly port: number
  /** Who connected, for the record. */
  readonly peer: string
  /** What the agent's side is told, by the grant. */
  readonly body: (grant: Grant) => Buffer
}

/** RFC 4254, sections 7.2 and 6.3.2; OpenSSH's PROTOCOL, sections 2.4 and 2.1. */
const INCOMING: Readonly<Record<string, (body: Reader) => Incoming>> = {
  'forwarded-tcpip': (reader) => {
    const [address, port] = [reader.string().toString(), reader.uint32()]
    const [origin, originPort] = [reader.string(), reader.uint32()]
    const body = (grant: Grant) => fields(grant.address, grant.port, origin, originPort)
    return { address, port, peer: `${origin.toString()} port ${originPort}`, body }
  },
  'forwarded-streamlocal@openssh.com': (reader) => {
    const address = reader.string().toString()
    return { address, port: 0, peer: 'a socket', body: (grant) => fields(grant.address, '') }
  },
  x11: (reader) => {
    const [origin, originPort] = [reader.string(), reader.uint32()]
    return {
      address: '',
      port: 0,
      peer: `${origin.toString()} port ${originPort}`,
      body: () => fields(origin, originPort),
    }
  },
  'auth-agent@openssh.com': () => ({ address: '', port: 0, peer: 'the key agent', body: () => Buffer.alloc(0) }),
}

export class Grants {
  readonly #forwarding: Forwarding
  readonly #live = new Set<Grant>()
  /** Channels that the agent was asked for and has not answered. */
  #opening = 0

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding
  }

  get size(): number {
    return this.#live.size
  }

  add(grant: Grant): void {
    this.#live.add(grant)
  }

  /** Nothing more comes in by it. */
  remove(grant: Grant): boolean {
    return this.#live.delete(grant)
  }

  /** A listener, by what was judged. */
  listener(type: string, bound: string, port: number): Grant | undefined {
    return this.#of(type).find((grant) => grant.bound === bound && grant.port === port)
  }

  /** The upstream host asks for a channel. */
  serve(offer: ChannelOpen): void {
    const reader = INCOMING[offer.type]
    if (reader === undefined) return offer.refuse(OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE, '')
    const incoming = reader(new Reader(offer.body))
    const grant = this.#grantFor(offer.type, incoming)
    if (grant === undefined || grant.tunnel.ended !== null)
      return offer.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, '')
    const { agent, limits } = this.#forwarding
    if (agent.size + this.#opening >= limits.channels) return offer.refuse(OPEN_FAILURE.RESOURCE_SHORTAGE, '')
    if (grant.single) this.remove(grant)
    void this.#connect(offer, grant, incoming)
  }

  async #connect(offer: ChannelOpen, grant: Grant, incoming: Incoming): Promise<void> {
    const { tunnel } = grant
    const opened = (agent: Channel) => {
      tunnel.note(`connection from ${incoming.peer}`)
      if (tunnel.ended === null) return tunnel.join(agent, offer.accept())
      agent.abort()
      offer.refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, '')
    }
    this.#opening++
    try {
      await this.#forwarding.agent.open(offer.type, incoming.body(grant), opened)
    } catch (error) {
      const { reason, message } = error instanceof OpenFailed ? error : new OpenFailed(OPEN_FAILURE.CONNECT_FAILED, '')
      const failure = relayedFailure(reason, message)
      offer.refuse(failure.reason, failure.description)
    } finally {
      this.#opening--
    }
  }

  /** Servers name a listener in their own words (`0.0.0.0` for none); its port is then what makes it certain. */
  #grantFor(type: string, { address, port }: Incoming): Grant | undefined {
    const all = this.#of(type)
    if (type === 'x11' || type === 'auth-agent@openssh.com') return all.at(-1)
    const exact = this.listener(type, address, port)
    if (exact !== undefined || port === 0) return exact
    const samePort = all.filter((grant) => grant.port === port)
    return samePort.length === 1 ? samePort[0] : undefined
  }

  #of(type: string): Grant[] {
    return [...this.#live].filter((grant) => grant.type === type)
  }
}
