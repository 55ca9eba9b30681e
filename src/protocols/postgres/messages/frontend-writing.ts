/** Writes what an agent would send: the inverse of frontend.ts. */
import type { Bind, Close, Describe, Format, FrontendMessage, FunctionCall } from './frontend.ts'
import { FRONTEND } from './types.ts'
import { Writer } from './writer.ts'

export function encodeQuery(text: string): Buffer {
  return new Writer(Buffer.byteLength(text) + 6).begin(FRONTEND.Query).string(text).finish().take()
}

export function encodeParse(statement: string, text: string, parameterTypes: readonly number[] = []): Buffer {
  const size = 9 + statement.length + Buffer.byteLength(text) + parameterTypes.length * 4
  const writer = new Writer(size).begin(FRONTEND.Parse).string(statement).string(text).uint16(parameterTypes.length)
  for (const oid of parameterTypes) writer.uint32(oid)
  return writer.finish().take()
}

export function encodeBind(bind: Omit<Bind, 'name'>): Buffer {
  const writer = new Writer().begin(FRONTEND.Bind).string(bind.portal).string(bind.statement)
  writeFormats(writer, bind.parameterFormats).uint16(bind.parameters.length)
  for (const value of bind.parameters) writer.value(value)
  return writeFormats(writer, bind.resultFormats).finish().take()
}

export function encodeDescribe(of: Describe['of'], target: string): Buffer {
  return encodeTarget(FRONTEND.Describe, of, target)
}

export function encodeClose(of: Close['of'], target: string): Buffer {
  return encodeTarget(FRONTEND.Close, of, target)
}

export function encodeExecute(portal: string, maxRows = 0): Buffer {
  return new Writer(portal.length + 10).begin(FRONTEND.Execute).string(portal).int32(maxRows).finish().take()
}

export function encodeCopyData(data: Uint8Array): Buffer {
  return new Writer(data.length + 5).begin(FRONTEND.CopyData).bytes(data).finish().take()
}

export function encodeCopyFail(reason: string): Buffer {
  return new Writer().begin(FRONTEND.CopyFail).string(reason).finish().take()
}

export function encodeFunctionCall(call: Omit<FunctionCall, 'name'>): Buffer {
  const writer = new Writer().begin(FRONTEND.FunctionCall).uint32(call.function)
  writeFormats(writer, call.argumentFormats).uint16(call.arguments.length)
  for (const value of call.arguments) writer.value(value)
  return writer.int16(call.resultFormat).finish().take()
}

/** A new buffer each, because buffers can be written to. */
export const encodeSync = (): Buffer => encodeBare(FRONTEND.Sync)
export const encodeFlush = (): Buffer => encodeBare(FRONTEND.Flush)
export const encodeCopyDone = (): Buffer => encodeBare(FRONTEND.CopyDone)
export const encodeTerminate = (): Buffer => encodeBare(FRONTEND.Terminate)

function encodeBare(type: number): Buffer {
  return Buffer.from([type, 0, 0, 0, 4])
}

function encodeTarget(type: number, of: Describe['of'], target: string): Buffer {
  const kind = of === 'statement' ? 0x53 : 0x50
  return new Writer(target.length + 7).begin(type).uint8(kind).string(target).finish().take()
}

function writeFormats(writer: Writer, formats: readonly Format[]): Writer {
  writer.uint16(formats.length)
  for (const code of formats) writer.int16(code)
  return writer
}

/** Encodes any message; the inverse of {@link decodeFrontend}. */
export function encodeFrontend(message: FrontendMessage): Buffer {
  switch (message.name) {
    case 'Query':
      return encodeQuery(message.text)
    case 'Parse':
      return encodeParse(message.statement, message.text, message.parameterTypes)
    case 'Bind':
      return encodeBind(message)
    case 'Describe':
    case 'Close':
      return encodeTarget(FRONTEND[message.name], message.of, message.target)
    case 'Execute':
      return encodeExecute(message.portal, message.maxRows)
    case 'CopyData':
      return encodeCopyData(message.data)
    case 'CopyFail':
      return encodeCopyFail(message.reason)
    case 'FunctionCall':
      return encodeFunctionCall(message)
    case 'Sync':
    case 'Flush':
    case 'CopyDone':
    case 'Terminate':
      return encodeBare(FRONTEND[message.name])
    default:
      return assertNever(message)
  }
}

function assertNever(message: never): never {
  throw new TypeError(`no such message: ${JSON.stringify(message)}`)
}
