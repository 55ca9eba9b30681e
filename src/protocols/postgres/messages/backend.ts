/** What a server sends. The same checks as for agents: a target is trusted with data, not with our memory. */
import { BodyReader } from './body.ts'
import type { Format } from './frontend.ts'

export interface BackendKeyData {
  readonly processId: number
  /** 4 bytes in protocol 3.0, 4 to 256 in 3.2. */
  readonly secret: Buffer
}

export interface ParameterStatus {
  readonly parameter: string
  readonly value: string
}

/** `I`: idle, `T`: in a transaction, `E`: in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E'

export interface FieldDescription {
  readonly name: string
  /** The table's OID and the column's number; both 0 where the column is an expression. */
  readonly table: number
  readonly column: number
  readonly type: number
  /** Negative for variable width. */
  readonly size: number
  readonly modifier: number
  readonly format: Format
}

/** Fields by their letter, as in https://www.postgresql.org/docs/18/protocol-error-fields.html: S, V, C, M, D, H, … */
export type ErrorFields = ReadonlyMap<string, string>

export interface Notification {
  readonly processId: number
  readonly channel: string
  readonly payload: string
}

export interface CopyResponse {
  readonly format: Format
  readonly columns: readonly Format[]
}

export interface NegotiateProtocolVersion {
  /** The whole version word: 0x00030000, 0x00030002. */
  readonly version: number
  readonly unknown: readonly string[]
}

const SECRET_MIN = 4
const SECRET_MAX = 256

/** Every decoder takes the whole frame, from its type byte to its end. */
export function decodeBackendKeyData(bytes: Buffer, start: number, end: number): BackendKeyData {
  const body = open('BackendKeyData', bytes, start, end)
  const processId = body.int32('the process id')
  if (body.left < SECRET_MIN || body.left > SECRET_MAX) throw body.violation(`a secret of ${body.left} bytes`)
  return { processId, secret: Buffer.from(body.bytes(body.left, 'the secret')) }
}

export function decodeParameterStatus(bytes: Buffer, start: number, end: number): ParameterStatus {
  const body = open('ParameterStatus', bytes, start, end)
  const parameter = body.string('the name')
  const value = body.string('the value')
  body.end()
  return { parameter, value }
}

export function decodeReadyForQuery(bytes: Buffer, start: number, end: number): TransactionStatus {
  const body = open('ReadyForQuery', bytes, start, end)
  const status = body.uint8('the status')
  body.end()
  if (status === 0x49) return 'I'
  if (status === 0x54) return 'T'
  if (status === 0x45) return 'E'
  throw body.violation(`the unknown status ${status}`)
}

export function decodeRowDescription(bytes: Buffer, start: number, end: number): FieldDescription[] {
  const body = open('RowDescription', bytes, start, end)
  const count = body.uint16('the count of fields')
  const fields: FieldDescription[] = []
  for (let index = 0; index < count; index++) {
    fields.push({
      name: body.string('a name'),
      table: body.uint32('a table'),
      column: body.int16('a column'),
      type: body.uint32('a type'),
      size: body.int16('a size'),
      modifier: body.int32('a modifier'),
      format: format(body, body.int16('a format')),
    })
  }
  body.end()
  return fields
}

export function decodeParameterDescription(bytes: Buffer, start: number, end: number): number[] {
  const body = open('ParameterDescription', bytes, start, end)
  const types = body.uint32s(body.uint16('the count of types'), 'parameter types')
  body.end()
  return types
}

/** Views into the frame. */
export function decodeDataRow(bytes: Buffer, start: number, end: number): (Buffer | null)[] {
  const body = open('DataRow', bytes, start, end)
  const count = body.uint16('the count of values')
  const values: (Buffer | null)[] = []
  for (let index = 0; index < count; index++) values.push(body.value('a value'))
  body.end()
  return values
}

export function decodeCommandComplete(bytes: Buffer, start: number, end: number): string {
  const body = open('CommandComplete', bytes, start, end)
  const tag = body.string('the tag')
  body.end()
  return tag
}

/** The count of rows that a tag ends with (`INSERT 0 5`, `SELECT 5`, `COPY 5`); null where it has none. */
export function rowsOf(tag: string): number | null {
  const space = tag.lastIndexOf(' ')
  if (space === -1) return null
  const digits = tag.slice(space + 1)
  return /^\d{1,15}$/.test(digits) ? Number(digits) : null
}

/** NoticeResponse too: it has the same fields. */
export function decodeErrorResponse(bytes: Buffer, start: number, end: number): ErrorFields {
  return decodeFields('ErrorResponse', bytes, start, end)
}

export function decodeNotification(bytes: Buffer, start: number, end: number): Notification {
  const body = open('NotificationResponse', bytes, start, end)
  const processId = body.int32('the process id')
  const channel = body.string('the channel')
  const payload = body.string('the payload')
  body.end()
  return { processId, channel, payload }
}

export function decodeNegotiateProtocolVersion(bytes: Buffer, start: number, end: number): NegotiateProtocolVersion {
  const body = open('NegotiateProtocolVersion', bytes, start, end)
  const version = body.uint32('the version')
  const count = body.uint32('the count of options')
  if (count > body.left) throw body.violation(`${count} options announced, and ${body.left} bytes left`)
  const unknown = Array.from({ length: count }, () => body.string('an option'))
  body.end()
  return { version, unknown }
}

/** CopyInResponse and CopyOutResponse. */
export function decodeCopyResponse(bytes: Buffer, start: number, end: number): CopyResponse {
  const body = open('CopyResponse', bytes, start, end)
  const whole = format(body, body.uint8('the format'))
  const codes = body.int16s(body.uint16('the count of columns'), 'column formats')
  const columns = codes.map((code) => format(body, code))
  body.end()
  return { format: whole, columns }
}

export function decodeFunctionCallResponse(bytes: Buffer, start: number, end: number): Buffer | null {
  const body = open('FunctionCallResponse', bytes, start, end)
  const value = body.value('the value')
  body.end()
  return value
}

/** Unlike all else this is lenient with text: a server that cannot yet know our encoding speaks its own, and nothing is judged by it. */
function decodeFields(name: string, bytes: Buffer, start: number, end: number): ErrorFields {
  const body = open(name, bytes, start, end)
  const fields = new Map<string, string>()
  for (;;) {
    const letter = body.uint8('a field')
    if (letter === 0) break
    fields.set(String.fromCharCode(letter), body.shownString('a field'))
  }
  body.end()
  return fields
}

function open(name: string, bytes: Buffer, start: number, end: number): BodyReader {
  return new BodyReader(name, bytes, start + 5, end)
}

function format(body: BodyReader, code: number): Format {
  if (code === 0 || code === 1) return code
  throw body.violation(`the unknown format ${code}`)
}
