/** What the agent asks for on a session channel before its program runs: its key agent and its display, within the host's reach. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Channel } from '../channels/channel.ts'
import { ChannelViolation, Reader } from '../channels/messages.ts'
import { forwardCommand } from './facts.ts'
import type { Forwarding } from './forwarding.ts'
import type { Grant } from './grants.ts'
import type { Tunnel } from './tunnel.ts'

export type RequestedName = 'auth-agent-req@openssh.com' | 'x11-req'

export interface RequestedAbout {
  /** The channel has a terminal. */
  readonly tty: boolean
  /** Aborts when the channel is over. */
  readonly signal: AbortSignal
}

/** A request that was judged. */
export interface Requested {
  readonly name: RequestedName
  /** Null is permitted; a promise, that people are asked. It is settled already where it is refused. */
  readonly ruled: Refusal | null | Promise<Refusal | null>
  /** Sends it upstream, on the channel of the program. The record of it has to be durable; what was taken back is not sent. */
  send(upstream: Channel): void
  /** The session channel is over, or never came to a program: nothing more comes in by it. Safe to repeat. */
  release(): void
}

/** Judges such a request, with its body. Throws a ChannelViolation where the body is none. */
export function judgeRequested(
  forwarding: Forwarding,
  name: RequestedName,
  body: Buffer,
  { tty, signal }: RequestedAbout,
): Requested {
  const { user } = forwarding
  if (name === 'auth-agent-req@openssh.com') {
    const tunnel = forwarding.tunnel(forwardCommand({ kind: 'agent-forward', user, tty }), Buffer.alloc(0), {
      left: signal,
    })
    return requested(forwarding, name, tunnel, { type: 'auth-agent@openssh.com', single: false })
  }
  const read = readX11(body)
  if ('code' in read) {
    const ruled = forwarding.recordRefused(forwardCommand({ kind: 'x11', user, tty }), read)
    return { name, ruled, send() {}, release() {} }
  }
  const tunnel = forwarding.tunnel(forwardCommand({ kind: 'x11', user, tty, about: `screen ${read.screen}` }), body, {
    left: signal,
  })
  return requested(forwarding, name, tunnel, { type: 'x11', single: read.single })
}

const X11_PROTOCOL = /^[A-Za-z0-9-]{1,64}$/
const X11_COOKIE = /^([0-9a-fA-F]{2}){1,128}$/

/** RFC 4254, section 6.3.1. */
function readX11(body: Buffer): { readonly single: boolean; readonly screen: number } | Refusal {
  const reader = new Reader(body)
  const single = reader.boolean()
  const [protocol, cookie] = [reader.string().toString('latin1'), reader.string().toString('latin1')]
  const screen = reader.uint32()
  if (reader.rest().length > 0) throw new ChannelViolation('a request for X11 is longer than it should be')
  if (X11_PROTOCOL.test(protocol) && X11_COOKIE.test(cookie)) return { single, screen }
  return refusal('command.unparsable', 'the request for X11 could not be understood')
}

function requested(
  forwarding: Forwarding,
  name: RequestedName,
  tunnel: Tunnel,
  kind: Pick<Grant, 'type' | 'single'>,
): Requested {
  const grant: Grant = { ...kind, address: '', bound: '', port: 0, tunnel }
  let sent = false
  let released = false
  return {
    name,
    ruled: tunnel.rule(),
    send(upstream) {
      const taken = tunnel.start()
      if ('code' in taken) return
      sent = true
      // The host opens nothing before it has answered.
      upstream.request(name, Buffer.from(taken), (succeeded) => {
        if (!succeeded) tunnel.fail('request-refused')
        else if (!released && tunnel.ended === null) forwarding.grants.add(grant)
      })
    },
    release() {
      if (released) return
      released = true
      forwarding.grants.remove(grant)
      if (sent) tunnel.last()
      else tunnel.fail('', 'skipped')
    },
  }
}
