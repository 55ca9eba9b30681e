/** The agent's side of a connection, from its first byte to the point where only the target's answer is missing. */
import type { PostgresTargetConfig } from '../../config/schema.ts'
import type { Principal } from '../../gate/principal.ts'
import { type Refusal, refusal } from '../../gate/refusal.ts'
import type { Connection } from '../../net/connection.ts'
import { NetError } from '../../net/errors.ts'
import type { Leg } from '../../net/leg.ts'
import { deadline } from '../../net/timers.ts'
import {
  agentAuthentication,
  type Authenticate,
  type AuthenticationPorts,
  type Channel,
} from './authentication/agent.ts'
import { ConnectionRefused } from './connection-refused.ts'
import type { FrameReader } from './framing.ts'
import { Handshake } from './handshake.ts'
import { encodeAuthenticationOk } from './messages/authentication.ts'
import {
  encodeBackendKeyData,
  encodeNegotiateProtocolVersion,
  encodeParameterStatus,
  encodeReadyForQuery,
} from './messages/backend-writing.ts'
import { type CancelRequest, decodeStartup, STARTUP_PACKET, type StartupMessage } from './messages/startup.ts'
import { AUTHENTICATION_TABLE, frontendTable } from './messages/types.ts'
import { ProtocolViolation } from './messages/violation.ts'
import { farewell } from './refusal.ts'
import { readStartup, type StartupRequest, violatesOrder } from './startup/parameters.ts'
import { AgentTls, ALPN, noEncryption, wrapAgent } from './startup/tls.ts'

/** The first byte of a TLS record that carries a handshake; no packet of PostgreSQL's can begin with it. */
const TLS_HANDSHAKE = 0x16
/** What an agent may send before it is connected: packets and a token, a few times what the largest of them takes. */
const HANDSHAKE_BYTES = 128 * 1024

/** What a target has ready for its agents. */
export interface AgentSide {
  readonly tls: AgentTls | null
  readonly authenticate: Authenticate
}

/** Fails with a coded error when certificate, keys or passwords cannot be used. */
export async function prepareAgentSide(config: PostgresTargetConfig, ports: AuthenticationPorts): Promise<AgentSide> {
  const { tls } = config.agent
  return {
    tls: tls === undefined ? null : await AgentTls.load(tls),
    authenticate: await agentAuthentication(config.agent, ports),
  }
}

/** An agent that may have a session, and waits for AuthenticationOk. */
export interface AcceptedSession extends StartupRequest {
  readonly kind: 'session'
  readonly principal: Principal
  readonly encrypted: boolean
  /** Whose `handOver` gives the leg and its unread bytes to the session. */
  readonly handshake: Handshake
  readonly leg: Leg
  readonly reader: FrameReader
  /** Aborts when the handshake has taken too long, the agent has left, or the sidecar wants the session to end. */
  readonly signal: AbortSignal
  /** Calls the deadline off. {@link welcome} and {@link dismiss} do it themselves. */
  readonly settled: () => void
}

export type Accepted =
  | AcceptedSession
  /** The connection carried a CancelRequest, and is over: there is no answer to one. */
  | { readonly kind: 'cancel'; readonly request: CancelRequest }
  /** The agent was told why, in the protocol's form. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly error: Error }
  /** It went away, or never spoke. */
  | { readonly kind: 'lost'; readonly error: Error }

/** Takes an accepted connection through encryption, start-up message and authentication. Never rejects. */
export async function acceptAgent(
  connection: Connection,
  config: PostgresTargetConfig,
  side: AgentSide,
): Promise<Accepted> {
  const handshake = new Handshake(AUTHENTICATION_TABLE, HANDSHAKE_BYTES)
  const leg = handshake.adopt(connection, { inFlight: config.limits.inFlight })
  const { signal, settled } = timed(connection, config, handshake)
  try {
    const channel = await encryption(handshake, connection, side)
    const packet = channel.packet
    if (packet.name === 'CancelRequest') {
      settled()
      await finish(leg)
      return { kind: 'cancel', request: packet }
    }
    if (side.tls !== null && !channel.encrypted && !connection.local) throw noEncryption()
    const request = readStartup(packet, config.searchPath)
    if (request.negotiate !== null) handshake.write(encodeNegotiateProtocolVersion(request.negotiate))
    const principal = await side.authenticate(handshake, request.user, channel)
    permitted(config, request)
    handshake.reader.expect(frontendTable(config.limits.message))
    const { encrypted } = channel
    return {
      kind: 'session',
      ...request,
      principal,
      encrypted,
      handshake,
      leg,
      reader: handshake.reader,
      signal,
      settled,
    }
  } catch (error) {
    settled()
    return await over(leg, error)
  }
}

/** Connected: what the agent is told at once when the target is ready. Does not write. */
export function welcome(
  session: AcceptedSession,
  target: {
    readonly parameters: Iterable<readonly [string, string]>
    readonly processId: number
    readonly secret: Buffer
  },
): Buffer {
  session.settled()
  return Buffer.concat([
    encodeAuthenticationOk(),
    ...Array.from(target.parameters, ([name, value]) => encodeParameterStatus(name, value)),
    encodeBackendKeyData(target),
    encodeReadyForQuery('I'),
  ])
}

