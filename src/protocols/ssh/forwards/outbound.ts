/** Connections that the agent asks the upstream host to make: `direct-tcpip` and `direct-streamlocal@openssh.com`. */
import { refusal } from '../../../gate/refusal.ts'
import type { Channel } from '../channels/channel.ts'
import { type ChannelOpen, type Channels, OpenFailed } from '../channels/channels.ts'
import { fields, OPEN_FAILURE, Reader } from '../channels/messages.ts'
import { type Read, readPath, readTarget, quoted } from './destination.ts'
import { forwardCommand } from './facts.ts'
import type { Forwarding } from './forwarding.ts'
import { openFailure, reasonName, relayedFailure } from './refusal.ts'
import { resolve } from './resolve.ts'
import type { Tunnel } from './tunnel.ts'

/** What the upstream host logs as the origin of a connection: nothing of the agent's. */
const ORIGIN = ['127.0.0.1', 0] as const

/** What the agent asks for, and its text for people. */
interface Outbound {
  readonly read: Read
  readonly asked: string
}

/** RFC 4254, section 7.2, and OpenSSH's PROTOCOL, section 2.4. What decoding could not read became U+FFFD, which no name holds. */
const READERS: ReadonlyMap<string, (body: Reader) => Outbound> = new Map([
  [
    'direct-tcpip',
    (body: Reader) => {
      const host = body.string().toString()
      const port = body.uint32()
      return { asked: `${quoted(host)} port ${port}`, read: readTarget(host, port) }
    },
  ],
  [
    'direct-streamlocal@openssh.com',
    (body: Reader) => {
      const path = body.string().toString()
      return { asked: quoted(path), read: readPath(path) }
    },
  ],
])

/** Null where the offer is of another type. Throws a ChannelViolation where its body is none. */
export function readOutbound({ type, body }: ChannelOpen): Outbound | null {
  return READERS.get(type)?.(new Reader(body)) ?? null
}

/** Serves one channel that the agent asks for, from its opening to the settlement. Never rejects. */
export async function serveOutbound(forwarding: Forwarding, offer: ChannelOpen, outbound: Outbound): Promise<void> {
  const { read, asked } = outbound
  const { user } = forwarding
  if ('refusal' in read) {
    return forwarding.refuseUnjudged(offer, forwardCommand({ kind: 'forward', user, about: asked }), read.refusal)
  }
  const { destination } = read
  const command = forwardCommand({ kind: 'forward', user, destination })
  if (forwarding.full) {
    return forwarding.refuseUnjudged(
      offer,
      command,
      refusal('session.limit', 'too much waits for destinations that do not read'),
    )
  }
  const bytes = destination.path === null ? fields(destination.host, destination.port) : fields(destination.path)
  const tunnel = forwarding.tunnel(command, bytes)
  try {
    const refused = await tunnel.rule()
    if (refused !== null) return refuse(offer, openFailure(refused))
    const taken = await tunnel.take()
    if ('code' in taken) return refuse(offer, openFailure(taken))
    await connect(forwarding, tunnel, offer, Buffer.from(taken))
  } catch (error) {
    const because = forwarding.failure(error)
    tunnel.fail(because.code)
    refuse(offer, openFailure(because))
  }
}

async function connect(forwarding: Forwarding, tunnel: Tunnel, offer: ChannelOpen, destination: Buffer): Promise<void> {
  const { channels } = await forwarding.upstream()
  const bodies = await requestsFor(forwarding, offer.type, destination)
  if ('code' in bodies) {
    tunnel.fail(bodies.code, 'refused')
    return refuse(offer, openFailure(bodies))
  }
  let failed = new OpenFailed(OPEN_FAILURE.CONNECT_FAILED, 'nothing could be asked for')
  for (const { body, address } of bodies) {
    if (tunnel.ended !== null) break
    const refused = await ask(channels, offer.type, body, (upstream) => join(tunnel, offer, upstream, address))
    if (refused === null) return
    failed = refused
    if (failed.reason !== OPEN_FAILURE.CONNECT_FAILED) break
  }
  if (tunnel.ended !== null) return refuse(offer, openFailure(tunnel.ended))
  tunnel.fail(reasonName(failed.reason))
  refuse(offer, relayedFailure(failed.reason, failed.message))
}

interface Asked {
  readonly body: Buffer
  readonly address: string
}

/** What to ask the upstream host for, one after the other: addresses, never names. */
async function requestsFor(forwarding: Forwarding, type: string, destination: Buffer) {
  const reader = new Reader(destination)
  const host = reader.string().toString()
  if (type !== 'direct-tcpip') return [{ body: fields(host, '', 0), address: host }]
  const port = reader.uint32()
  const resolved = await resolve(host, forwarding.lookUp)
  if ('refusal' in resolved) return resolved.refusal
  return resolved.addresses.map((address): Asked => ({
    body: fields(address, port, ...ORIGIN),
    address: `${address} port ${port}`,
  }))
}

/** Null where it was opened. */
async function ask(channels: Channels, type: string, body: Buffer, opened: (upstream: Channel) => void) {
  try {
    await channels.open(type, body, opened)
    return null
  } catch (error) {
    if (error instanceof OpenFailed) return error
    throw error
  }
}

/** The destination answered: the agent's side is opened, unless it was taken back, or the agent left, meanwhile. */
function join(tunnel: Tunnel, offer: ChannelOpen, upstream: Channel, address: string): void {
  tunnel.note(`connected to ${address}`)
  if (tunnel.ended !== null) {
    upstream.abort()
    return refuse(offer, openFailure(tunnel.ended))
  }
  tunnel.join(offer.accept(), upstream)
  tunnel.last()
}

function refuse(
  offer: ChannelOpen,
  { reason, description }: { readonly reason: number; readonly description: string },
): void {
  offer.refuse(reason, description)
}
