/** The target's side of a connection: reached, verified, authenticated, and with the settings that everything else relies on. */
import { isIP } from 'node:net'
import { NetError } from '../../net/errors.ts'
import type { Leg } from '../../net/leg.ts'
import type { FrameReader } from './framing.ts'
import { Handshake } from './handshake.ts'
import { ConnectionRefused } from './connection-refused.ts'
import {
  type BackendKeyData,
  decodeBackendKeyData,
  decodeNegotiateProtocolVersion,
  decodeParameterStatus,
  decodeReadyForQuery,
} from './messages/backend.ts'
import { encodeCancelRequest, encodeStartup, type ProtocolVersion } from './messages/startup.ts'
import { BACKEND, backendTable } from './messages/types.ts'
import { ProtocolViolation } from './messages/violation.ts'
import { authenticateUpstream } from './upstream/authentication.ts'
import { targetError, upstreamFailure } from './upstream/errors.ts'
import { secureUpstream, type UpstreamConfig } from './upstream/tls.ts'

/** Bytes that a server may send before ReadyForQuery: settings and notices, a few KiB in practice. */
const HANDSHAKE_BYTES = 1024 * 1024
/** Messages between authentication and ReadyForQuery; PostgreSQL 18 sends about 17. */
const MOST_MESSAGES = 1_000
/** A CancelRequest that is not through by then comes too late to be of use. */
export const CANCEL_TIMEOUT = 5_000

export interface UpstreamRequest {
  readonly user: string
  /** Read when the target asks for it; null where none is configured. */
  readonly password: () => Promise<string | null>
  readonly database: string
  readonly searchPath: readonly string[]
  readonly applicationName: string
  /** Settings that the agent chose, all of them allowed. */
  readonly settings: Iterable<readonly [string, string]>
  readonly protocol: ProtocolVersion
  /** Milliseconds for the TCP connection; the signal bounds the whole. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly limits: { readonly message: number; readonly inFlight: number }
}

/** A connection that is ready for queries. */
export interface Upstream {
  /** Whose `handOver` gives the leg and its unread bytes to the session. */
  readonly handshake: Handshake
  readonly leg: Leg
  readonly reader: FrameReader
  /** As reported, in the order they came. */
  readonly parameters: ReadonlyMap<string, string>
  readonly key: BackendKeyData
  readonly encrypted: boolean
}

/** The start-up settings that the session's meaning hangs on: RESET and DISCARD ALL return to them. */
export function pinnedSettings(searchPath: readonly string[]): Map<string, string> {
  return new Map([
    ['client_encoding', 'UTF8'],
    ['standard_conforming_strings', 'on'],
    ['search_path', searchPathSetting(searchPath)],
  ])
}

/** Without being named, pg_temp would be searched first, and a temporary table would shadow any other. */
export function searchPathSetting(searchPath: readonly string[]): string {
  const named = searchPath.filter((schema) => schema !== 'pg_temp')
  return [...named, 'pg_temp'].map((schema) => `"${schema.replaceAll('"', '""')}"`).join(', ')
}

/** Fails with a {@link ConnectionRefused}, whose message and SQLSTATE an agent may be told. */
export async function connectUpstream(config: UpstreamConfig, request: UpstreamRequest): Promise<Upstream> {
  const handshake = new Handshake(backendTable(request.limits.message), HANDSHAKE_BYTES)
  const abort = () => handshake.give(abortion(request.signal))
  request.signal.addEventListener('abort', abort, { once: true })
  let leg: Leg | null = null
  try {
    const { timeout, signal } = request
    leg = await handshake.dial({ ...config, timeout, signal }, { inFlight: request.limits.inFlight })
    const channel = await within(request.signal, secureUpstream(handshake, config))
    const pins = pinnedSettings(request.searchPath)
    handshake.write(encodeStartup(request.protocol, startupParameters(request, pins)))
    const { user, password, database } = request
    const credential = { user, password, database, allow: config.allow, local: isLocal(leg) }
    await authenticateUpstream(handshake, credential, channel)
    const { parameters, key } = await readyForQuery(handshake, database)
    verifyPins(pins, parameters)
    return { handshake, leg, reader: handshake.reader, parameters, key, encrypted: channel.encrypted }
  } catch (error) {
    leg?.destroy()
    throw upstreamFailure(error)
  } finally {
    request.signal.removeEventListener('abort', abort)
  }
}

/** Asks the server to cancel what the backend with that key does now. There is no answer, and it may come too late. */
export async function cancelUpstream(config: UpstreamConfig, key: BackendKeyData): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_TIMEOUT)
  const handshake = new Handshake(backendTable(1024), 1024)
  const abort = () => handshake.give(abortion(signal))
  signal.addEventListener('abort', abort, { once: true })
  let leg: Leg | null = null
  try {
    leg = await handshake.dial({ ...config, timeout: CANCEL_TIMEOUT, signal }, { inFlight: 1024 })
    await within(signal, secureUpstream(handshake, config))
    handshake.write(encodeCancelRequest(key.processId, key.secret))
    // The server closes when it has passed the request on; what it does until then is not waited for longer.
    await handshake.message().catch(() => {})
  } catch (error) {
    throw upstreamFailure(error)
  } finally {
    signal.removeEventListener('abort', abort)
    leg?.destroy()
  }
}

