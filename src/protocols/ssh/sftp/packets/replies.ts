/** The packets of a server. Their names and messages are bytes of any encoding: they go to the agent as they are. */
import { HEADER } from '../framing.ts'
import { type Attributes, readAttributes, writeAttributes } from './attributes.ts'
import { BodyReader } from './body.ts'
import { type Pairs, readAllPairs } from './requests.ts'
import { LARGEST_HANDLE, REPLY, REPLY_TABLE } from './types.ts'
import { ProtocolViolation } from './violation.ts'
import { PacketWriter } from './writer.ts'

type R = typeof REPLY

export interface Version {
  readonly type: R['VERSION']
  readonly version: number
  readonly extensions: Pairs
}
export interface Status {
  readonly type: R['STATUS']
  readonly id: number
  readonly code: number
  /** Servers of the first versions leave out the message and its language. */
  readonly text: { readonly message: Buffer; readonly language: Buffer } | null
}
export interface Handle {
  readonly type: R['HANDLE']
  readonly id: number
  readonly handle: Buffer
}
export interface Data {
  readonly type: R['DATA']
  readonly id: number
  readonly data: Buffer
}
export interface NameEntry {
  readonly name: Buffer
  readonly long: Buffer
  readonly attributes: Attributes
}
export interface Name {
  readonly type: R['NAME']
  readonly id: number
  readonly entries: readonly NameEntry[]
}
export interface Attrs {
  readonly type: R['ATTRS']
  readonly id: number
  readonly attributes: Attributes
}
/** What it holds depends on the request that it answers. */
export interface ExtendedReply {
  readonly type: R['EXTENDED_REPLY']
  readonly id: number
  readonly body: Buffer
}
/** All but the first packet of a connection. */
export type SftpReply = Status | Handle | Data | Name | Attrs | ExtendedReply

/** Two strings and the attributes' flags. */
const SMALLEST_ENTRY = 12

export function decodeVersion(packet: Buffer): Version {
  if (packet[4] !== REPLY.VERSION) throw new ProtocolViolation('the server', 'its first packet is not VERSION')
  const body = new BodyReader('VERSION', packet, HEADER)
  const version = body.uint32('the version')
  return { type: REPLY.VERSION, version, extensions: readAllPairs(body) }
}

/** Decodes a whole packet, its length word included. Throws a {@link ProtocolViolation}. */
export function decodeReply(packet: Buffer): SftpReply {
  const type = packet[4] as number
  const body = new BodyReader(REPLY_TABLE.names[type] ?? `type ${type}`, packet, HEADER)
  const reply = readReply(type, body)
  body.end()
  return reply
}

function readReply(type: number, body: BodyReader): SftpReply {
  if (type === REPLY.VERSION) throw body.violation('it comes once, and first')
  const id = body.uint32('the request id')
  switch (type) {
    case REPLY.DATA:
      return { type, id, data: body.string('the data') }
    case REPLY.STATUS: {
      const code = body.uint32('the code')
      const text =
        body.left === 0 ? null : { message: body.string('the message'), language: body.string('the language') }
      return { type, id, code, text }
    }
    case REPLY.HANDLE:
      return { type, id, handle: body.string('the handle', LARGEST_HANDLE) }
    case REPLY.NAME:
      return { type, id, entries: readEntries(body) }
    case REPLY.ATTRS:
      return { type, id, attributes: readAttributes(body) }
    case REPLY.EXTENDED_REPLY:
      return { type, id, body: body.rest() }
    default:
      throw new ProtocolViolation('the server', `a packet of the unknown type ${type}`)
  }
}

function readEntries(body: BodyReader): NameEntry[] {
  const count = body.uint32('the count')
  if (count * SMALLEST_ENTRY > body.left) {
    throw body.violation(`${count} names announced, and ${body.left} bytes left`)
  }
  return Array.from({ length: count }, () => ({
    name: body.string('a name'),
    long: body.string('a long name'),
    attributes: readAttributes(body),
  }))
}

export function encodeVersion(version: number, extensions: Pairs): Buffer {
  const packet = new PacketWriter(REPLY.VERSION).uint32(version)
  for (const [name, data] of extensions) packet.string(name).string(data)
  return packet.finish()
}

export function encodeReply(reply: SftpReply): Buffer {
  const packet = new PacketWriter(reply.type).uint32(reply.id)
  switch (reply.type) {
    case REPLY.DATA:
      return packet.string(reply.data).finish()
    case REPLY.STATUS:
      packet.uint32(reply.code)
      return (reply.text === null ? packet : packet.string(reply.text.message).string(reply.text.language)).finish()
    case REPLY.HANDLE:
      return packet.string(reply.handle).finish()
    case REPLY.NAME:
      packet.uint32(reply.entries.length)
      for (const { name, long, attributes } of reply.entries)
        writeAttributes(packet.string(name).string(long), attributes)
      return packet.finish()
    case REPLY.ATTRS:
      return writeAttributes(packet, reply.attributes).finish()
    case REPLY.EXTENDED_REPLY:
      return packet.bytes(reply.body).finish()
  }
}
