/** ATTRS: a word that says which fields follow, and those. */
import type { BodyReader } from './body.ts'
import { ATTRIBUTE } from './types.ts'
import type { PacketWriter } from './writer.ts'

/** What is absent was not sent. */
export interface Attributes {
  readonly size?: bigint
  readonly owner?: { readonly uid: number; readonly gid: number }
  readonly permissions?: number
  /** Seconds since 1970. */
  readonly times?: { readonly atime: number; readonly mtime: number }
  readonly extended?: readonly (readonly [type: Buffer, data: Buffer])[]
}

export const NO_ATTRIBUTES: Attributes = Object.freeze({})

const KNOWN = ATTRIBUTE.SIZE + ATTRIBUTE.UIDGID + ATTRIBUTE.PERMISSIONS + ATTRIBUTE.ACMODTIME + ATTRIBUTE.EXTENDED

export function readAttributes(body: BodyReader): Attributes {
  const flags = body.uint32('the attribute flags')
  // A field of an unknown length would follow, so that nothing behind it could be found.
  if ((flags & ~KNOWN) !== 0) throw body.violation(`the unknown attribute flags 0x${flags.toString(16)}`)
  if (flags === 0) return NO_ATTRIBUTES
  const attributes: { -readonly [Key in keyof Attributes]: Attributes[Key] } = {}
  if ((flags & ATTRIBUTE.SIZE) !== 0) attributes.size = body.uint64('the size')
  if ((flags & ATTRIBUTE.UIDGID) !== 0) attributes.owner = { uid: body.uint32('the uid'), gid: body.uint32('the gid') }
  if ((flags & ATTRIBUTE.PERMISSIONS) !== 0) attributes.permissions = body.uint32('the permissions')
  if ((flags & ATTRIBUTE.ACMODTIME) !== 0) {
    attributes.times = { atime: body.uint32('the atime'), mtime: body.uint32('the mtime') }
  }
  if ((flags & ATTRIBUTE.EXTENDED) !== 0) attributes.extended = readPairs(body, body.uint32('the extended count'))
  return attributes
}

/** As many pairs of strings as a count says, which is checked against what is there before anything is made. */
export function readPairs(body: BodyReader, count: number): [Buffer, Buffer][] {
  if (count * 8 > body.left) throw body.violation(`${count} pairs announced, and ${body.left} bytes left`)
  return Array.from({ length: count }, () => [body.string('a name'), body.string('its data')])
}

export function writeAttributes(packet: PacketWriter, attributes: Attributes): PacketWriter {
  const { size, owner, permissions, times, extended } = attributes
  packet.uint32(
    (size === undefined ? 0 : ATTRIBUTE.SIZE) +
      (owner === undefined ? 0 : ATTRIBUTE.UIDGID) +
      (permissions === undefined ? 0 : ATTRIBUTE.PERMISSIONS) +
      (times === undefined ? 0 : ATTRIBUTE.ACMODTIME) +
      (extended === undefined ? 0 : ATTRIBUTE.EXTENDED),
  )
  if (size !== undefined) packet.uint64(size)
  if (owner !== undefined) packet.uint32(owner.uid).uint32(owner.gid)
  if (permissions !== undefined) packet.uint32(permissions)
  if (times !== undefined) packet.uint32(times.atime).uint32(times.mtime)
  if (extended !== undefined) {
    packet.uint32(extended.length)
    for (const [type, data] of extended) packet.string(type).string(data)
  }
  return packet
}
