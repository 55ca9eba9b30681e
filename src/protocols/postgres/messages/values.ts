/** Reads parameter values, text and binary, into what policy can compare. */
import { isUtf8 } from 'node:buffer'
import { date, timestamp } from './datetime.ts'
import type { Format } from './frontend.ts'
import { numeric } from './numeric.ts'

export interface ParameterValue {
  /** The type's name, `int4` or `text[]`; `oid:N` where it is not one of ours. */
  readonly type: string
  readonly value: string | number | boolean | null
  /** False where the value could not be read, or not without loss: policy must treat it as anything. */
  readonly known: boolean
}

type Read = string | number | boolean | undefined
interface Type {
  readonly name: string
  /** Undefined: it cannot be read. */
  readonly text: (text: string) => Read
  readonly binary: (bytes: Buffer) => Read
}

/** What a server sends in the body of an array: dimensions, elements. PostgreSQL's own limit on dimensions. */
const MAX_DIMENSIONS = 6

const verbatim = (text: string): Read => text
const utf8 = (bytes: Buffer): Read => (isUtf8(bytes) ? bytes.toString('utf8') : undefined)
const sized =
  (size: number, read: (bytes: Buffer) => Read) =>
  (bytes: Buffer): Read =>
    bytes.length === size ? read(bytes) : undefined

/** The server accepts more spellings (hexadecimal, underscores); those are not known. */
function integer(text: string): Read {
  if (!/^\s*[+-]?\d{1,19}\s*$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value + 0 : undefined
}

function bigint(bytes: Buffer): Read {
  const value = bytes.readBigInt64BE()
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : undefined
}

function float(text: string): Read {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/.test(text) ? finite(Number(text)) : undefined
}

/** A double keeps any 15 digits; with more, two different numerics could look the same. */
function decimal(text: string): Read {
  const digits = text
    .replace(/[eE].*$/s, '')
    .replace(/\D/g, '')
    .replace(/^0+/, '')
  return digits.length <= 15 ? float(text) : undefined
}

/** NaN and the infinities are not JSON, and compare in ways of their own. */
const finite = (value: number): Read => (Number.isFinite(value) ? value : undefined)

const TRUE = /^\s*(t|tr|tru|true|y|ye|yes|on|1)\s*$/i
const FALSE = /^\s*(f|fa|fal|fals|false|n|no|of|off|0)\s*$/i
const boolean = (text: string): Read => (TRUE.test(text) ? true : FALSE.test(text) ? false : undefined)
const booleanByte = (bytes: Buffer): Read => bytes[0] !== 0

function uuid(text: string): Read {
  const digits = /^\{?([0-9a-fA-F]{4}(?:-?[0-9a-fA-F]{4}){7})\}?$/.exec(text)?.[1]
  if (digits === undefined || text.startsWith('{') !== text.endsWith('}')) return undefined
  return hyphened(digits.replaceAll('-', '').toLowerCase())
}

const hyphened = (hex: string): string => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** Both spellings of bytea, as lower-case hexadecimal. */
function bytea(text: string): Read {
  if (text.startsWith(String.raw`\x`)) {
    const hex = text.slice(2).replace(/\s/g, '')
    return /^([0-9a-fA-F]{2})*$/.test(hex) ? String.raw`\x${hex.toLowerCase()}` : undefined
  }
  const raw = Buffer.from(text)
  const bytes: number[] = []
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at] as number
    if (byte !== BACKSLASH) bytes.push(byte)
    else if (raw[at + 1] === BACKSLASH) bytes.push(raw[++at] as number)
    else {
      const octal = raw.toString('latin1', at + 1, at + 4)
      if (!/^[0-3][0-7]{2}$/.test(octal)) return undefined
      bytes.push(Number.parseInt(octal, 8))
      at += 3
    }
  }
  return hexed(Buffer.from(bytes))
}
const BACKSLASH = 0x5c
const hexed = (bytes: Buffer): string => String.raw`\x` + bytes.toString('hex')

/** jsonb's binary form is one byte of version, then text. */
const jsonb = (bytes: Buffer): Read => (bytes[0] === 1 ? utf8(bytes.subarray(1)) : undefined)

const iso =
  (pattern: RegExp) =>
  (text: string): Read =>
    pattern.test(text) ? text : undefined
const ISO_DATE = /^\d{4,7}-\d{2}-\d{2}$/
const ISO_TIMESTAMP = /^\d{4,7}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$/
const ISO_TIMESTAMPTZ = /^\d{4,7}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)$/

const string = (name: string): Type => ({ name, text: verbatim, binary: utf8 })

