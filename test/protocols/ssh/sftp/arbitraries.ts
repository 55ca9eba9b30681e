/** Random packets of both directions. */
import fc from 'fast-check'
import type { Attributes } from '../../../../src/protocols/ssh/sftp/packets/attributes.ts'
import { EXTENSIONS, type ExtensionName, isExtension } from '../../../../src/protocols/ssh/sftp/packets/extensions.ts'
import type { SftpReply } from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import type { Pairs, SftpRequest } from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { REPLY, REQUEST } from '../../../../src/protocols/ssh/sftp/packets/types.ts'

function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const uint32 = fc.nat({ max: 0xffff_ffff })
const uint64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const handle = bytes
const pair = fc.tuple(bytes, bytes)

export const pairs: fc.Arbitrary<Pairs> = fc.array(pair, { maxLength: 4 })

export const attributes: fc.Arbitrary<Attributes> = fc.record(
  {
    size: uint64,
    owner: record({ uid: uint32, gid: uint32 }),
    permissions: uint32,
    times: record({ atime: uint32, mtime: uint32 }),
    extended: fc.array(pair, { maxLength: 3 }),
  },
  { requiredKeys: [], noNullPrototype: true },
)

function extended(name: ExtensionName): fc.Arbitrary<SftpRequest> {
  const fields: readonly string[] = EXTENSIONS[name].fields
  const as = (field: string, of: fc.Arbitrary<Buffer>) => {
    const length = fields.filter((one) => one === field).length
    return fc.array(of, { minLength: length, maxLength: length })
  }
  const numbers = fields.filter((one) => one === 'uint64').length
  return record({
    type: fc.constant(REQUEST.EXTENDED),
    id: uint32,
    name: fc.constant(name),
    fields: record({
      paths: as('path', bytes),
      handles: as('handle', handle),
      numbers: fc.array(uint64, { minLength: numbers, maxLength: numbers }),
      strings: as('bytes', bytes),
      attributes: fields.includes('attributes') ? attributes : fc.constant(null),
    }),
  })
}

const unknown = record({
  type: fc.constant(REQUEST.EXTENDED),
  id: uint32,
  name: fc.constant(null),
  unknown: bytes.filter((name) => !isExtension(name.toString('latin1'))),
  body: bytes,
})

export const request: fc.Arbitrary<SftpRequest> = fc.oneof(
  record({ type: fc.constant(REQUEST.OPEN), id: uint32, path: bytes, pflags: uint32, attributes }),
  record({ type: fc.constantFrom(REQUEST.CLOSE, REQUEST.FSTAT, REQUEST.READDIR), id: uint32, handle }),
  record({ type: fc.constant(REQUEST.READ), id: uint32, handle, offset: uint64, length: uint32 }),
  record({ type: fc.constant(REQUEST.WRITE), id: uint32, handle, offset: uint64, data: bytes }),
  record({
    type: fc.constantFrom(
      REQUEST.LSTAT,
      REQUEST.STAT,
      REQUEST.OPENDIR,
      REQUEST.REMOVE,
      REQUEST.RMDIR,
      REQUEST.REALPATH,
      REQUEST.READLINK,
    ),
    id: uint32,
    path: bytes,
  }),
  record({ type: fc.constantFrom(REQUEST.SETSTAT, REQUEST.MKDIR), id: uint32, path: bytes, attributes }),
  record({ type: fc.constant(REQUEST.FSETSTAT), id: uint32, handle, attributes }),
  record({ type: fc.constantFrom(REQUEST.RENAME, REQUEST.SYMLINK), id: uint32, first: bytes, second: bytes }),
  fc.constantFrom(...(Object.keys(EXTENSIONS) as ExtensionName[])).chain(extended),
  unknown,
)

export const reply: fc.Arbitrary<SftpReply> = fc.oneof(
  record({
    type: fc.constant(REPLY.STATUS),
    id: uint32,
    code: uint32,
    text: fc.option(record({ message: bytes, language: bytes })),
  }),
  record({ type: fc.constant(REPLY.HANDLE), id: uint32, handle }),
  record({ type: fc.constant(REPLY.DATA), id: uint32, data: bytes }),
  record({
    type: fc.constant(REPLY.NAME),
    id: uint32,
    entries: fc.array(record({ name: bytes, long: bytes, attributes }), { maxLength: 4 }),
  }),
  record({ type: fc.constant(REPLY.ATTRS), id: uint32, attributes }),
  record({ type: fc.constant(REPLY.EXTENDED_REPLY), id: uint32, body: bytes }),
)

/** Cuts bytes at these places, each piece in memory of its own. */
export function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, index) => Buffer.from(whole.subarray(from, at[index] ?? whole.length)))
}
