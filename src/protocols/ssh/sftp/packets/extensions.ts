/** The extensions that are inspected, as OpenSSH's PROTOCOL describes them (section 4): all others are not offered. */
import { type Attributes, readAttributes, writeAttributes } from './attributes.ts'
import type { BodyReader } from './body.ts'
import { LARGEST_HANDLE } from './types.ts'
import type { PacketWriter } from './writer.ts'

type Field = 'path' | 'handle' | 'attributes' | 'uint64' | 'bytes'

interface Extension {
  /** As VERSION announces it: another version could mean other fields. */
  readonly version: string
  readonly fields: readonly Field[]
}

export const EXTENSIONS = {
  /** old path, new path */
  'posix-rename@openssh.com': { version: '1', fields: ['path', 'path'] },
  'statvfs@openssh.com': { version: '2', fields: ['path'] },
  'fstatvfs@openssh.com': { version: '2', fields: ['handle'] },
  /** old path, new path */
  'hardlink@openssh.com': { version: '1', fields: ['path', 'path'] },
  'fsync@openssh.com': { version: '1', fields: ['handle'] },
  'lsetstat@openssh.com': { version: '1', fields: ['path', 'attributes'] },
  'limits@openssh.com': { version: '1', fields: [] },
  'expand-path@openssh.com': { version: '1', fields: ['path'] },
  /** from handle, offset, length (0: to its end), to handle, offset */
  'copy-data': { version: '1', fields: ['handle', 'uint64', 'uint64', 'handle', 'uint64'] },
  /** a user's name */
  'home-directory': { version: '1', fields: ['bytes'] },
  /** uids, gids: each a string of 32-bit words */
  'users-groups-by-id@openssh.com': { version: '1', fields: ['bytes', 'bytes'] },
} as const satisfies Readonly<Record<string, Extension>>
export type ExtensionName = keyof typeof EXTENSIONS

const BY_NAME: ReadonlyMap<string, Extension> = new Map(Object.entries(EXTENSIONS))

/** What an extended request holds, by kind and in order. */
export interface ExtendedFields {
  readonly paths: readonly Buffer[]
  readonly handles: readonly Buffer[]
  readonly numbers: readonly bigint[]
  readonly strings: readonly Buffer[]
  readonly attributes: Attributes | null
}

export function isExtension(name: string): name is ExtensionName {
  return BY_NAME.has(name)
}

/** Whether an announced extension is one that is inspected, in the version that is known. */
export function offers(name: string, version: string): name is ExtensionName {
  return BY_NAME.get(name)?.version === version
}

export function readExtended(name: ExtensionName, body: BodyReader): ExtendedFields {
  const paths: Buffer[] = []
  const handles: Buffer[] = []
  const numbers: bigint[] = []
  const strings: Buffer[] = []
  let attributes: Attributes | null = null
  for (const field of EXTENSIONS[name].fields) {
    if (field === 'path') paths.push(body.string('a path'))
    else if (field === 'handle') handles.push(body.string('a handle', LARGEST_HANDLE))
    else if (field === 'uint64') numbers.push(body.uint64('a number'))
    else if (field === 'bytes') strings.push(body.string('a string'))
    else attributes = readAttributes(body)
  }
  body.end()
  return { paths, handles, numbers, strings, attributes }
}

export function writeExtended(packet: PacketWriter, name: ExtensionName, fields: ExtendedFields): PacketWriter {
  const of = { path: [...fields.paths], handle: [...fields.handles], bytes: [...fields.strings] }
  const numbers = [...fields.numbers]
  for (const field of EXTENSIONS[name].fields) {
    if (field === 'uint64') packet.uint64(numbers.shift() ?? 0n)
    else if (field === 'attributes') writeAttributes(packet, fields.attributes ?? {})
    else packet.string(of[field].shift() ?? '')
  }
  return packet
}