const SCALARS: ReadonlyMap<number, Type> = new Map<number, Type>([
  [16, { name: 'bool', text: boolean, binary: sized(1, booleanByte) }],
  [17, { name: 'bytea', text: bytea, binary: hexed }],
  [18, string('char')],
  [19, string('name')],
  [20, { name: 'int8', text: integer, binary: sized(8, bigint) }],
  [21, { name: 'int2', text: integer, binary: sized(2, (bytes) => bytes.readInt16BE()) }],
  [23, { name: 'int4', text: integer, binary: sized(4, (bytes) => bytes.readInt32BE()) }],
  [25, string('text')],
  [26, { name: 'oid', text: integer, binary: sized(4, (bytes) => bytes.readUInt32BE()) }],
  [114, string('json')],
  [700, { name: 'float4', text: float, binary: sized(4, (bytes) => finite(bytes.readFloatBE())) }],
  [701, { name: 'float8', text: float, binary: sized(8, (bytes) => finite(bytes.readDoubleBE())) }],
  [705, string('unknown')],
  [1042, string('bpchar')],
  [1043, string('varchar')],
  [1082, { name: 'date', text: iso(ISO_DATE), binary: sized(4, date) }],
  [1114, { name: 'timestamp', text: iso(ISO_TIMESTAMP), binary: sized(8, (bytes) => timestamp(bytes, '')) }],
  [1184, { name: 'timestamptz', text: iso(ISO_TIMESTAMPTZ), binary: sized(8, (bytes) => timestamp(bytes, '+00')) }],
  [1700, { name: 'numeric', text: decimal, binary: (bytes) => decimal(numeric(bytes) ?? '') }],
  [2950, { name: 'uuid', text: uuid, binary: sized(16, (bytes) => hyphened(bytes.toString('hex'))) }],
  [3802, { name: 'jsonb', text: verbatim, binary: jsonb }],
])

/** By the array type's OID: its element's. */
const ARRAYS: ReadonlyMap<number, number> = new Map([
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1016, 20],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1028, 26],
  [199, 114],
  [1021, 700],
  [1022, 701],
  [1014, 1042],
  [1015, 1043],
  [1182, 1082],
  [1115, 1114],
  [1185, 1184],
  [1231, 1700],
  [2951, 2950],
  [3807, 3802],
])

/** Reads one bound value. Never throws: what cannot be read is not known. */
export function decodeParameter(oid: number, format: Format, bytes: Buffer | null): ParameterValue {
  const element = ARRAYS.get(oid)
  const type = SCALARS.get(element ?? oid)
  const name = type === undefined ? `oid:${oid}` : element === undefined ? type.name : `${type.name}[]`
  if (bytes === null) return { type: name, value: null, known: true }
  const opaque = { type: name, value: null, known: false }
  if (format === 0) {
    // A NUL ends the text for the server, and everything after it would only be seen here.
    if (!isUtf8(bytes) || bytes.includes(0)) return opaque
    const text = bytes.toString('utf8')
    const value = type === undefined ? undefined : element === undefined ? type.text(text) : verbatim(text)
    return value === undefined ? { type: name, value: text, known: false } : { type: name, value, known: true }
  }
  if (type === undefined) return opaque
  const value = element === undefined ? type.binary(bytes) : array(bytes, element, type)
  return value === undefined ? opaque : { type: name, value, known: true }
}

/** A binary array in the text form that the server would print: `{1,2,NULL}`. */
function array(bytes: Buffer, element: number, type: Type): Read {
  if (bytes.length < 12) return undefined
  const dimensions = bytes.readInt32BE(0)
  if (bytes.readUInt32BE(8) !== element || dimensions < 0 || dimensions > MAX_DIMENSIONS) return undefined
  if (dimensions === 0) return bytes.length === 12 ? '{}' : undefined
  // More than one dimension is rare in parameters, and its text form is not worth the code.
  if (dimensions !== 1 || bytes.length < 20 || bytes.readInt32BE(16) !== 1) return undefined
  const count = bytes.readInt32BE(12)
  if (count < 1 || count * 4 > bytes.length - 20) return undefined
  const parts: string[] = []
  let at = 20
  for (let index = 0; index < count; index++) {
    if (at + 4 > bytes.length) return undefined
    const length = bytes.readInt32BE(at)
    at += 4
    if (length === -1) {
      parts.push('NULL')
      continue
    }
    if (length < 0 || length > bytes.length - at) return undefined
    const value = type.binary(bytes.subarray(at, at + length))
    if (value === undefined) return undefined
    parts.push(quoted(typeof value === 'boolean' ? (value ? 't' : 'f') : String(value)))
    at += length
  }
  return at === bytes.length ? `{${parts.join(',')}}` : undefined
}

function quoted(text: string): string {
  const plain = text !== '' && !/[{}",\\\s]/.test(text) && !/^null$/i.test(text)
  return plain ? text : `"${text.replace(/["\\]/g, String.raw`\$&`)}"`
}
