/** The packets of a client, each fully checked. Strings are views of the packet's bytes. */
import { HEADER } from '../framing.ts'
import { type Attributes, readAttributes, readPairs, writeAttributes } from './attributes.ts'
import { BodyReader } from './body.ts'
import { type ExtendedFields, type ExtensionName, isExtension, readExtended, writeExtended } from './extensions.ts'
import { LARGEST_HANDLE, REQUEST, REQUEST_TABLE } from './types.ts'
import { ProtocolViolation } from './violation.ts'
import { PacketWriter } from './writer.ts'

type R = typeof REQUEST

export type Pairs = readonly (readonly [name: Buffer, data: Buffer])[]

export interface Init {
  readonly type: R['INIT']
  readonly version: number
  readonly extensions: Pairs
}
export interface Open {
  readonly type: R['OPEN']
  readonly id: number
  readonly path: Buffer
  readonly pflags: number
  readonly attributes: Attributes
}
export interface OnHandle {
  readonly type: R['CLOSE'] | R['FSTAT'] | R['READDIR']
  readonly id: number
  readonly handle: Buffer
}
export interface Read {
  readonly type: R['READ']
  readonly id: number
  readonly handle: Buffer
  readonly offset: bigint
  readonly length: number
}
export interface Write {
  readonly type: R['WRITE']
  readonly id: number
  readonly handle: Buffer
  readonly offset: bigint
  readonly data: Buffer
}
export interface OnPath {
  readonly type: R['LSTAT'] | R['STAT'] | R['OPENDIR'] | R['REMOVE'] | R['RMDIR'] | R['REALPATH'] | R['READLINK']
  readonly id: number
  readonly path: Buffer
}
export interface SetOnPath {
  readonly type: R['SETSTAT'] | R['MKDIR']
  readonly id: number
  readonly path: Buffer
  readonly attributes: Attributes
}
export interface SetOnHandle {
  readonly type: R['FSETSTAT']
  readonly id: number
  readonly handle: Buffer
  readonly attributes: Attributes
}
/** RENAME: old, new. SYMLINK: in the draft the link and then what it points at, in OpenSSH the other way round. */
export interface OnTwoPaths {
  readonly type: R['RENAME'] | R['SYMLINK']
  readonly id: number
  readonly first: Buffer
  readonly second: Buffer
}
export interface Extended {
  readonly type: R['EXTENDED']
  readonly id: number
  readonly name: ExtensionName
  readonly fields: ExtendedFields
}
/** Its fields cannot be known. */
export interface UnknownExtended {
  readonly type: R['EXTENDED']
  readonly id: number
  readonly name: null
  readonly unknown: Buffer
  readonly body: Buffer
}
/** All but the first packet of a connection. */
export type SftpRequest =
  | Open
  | OnHandle
  | Read
  | Write
  | OnPath
  | SetOnPath
  | SetOnHandle
  | OnTwoPaths
  | Extended
  | UnknownExtended

const handleOf = (body: BodyReader): Buffer => body.string('the handle', LARGEST_HANDLE)

export function decodeInit(packet: Buffer): Init {
  const body = new BodyReader('INIT', packet, HEADER)
  const version = body.uint32('the version')
  return { type: REQUEST.INIT, version, extensions: readAllPairs(body) }
}

/** Pairs of strings up to the packet's end. */
export function readAllPairs(body: BodyReader): Pairs {
  const pairs: [Buffer, Buffer][] = []
  while (body.left > 0) pairs.push(...readPairs(body, 1))
  return pairs
}

/** Decodes a whole packet, its length word included. Throws a {@link ProtocolViolation}. */
export function decodeRequest(packet: Buffer): SftpRequest {
  const type = packet[4] as number
  const body = new BodyReader(REQUEST_TABLE.names[type] ?? `type ${type}`, packet, HEADER)
  const request = readRequest(type, body)
  body.end()
  return request
}

