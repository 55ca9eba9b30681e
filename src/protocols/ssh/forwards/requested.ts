/** What the agent asks for on a session channel before its program runs: its key agent and its display, within the host's reach. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { ChannelViolation, Reader } from '../channels/messages.ts'
import { forwardCommand } from './facts.ts'
import type { Forwarding } from './forwarding.ts'
import type { Grant } from './grants.ts'

/** A request that was judged. */
export interface Requested {
  /** Null is allowed, undefined that people are asked. The agent's wish for a reply is answered by it, at once and in order. */
  readonly refusal: Refusal | null | undefined
  /**
   * What to send upstream as the request's body, once it is permitted and on record; or why not, and then the session goes on
   * without. Never rejects.
   */
  readonly body: Promise<Buffer | Refusal>
  /** The session channel is over: nothing more comes in by it. */
  release(): void
}

/** `auth-agent-req@openssh.com` has no body. */
export function requestAgent(forwarding: Forwarding, tty: boolean): Requested {
  const command = forwardCommand({ kind: 'agent-forward', user: forwarding.user, tty })
  return request(forwarding, command, Buffer.alloc(0), { type: 'auth-agent@openssh.com', single: false })
}

/** RFC 4254, section 6.3.1. */
export function requestX11(forwarding: Forwarding, tty: boolean, body: Buffer): Requested {
  const read = readX11(body)
  const { user } = forwarding
  if ('code' in read) {
    const because = forwarding.recordRefused(forwardCommand({ kind: 'x11', user, tty }), read)
    return { refusal: because, body: Promise.resolve(because), release() {} }
  }
  const command = forwardCommand({ kind: 'x11', user, tty, about: `screen ${read.screen}` })
  return request(forwarding, command, body, { type: 'x11', single: read.single })
}

const X11_PROTOCOL = /^[A-Za-z0-9-]{1,64}$/
const X11_COOKIE = /^([0-9a-fA-F]{2}){1,128}$/

function readX11(body: Buffer): { readonly single: boolean; readonly screen: number } | Refusal {
  try {
    const reader = new Reader(body)
    const single = reader.boolean()
    const [protocol, cookie] = [reader.string().toString('latin1'), reader.string().toString('latin1')]
    const screen = reader.uint32()
    if (X11_PROTOCOL.test(protocol) && X11_COOKIE.test(cookie) && reader.rest().length === 0) return { single, screen }
  } catch (error) {
    if (!(error instanceof ChannelViolation)) throw error
  }
  return refusal('command.unparsable', 'the request for X11 could not be understood')
}

function request(
  forwarding: Forwarding,
  command: ReturnType<typeof forwardCommand>,
  bytes: Buffer,
  kind: Pick<Grant, 'type' | 'single'>,
): Requested {
  let grant: Grant | null = null
  let released = false
  const tunnel = forwarding.tunnel(command, bytes, () => {
    if (grant !== null) forwarding.grants.remove(grant)
  })
  const ruled = tunnel.rule()
  const permitted = async (): Promise<Buffer | Refusal> => {
    try {
      const refused = await ruled
      const taken = refused ?? (await tunnel.take())
      if ('code' in taken) return taken
      await forwarding.upstream()
      if (!released) {
        grant = { ...kind, address: '', port: 0, tunnel }
        forwarding.grants.add(grant)
      }
      return Buffer.from(taken)
    } catch (error) {
      const because = forwarding.failure(error)
      tunnel.fail(because.code)
      return because
    }
  }
  return {
    refusal: ruled instanceof Promise ? undefined : ruled,
    body: permitted(),
    release() {
      if (released) return
      released = true
      if (grant !== null) forwarding.grants.remove(grant)
      tunnel.last()
    },
  }
}