/** A TLS handshake hears nothing of the handshake's own end. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortion(signal))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
    // Whichever lost the race has nobody left to tell.
    work.catch(() => {})
    aborted.catch(() => {})
  }
}

function abortion(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof ConnectionRefused
    ? reason
    : new NetError('net.timeout', 'connecting to the target was given up', reason)
}

function startupParameters(request: UpstreamRequest, pins: ReadonlyMap<string, string>): [string, string][] {
  const own: [string, string][] = [
    ['user', request.user],
    ['database', request.database],
    ['application_name', request.applicationName],
  ]
  for (const [name, value] of request.settings) if (!pins.has(name.toLowerCase())) own.push([name, value])
  return [...own, ...pins]
}

async function readyForQuery(handshake: Handshake, database: string) {
  const parameters = new Map<string, string>()
  let key: BackendKeyData | null = null
  for (let messages = 0; messages < MOST_MESSAGES; messages++) {
    const { type, buffer, start, end } = await handshake.message()
    switch (type) {
      case BACKEND.ParameterStatus: {
        const { parameter, value } = decodeParameterStatus(buffer, start, end)
        parameters.set(parameter, value)
        break
      }
      case BACKEND.BackendKeyData:
        key = decodeBackendKeyData(buffer, start, end)
        break
      case BACKEND.NegotiateProtocolVersion:
        decodeNegotiateProtocolVersion(buffer, start, end)
        break
      case BACKEND.NoticeResponse:
        break
      case BACKEND.ErrorResponse:
        throw targetError(buffer, start, end, database)
      case BACKEND.ReadyForQuery:
        if (decodeReadyForQuery(buffer, start, end) !== 'I') throw new ProtocolViolation('ReadyForQuery', 'not idle')
        // A pooler without cancellation sends none: then there is nothing to cancel by.
        return { parameters, key: key ?? { processId: 0, secret: Buffer.alloc(4) } }
      default:
        throw new ProtocolViolation(
          'the start',
          `a message of type ${String.fromCharCode(type)} came before ReadyForQuery`,
        )
    }
  }
  throw new ProtocolViolation('the start', `more than ${MOST_MESSAGES} messages before ReadyForQuery`)
}

/** A pooler or a server that ignores the pins would read text otherwise than it was judged. */
function verifyPins(pins: ReadonlyMap<string, string>, parameters: ReadonlyMap<string, string>): void {
  for (const [name, value] of pins) {
    const reported = parameters.get(name)
    // search_path is reported since PostgreSQL 18 only.
    if (reported === value || (reported === undefined && name === 'search_path')) continue
    throw new ConnectionRefused('upstream.untrusted', '08001', `the target does not keep ${name} as it must be`, {
      cause: new Error(`${name} was reported as ${reported === undefined ? 'nothing' : JSON.stringify(reported)}`),
    })
  }
}

function isLocal(leg: Leg): boolean {
  const address = leg.socket.remoteAddress ?? ''
  return isIP(address) !== 0 && /^(127\.|::1$|::ffff:127\.)/.test(address)
}
