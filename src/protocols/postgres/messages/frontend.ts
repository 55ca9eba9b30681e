/** What an agent sends once it is authenticated. Decoded in full: whatever is cut off, left over or inconsistent is a violation. */
import { BodyReader } from './body.ts'
import { FRONTEND } from './types.ts'

/** 0: text, 1: binary. */
export type Format = 0 | 1

export interface Query {
  readonly name: 'Query'
  readonly text: string
}
export interface Parse {
  readonly name: 'Parse'
  readonly statement: string
  readonly text: string
  /** OIDs; 0 leaves the type to the server. */
  readonly parameterTypes: readonly number[]
}
export interface Bind {
  readonly name: 'Bind'
  readonly portal: string
  readonly statement: string
  /** None (all text), one for all, or one each: see {@link formatOf}. */
  readonly parameterFormats: readonly Format[]
  /** Views into the message; null for NULL. */
  readonly parameters: readonly (Buffer | null)[]
  readonly resultFormats: readonly Format[]
}
export interface Describe {
  readonly name: 'Describe'
  readonly of: 'statement' | 'portal'
  readonly target: string
}
export interface Execute {
  readonly name: 'Execute'
  readonly portal: string
  /** Zero or less: all. */
  readonly maxRows: number
}
export interface Close {
  readonly name: 'Close'
  readonly of: 'statement' | 'portal'
  readonly target: string
}
export interface CopyData {
  readonly name: 'CopyData'
  readonly data: Buffer
}
export interface CopyFail {
  readonly name: 'CopyFail'
  readonly reason: string
}
export interface FunctionCall {
  readonly name: 'FunctionCall'
  readonly function: number
  readonly argumentFormats: readonly Format[]
  readonly arguments: readonly (Buffer | null)[]
  readonly resultFormat: Format
}
export interface Bare<Name extends string> {
  readonly name: Name
}

export type FrontendMessage =
  | Query
  | Parse
  | Bind
  | Describe
  | Execute
  | Close
  | CopyData
  | CopyFail
  | FunctionCall
  | Bare<'Sync'>
  | Bare<'Flush'>
  | Bare<'CopyDone'>
  | Bare<'Terminate'>

const bare = <Name extends string>(name: Name): Bare<Name> => Object.freeze({ name })
const MESSAGES = {
  Sync: bare('Sync'),
  Flush: bare('Flush'),
  CopyDone: bare('CopyDone'),
  Terminate: bare('Terminate'),
}

const DECODERS = new Map<number, (bytes: Buffer, start: number, end: number) => FrontendMessage>([
  [FRONTEND.Query, decodeQuery],
  [FRONTEND.Parse, decodeParse],
  [FRONTEND.Bind, decodeBind],
  [FRONTEND.Describe, decodeDescribe],
  [FRONTEND.Execute, decodeExecute],
  [FRONTEND.Close, decodeClose],
  [FRONTEND.CopyData, (bytes, start, end) => ({ name: 'CopyData', data: bytes.subarray(start, end) })],
  [FRONTEND.CopyFail, decodeCopyFail],
  [FRONTEND.FunctionCall, decodeFunctionCall],
  [FRONTEND.Sync, (bytes, start, end) => decodeBare('Sync', bytes, start, end)],
  [FRONTEND.Flush, (bytes, start, end) => decodeBare('Flush', bytes, start, end)],
  [FRONTEND.CopyDone, (bytes, start, end) => decodeBare('CopyDone', bytes, start, end)],
  [FRONTEND.Terminate, (bytes, start, end) => decodeBare('Terminate', bytes, start, end)],
])

/** Decodes the frame that lies from `start` (its type byte) to `end`. Views stay valid as long as the buffer does. */
export function decodeFrontend(bytes: Buffer, start: number, end: number): FrontendMessage {
  const type = bytes[start] as number
  const decode = DECODERS.get(type)
  if (decode === undefined) throw new BodyReader(`type ${type}`, bytes, start, end).violation('an unknown message')
  return decode(bytes, start + 5, end)
}

