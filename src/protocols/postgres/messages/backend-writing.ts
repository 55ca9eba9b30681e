/** Writes what a server would send: the inverse of backend.ts. */
import type {
  BackendKeyData,
  CopyResponse,
  ErrorFields,
  FieldDescription,
  NegotiateProtocolVersion,
  Notification,
  TransactionStatus,
} from './backend.ts'
import { BACKEND } from './types.ts'
import { Writer } from './writer.ts'

export function encodeBackendKeyData({ processId, secret }: BackendKeyData): Buffer {
  return new Writer(9 + secret.length).begin(BACKEND.BackendKeyData).int32(processId).bytes(secret).finish().take()
}

export function encodeParameterStatus(parameter: string, value: string): Buffer {
  return new Writer().begin(BACKEND.ParameterStatus).string(parameter).string(value).finish().take()
}

export function encodeReadyForQuery(status: TransactionStatus): Buffer {
  return Buffer.from([BACKEND.ReadyForQuery, 0, 0, 0, 5, status.charCodeAt(0)])
}

export function encodeRowDescription(fields: readonly FieldDescription[]): Buffer {
  const writer = new Writer().begin(BACKEND.RowDescription).uint16(fields.length)
  for (const field of fields) {
    writer.string(field.name).uint32(field.table).int16(field.column).uint32(field.type)
    writer.int16(field.size).int32(field.modifier).int16(field.format)
  }
  return writer.finish().take()
}

export function encodeParameterDescription(types: readonly number[]): Buffer {
  const writer = new Writer().begin(BACKEND.ParameterDescription).uint16(types.length)
  for (const oid of types) writer.uint32(oid)
  return writer.finish().take()
}

export function encodeDataRow(values: readonly (Uint8Array | null)[]): Buffer {
  const writer = new Writer().begin(BACKEND.DataRow).uint16(values.length)
  for (const value of values) writer.value(value)
  return writer.finish().take()
}

export function encodeCommandComplete(tag: string): Buffer {
  return new Writer(tag.length + 6).begin(BACKEND.CommandComplete).string(tag).finish().take()
}

export function encodeErrorResponse(fields: Iterable<readonly [string, string]>): Buffer {
  return encodeFields(BACKEND.ErrorResponse, fields)
}

export function encodeNoticeResponse(fields: Iterable<readonly [string, string]>): Buffer {
  return encodeFields(BACKEND.NoticeResponse, fields)
}

export function encodeNotification({ processId, channel, payload }: Notification): Buffer {
  const writer = new Writer().begin(BACKEND.NotificationResponse).int32(processId)
  return writer.string(channel).string(payload).finish().take()
}

export function encodeNegotiateProtocolVersion({ version, unknown }: NegotiateProtocolVersion): Buffer {
  const writer = new Writer().begin(BACKEND.NegotiateProtocolVersion).uint32(version).uint32(unknown.length)
  for (const option of unknown) writer.string(option)
  return writer.finish().take()
}

export function encodeCopyResponse(kind: 'CopyInResponse' | 'CopyOutResponse', response: CopyResponse): Buffer {
  const writer = new Writer().begin(BACKEND[kind]).uint8(response.format).uint16(response.columns.length)
  for (const code of response.columns) writer.int16(code)
  return writer.finish().take()
}

export function encodeFunctionCallResponse(value: Uint8Array | null): Buffer {
  return new Writer().begin(BACKEND.FunctionCallResponse).value(value).finish().take()
}

function encodeFields(type: number, fields: Iterable<readonly [string, string]>): Buffer {
  const writer = new Writer().begin(type)
  for (const [letter, text] of fields) writer.uint8(letter.charCodeAt(0)).string(text.replaceAll('\0', ''))
  return writer.uint8(0).finish().take()
}

/** The fields that every error needs; both severities, the second never translated. */
export function errorFields(error: {
  readonly severity: 'ERROR' | 'FATAL' | 'NOTICE' | 'WARNING'
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}): ErrorFields {
  const fields = new Map([
    ['S', error.severity],
    ['V', error.severity],
    ['C', error.code],
    ['M', error.message],
  ])
  if (error.detail !== undefined && error.detail !== '') fields.set('D', error.detail)
  if (error.hint !== undefined && error.hint !== '') fields.set('H', error.hint)
  return fields
}