function readRequest(type: number, body: BodyReader): SftpRequest {
  if (type === REQUEST.INIT) throw body.violation('it comes once, and first')
  const id = body.uint32('the request id')
  switch (type) {
    case REQUEST.READ:
      return { type, id, handle: handleOf(body), offset: body.uint64('the offset'), length: body.uint32('the length') }
    case REQUEST.WRITE:
      return { type, id, handle: handleOf(body), offset: body.uint64('the offset'), data: body.string('the data') }
    case REQUEST.CLOSE:
    case REQUEST.FSTAT:
    case REQUEST.READDIR:
      return { type, id, handle: handleOf(body) }
    case REQUEST.OPEN: {
      const path = body.string('the path')
      return { type, id, path, pflags: body.uint32('the flags'), attributes: readAttributes(body) }
    }
    case REQUEST.LSTAT:
    case REQUEST.STAT:
    case REQUEST.OPENDIR:
    case REQUEST.REMOVE:
    case REQUEST.RMDIR:
    case REQUEST.REALPATH:
    case REQUEST.READLINK:
      return { type, id, path: body.string('the path') }
    case REQUEST.SETSTAT:
    case REQUEST.MKDIR:
      return { type, id, path: body.string('the path'), attributes: readAttributes(body) }
    case REQUEST.FSETSTAT:
      return { type, id, handle: handleOf(body), attributes: readAttributes(body) }
    case REQUEST.RENAME:
    case REQUEST.SYMLINK:
      return { type, id, first: body.string('the first path'), second: body.string('the second path') }
    case REQUEST.EXTENDED:
      return readExtension(id, body)
    default:
      throw new ProtocolViolation('the agent', `a packet of the unknown type ${type}`)
  }
}

function readExtension(id: number, body: BodyReader): Extended | UnknownExtended {
  const bytes = body.string('the extension')
  const name = bytes.toString('latin1')
  if (isExtension(name)) return { type: REQUEST.EXTENDED, id, name, fields: readExtended(name, body) }
  return { type: REQUEST.EXTENDED, id, name: null, unknown: bytes, body: body.rest() }
}

export function encodeInit(version: number, extensions: Pairs = []): Buffer {
  const packet = new PacketWriter(REQUEST.INIT).uint32(version)
  for (const [name, data] of extensions) packet.string(name).string(data)
  return packet.finish()
}

export function encodeRequest(request: SftpRequest): Buffer {
  const packet = new PacketWriter(request.type).uint32(request.id)
  switch (request.type) {
    case REQUEST.READ:
      return packet.string(request.handle).uint64(request.offset).uint32(request.length).finish()
    case REQUEST.WRITE:
      return packet.string(request.handle).uint64(request.offset).string(request.data).finish()
    case REQUEST.CLOSE:
    case REQUEST.FSTAT:
    case REQUEST.READDIR:
      return packet.string(request.handle).finish()
    case REQUEST.OPEN:
      return writeAttributes(packet.string(request.path).uint32(request.pflags), request.attributes).finish()
    case REQUEST.LSTAT:
    case REQUEST.STAT:
    case REQUEST.OPENDIR:
    case REQUEST.REMOVE:
    case REQUEST.RMDIR:
    case REQUEST.REALPATH:
    case REQUEST.READLINK:
      return packet.string(request.path).finish()
    case REQUEST.SETSTAT:
    case REQUEST.MKDIR:
      return writeAttributes(packet.string(request.path), request.attributes).finish()
    case REQUEST.FSETSTAT:
      return writeAttributes(packet.string(request.handle), request.attributes).finish()
    case REQUEST.RENAME:
    case REQUEST.SYMLINK:
      return packet.string(request.first).string(request.second).finish()
    case REQUEST.EXTENDED:
      return request.name === null
        ? packet.string(request.unknown).bytes(request.body).finish()
        : writeExtended(packet.string(request.name), request.name, request.fields).finish()
  }
}