/** Not connected: the agent is told why, and the leg ends. */
export async function dismiss(session: AcceptedSession, error: unknown): Promise<void> {
  session.settled()
  await over(session.leg, error)
}

interface Opened extends Channel {
  readonly packet: CancelRequest | StartupMessage
}

/** Up to the packet that says what the connection is for: TLS, asked for or direct, at most once. */
async function encryption(handshake: Handshake, connection: Connection, side: AgentSide): Promise<Opened> {
  const plain: Channel = { encrypted: false, local: connection.local, binding: null }
  const [first] = await handshake.peek()
  let channel = first === TLS_HANDSHAKE ? await secure(handshake, side, plain, true) : plain
  const seen = new Set<string>()
  for (;;) {
    const { buffer, start, end } = await handshake.packet(STARTUP_PACKET)
    const packet = decodeStartup(buffer, start, end)
    if (packet.name === 'StartupMessage' || packet.name === 'CancelRequest') return { ...channel, packet }
    if (channel.encrypted || seen.has(packet.name)) throw violatesOrder(packet.name)
    seen.add(packet.name)
    // What came with the request would be read as if it had come inside TLS (CVE-2021-23214).
    if (!handshake.clean) throw new ProtocolViolation(packet.name, 'bytes came before its answer')
    if (packet.name === 'GSSENCRequest' || side.tls === null) {
      handshake.write(NO)
      continue
    }
    channel = await secure(handshake, side, plain, false)
  }
}

const NO = Buffer.from('N')
const YES = Buffer.from('S')

async function secure(handshake: Handshake, side: AgentSide, plain: Channel, direct: boolean): Promise<Channel> {
  if (side.tls === null) throw new NetError('net.aborted', 'the agent spoke TLS, and the target has no certificate')
  const { context, binding } = await side.tls.current()
  if (!direct) {
    if (!handshake.clean) throw new ProtocolViolation('SSLRequest', 'bytes came before its answer')
    handshake.write(YES)
  }
  const unread = direct ? handshake.unread() : null
  const secured = await handshake.secure('secure', (socket) => wrapAgent(socket, context), unread)
  if (direct && secured.alpnProtocol !== ALPN) throw new NetError('net.aborted', 'direct TLS without ALPN postgresql')
  return { ...plain, encrypted: true, binding }
}

function permitted(config: PostgresTargetConfig, { user, database }: StartupRequest): void {
  const { credential, databases } = config
  if ('users' in credential && credential.users !== 'any' && !Object.hasOwn(credential.users, user)) {
    throw new ConnectionRefused('target.forbidden', '28000', `role "${user}" is not offered by this target`)
  }
  if (databases !== 'any' && !databases.includes(database)) {
    throw new ConnectionRefused('target.forbidden', '3D000', `database "${database}" is not offered by this target`, {
      remedy: `offered: ${databases.join(', ')}`,
    })
  }
}

/** One deadline for all that comes before ReadyForQuery, the target's part included. */
function timed(connection: Connection, config: PostgresTargetConfig, handshake: Handshake) {
  const controller = new AbortController()
  // An agent that leaves while the target is being reached takes that attempt with it.
  handshake.ended = (because) => controller.abort(because)
  const late = () =>
    handshake.give(new ConnectionRefused('session.limit', '57014', 'connecting took too long and was ended'))
  const cancel = deadline(config.limits.handshake, late)
  const aborted = () => handshake.give(new ConnectionRefused('session.limit', '57P01', 'the sidecar is shutting down'))
  if (connection.signal.aborted) aborted()
  else connection.signal.addEventListener('abort', aborted, { once: true })
  const settled = () => {
    cancel()
    connection.signal.removeEventListener('abort', aborted)
  }
  return { signal: controller.signal, settled }
}

/** Says why in the protocol's form, where the agent can still hear it. */
async function over(leg: Leg, error: unknown): Promise<Accepted> {
  if (error instanceof ConnectionRefused) {
    await finish(leg, farewell(error.refusal, error.sqlstate))
    return { kind: 'refused', refusal: error.refusal, error }
  }
  if (error instanceof ProtocolViolation) {
    const because = refusal(error.code, error.message)
    await finish(leg, farewell(because, '08P01'))
    return { kind: 'refused', refusal: because, error }
  }
  leg.destroy()
  return { kind: 'lost', error: error instanceof Error ? error : new Error(String(error)) }
}

/** How long a last message may be on its way: closing earlier, with bytes unread, would make the kernel throw it away. */
const LINGER = 1_000

async function finish(leg: Leg, last?: Uint8Array): Promise<void> {
  if (leg.socket.destroyed) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => leg.destroy(), LINGER)
    const close = () => {
      clearTimeout(timer)
      resolve()
    }
    leg.handlers = { chunk: () => {}, drain: () => {}, end: () => leg.destroy(), close }
    leg.resume('overrun')
    leg.end(last)
  })
}