/** Single messages, for where the type is known. `start` is that of the body. */
export function decodeQuery(bytes: Buffer, start: number, end: number): Query {
  const body = new BodyReader('Query', bytes, start, end)
  const text = body.string('the text')
  body.end()
  return { name: 'Query', text }
}

export function decodeParse(bytes: Buffer, start: number, end: number): Parse {
  const body = new BodyReader('Parse', bytes, start, end)
  const statement = body.string('the statement name')
  const text = body.string('the text')
  const parameterTypes = body.uint32s(body.uint16('the count of types'), 'parameter types')
  body.end()
  return { name: 'Parse', statement, text, parameterTypes }
}

export function decodeBind(bytes: Buffer, start: number, end: number): Bind {
  const body = new BodyReader('Bind', bytes, start, end)
  const portal = body.string('the portal name')
  const statement = body.string('the statement name')
  const { formats, values } = decodeValues(body, 'parameter')
  const resultFormats = decodeFormats(body, 'result formats')
  body.end()
  return { name: 'Bind', portal, statement, parameterFormats: formats, parameters: values, resultFormats }
}

export function decodeExecute(bytes: Buffer, start: number, end: number): Execute {
  const body = new BodyReader('Execute', bytes, start, end)
  const portal = body.string('the portal name')
  const maxRows = body.int32('the row limit')
  body.end()
  return { name: 'Execute', portal, maxRows }
}

export function decodeDescribe(bytes: Buffer, start: number, end: number): Describe {
  const body = new BodyReader('Describe', bytes, start, end)
  const of = kindOf(body)
  const target = body.string('the name')
  body.end()
  return { name: 'Describe', of, target }
}

export function decodeClose(bytes: Buffer, start: number, end: number): Close {
  const body = new BodyReader('Close', bytes, start, end)
  const of = kindOf(body)
  const target = body.string('the name')
  body.end()
  return { name: 'Close', of, target }
}

function kindOf(body: BodyReader): 'statement' | 'portal' {
  const kind = body.uint8('the kind')
  if (kind === 0x53) return 'statement'
  if (kind === 0x50) return 'portal'
  throw body.violation(`the kind ${kind} is neither S nor P`)
}

function decodeCopyFail(bytes: Buffer, start: number, end: number): CopyFail {
  const body = new BodyReader('CopyFail', bytes, start, end)
  const reason = body.string('the reason')
  body.end()
  return { name: 'CopyFail', reason }
}

function decodeFunctionCall(bytes: Buffer, start: number, end: number): FunctionCall {
  const body = new BodyReader('FunctionCall', bytes, start, end)
  const oid = body.uint32('the function')
  const { formats, values } = decodeValues(body, 'argument')
  const resultFormat = format(body, body.int16('the result format'))
  body.end()
  return { name: 'FunctionCall', function: oid, argumentFormats: formats, arguments: values, resultFormat }
}

function decodeBare<Name extends keyof typeof MESSAGES>(name: Name, bytes: Buffer, start: number, end: number) {
  if (end !== start) new BodyReader(name, bytes, start, end).end()
  return MESSAGES[name]
}

function decodeValues(body: BodyReader, what: string) {
  const formats = decodeFormats(body, `${what} formats`)
  const count = body.uint16(`the count of ${what}s`)
  if (formats.length > 1 && formats.length !== count) {
    throw body.violation(`${formats.length} ${what} formats for ${count} ${what}s`)
  }
  if (count * 4 > body.left) throw body.violation(`${count} ${what}s announced, and ${body.left} bytes left`)
  const values: (Buffer | null)[] = []
  for (let index = 0; index < count; index++) values.push(body.value(what))
  return { formats, values }
}

function decodeFormats(body: BodyReader, what: string): Format[] {
  const codes = body.int16s(body.uint16(`the count of ${what}`), what)
  return codes.map((code) => format(body, code))
}

function format(body: BodyReader, code: number): Format {
  if (code === 0 || code === 1) return code
  throw body.violation(`the unknown format ${code}`)
}

/** The format of the value at `index`: none given means text, one given means all. */
export function formatOf(formats: readonly Format[], index: number): Format {
  return (formats.length === 1 ? formats[0] : formats[index]) ?? 0
}
