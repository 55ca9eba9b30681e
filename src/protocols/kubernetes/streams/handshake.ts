/** The upgrade of a connection: RFC 6455, section 4, and SPDY/3.1 as Kubernetes has it. */
import { createHash, randomBytes } from 'node:crypto'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Headers } from '../transport/headers.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const VERSION = '13'
/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/

/** What is understood of a stream's channels, best first. Base64 and older forms are not offered. */
const CHANNELS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const
/** A port-forward is SPDY inside of WebSocket, or channels by the order of its ports. */
const TUNNELS = ['SPDY/3.1+portforward.k8s.io', 'v4.channel.k8s.io'] as const
/** The versions of the streams in SPDY. */
const SPDY_STREAMS: ReadonlySet<string> = new Set([
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
  'portforward.k8s.io',
])

export const SPDY = 'SPDY/3.1'

/** What a client wants its connection to become; null where it wants nothing that is known. */
export function upgradeOf(headers: Headers): 'websocket' | 'spdy' | null {
  const wanted = (headers.get('upgrade') ?? '').trim().toLowerCase()
  const nominated = listOf(headers.get('connection')).some((option) => option.toLowerCase() === 'upgrade')
  if (!nominated) return null
  return wanted === 'websocket' ? 'websocket' : wanted === SPDY.toLowerCase() ? 'spdy' : null
}

export interface Handshake {
  readonly key: string
  /** Those that are known, in the order in which the client prefers them. At least one. */
  readonly protocols: readonly string[]
}

/** A client's WebSocket handshake. Of its subprotocols only known ones are kept: a bearer token may be among the others. */
export function readHandshake(headers: Headers, method: string, subresource: string): Handshake | Refusal {
  const key = headers.get('sec-websocket-key')?.trim() ?? ''
  if (method !== 'GET') return malformed('a WebSocket begins with a GET')
  if (headers.get('sec-websocket-version')?.trim() !== VERSION)
    return malformed(`only WebSocket ${VERSION} is understood`)
  if (!KEY.test(key)) return malformed('the Sec-WebSocket-Key is not valid')
  const known: readonly string[] = subresource === 'portforward' ? TUNNELS : CHANNELS
  const protocols = listOf(headers.get('sec-websocket-protocol')).filter((name) => known.includes(name))
  if (protocols.length === 0) {
    return refusal('command.unsupported', 'none of the subprotocols is offered', `use ${known.join(' or ')}`)
  }
  return { key, protocols: [...new Set(protocols)] }
}

/** The versions of streams that a client of SPDY knows, of those that exist. */
export function spdyVersions(headers: Headers): readonly string[] {
  return listOf(headers.get('x-stream-protocol-version')).filter((name) => SPDY_STREAMS.has(name))
}

export function newKey(): string {
  return randomBytes(16).toString('base64')
}

/** Section 4.2.2: what proves that the server read the key. */
export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

/** The head with which a connection becomes another protocol's. */
export function switching(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join('')}\r\n`
}

function listOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function malformed(message: string): Refusal {
  return refusal('command.unparsable', message, 'begin it as RFC 6455 says')
}

/** The subprotocol to which a server switched, of those that it was asked for; null where it did something else. */
export function switchedTo(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  key: string,
  protocols: readonly string[],
): string | null {
  const { upgrade, connection } = headers
  const protocol = headers['sec-websocket-protocol']
  const switched =
    typeof upgrade === 'string' &&
    upgrade.toLowerCase() === 'websocket' &&
    typeof connection === 'string' &&
    connection.toLowerCase() === 'upgrade' &&
    headers['sec-websocket-accept'] === acceptOf(key) &&
    headers['sec-websocket-extensions'] === undefined
  return switched && typeof protocol === 'string' && protocols.includes(protocol) ? protocol : null
}
