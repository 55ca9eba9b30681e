/** The untyped packets that a connection begins with: Int32 length, Int32 code, fields. */
import { BodyReader } from './body.ts'
import { Writer } from './writer.ts'

/** The server's own limit: MAX_STARTUP_PACKET_LENGTH. */
export const STARTUP_PACKET = 10_000

export const PROTOCOL_3_0 = 0x00030000
export const PROTOCOL_3_2 = 0x00030002
/** The protocols that are spoken on both sides. */
export type ProtocolVersion = typeof PROTOCOL_3_0 | typeof PROTOCOL_3_2
const SSL_REQUEST = 80877103
const GSSENC_REQUEST = 80877104
const CANCEL_REQUEST = 80877102
const SECRET_MIN = 4
const SECRET_MAX = 256

export interface CancelRequest {
  readonly name: 'CancelRequest'
  readonly processId: number
  readonly secret: Buffer
}

export interface StartupMessage {
  readonly name: 'StartupMessage'
  /** The whole version word; its major may be unknown to us. */
  readonly version: number
  /** In the order they were sent, duplicates included. */
  readonly parameters: readonly (readonly [string, string])[]
}

export type StartupPacket =
  | { readonly name: 'SSLRequest' }
  | { readonly name: 'GSSENCRequest' }
  | CancelRequest
  | StartupMessage

/** Decodes the packet that lies from `start` (its length) to `end`. */
export function decodeStartup(bytes: Buffer, start: number, end: number): StartupPacket {
  const body = new BodyReader('StartupMessage', bytes, start + 4, end)
  const code = body.uint32('the protocol version')
  if (code === SSL_REQUEST || code === GSSENC_REQUEST) {
    body.end()
    return { name: code === SSL_REQUEST ? 'SSLRequest' : 'GSSENCRequest' }
  }
  if (code === CANCEL_REQUEST) {
    const processId = body.int32('the process id')
    if (body.left < SECRET_MIN || body.left > SECRET_MAX) throw body.violation(`a secret of ${body.left} bytes`)
    return { name: 'CancelRequest', processId, secret: Buffer.from(body.bytes(body.left, 'the secret')) }
  }
  // Another major's fields may mean anything: only its number is reported.
  if (code >>> 16 !== 3) return { name: 'StartupMessage', version: code, parameters: [] }
  const parameters: [string, string][] = []
  for (;;) {
    const name = body.string('a parameter name')
    if (name === '') break
    parameters.push([name, body.string(`the value of a parameter`)])
  }
  body.end()
  return { name: 'StartupMessage', version: code, parameters }
}

export function encodeStartup(version: number, parameters: Iterable<readonly [string, string]>): Buffer {
  const writer = new Writer().begin().uint32(version)
  for (const [name, value] of parameters) writer.string(name).string(value)
  return writer.uint8(0).finish().take()
}

export const encodeSSLRequest = (): Buffer => new Writer(8).begin().uint32(SSL_REQUEST).finish().take()
export const encodeGSSENCRequest = (): Buffer => new Writer(8).begin().uint32(GSSENC_REQUEST).finish().take()

export function encodeCancelRequest(processId: number, secret: Uint8Array): Buffer {
  return new Writer().begin().uint32(CANCEL_REQUEST).int32(processId).bytes(secret).finish().take()
}
