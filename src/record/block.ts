/**
 * The bytes of the journal. Version 1; numbers are big-endian.
 *
 * A segment file is a header and commit blocks; a block is what one write stored, and holds one or more records.
 *
 * ```
 * segment header, 128 bytes            block header, 60 bytes
 *   0  8  magic "SIDEGATE"               0  4  magic "SGB1"
 *   8  2  version: 1                     4  4  length of the payload
 *  10  2  length of this header: 128     8  4  CRC-32 of all that follows, payload included
 *  12  4  CRC-32 of all that follows    12  1  type: 1 records; 2 reserved for signed checkpoints
 *  16  8  position of the first record  13  3  reserved: 0
 *  24  8  milliseconds since 1970       16  4  number of records
 *  32 32  hash of the block before      20  8  position of the first record
 *  64 64  instance, padded with zeros   28 32  hash of the block before
 *                                       60  …  payload: records, each a line of JSON and a line feed
 * ```
 *
 * **The chain.** A block's hash is the SHA-256 of the whole block, which contains the hash of the one before; before the first stands
 * {@link genesis}. So an edit, a removal, an insertion and another order all show in the next block, and in the end in the head. Everything in a
 * block's header follows from its records and its predecessor, so the chain can be checked wherever the lines went (a decision's line may
 * be stored shorter than it is read: `storedLine` in reference.ts).
 *
 * **To prove one record**: show its block (its neighbours with it), the hash before, and the hashes on to a head that the other side
 * trusts. The line's place in the payload and the block's first position give its own.
 *
 * A line of JSON cannot contain a block header: its control characters are escaped, and a length's first byte is 0.
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

export const SEGMENT_HEADER = 128
export const BLOCK_HEADER = 60
/** No block is larger; a length beyond it is damage. 16 MiB is where a length's first byte would no longer be 0. */
export const BLOCK_MAX = 8 * 1024 ** 2
export const INSTANCE_LENGTH = 64
const SEGMENT_MAGIC = Buffer.from('SIDEGATE', 'latin1')
const BLOCK_MAGIC = Buffer.from('SGB1', 'latin1')
const MAGIC_WORD = BLOCK_MAGIC.readUInt32BE(0)
const VERSION = 1
/** Type 1, and three reserved bytes. */
const RECORDS_WORD = 2 ** 24
const HASH_BYTES = 32
const HIGH = 2 ** 32

export interface SegmentHeader {
  readonly instance: string
  readonly first: number
  readonly createdAt: number
  /** The hash of the block before, 64 hexadecimal digits. */
  readonly previous: string
}

export interface Block {
  readonly first: number
  readonly count: number
  readonly previous: string
  /** The whole block. Shares memory with what it was read from. */
  readonly bytes: Buffer
  readonly payload: Buffer
}

export type Parsed =
  | { readonly kind: 'block'; readonly block: Block }
  /** The bytes end before the block does. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'damaged'; readonly why: string }

/** What the first block of an instance has for a hash before it. */
export function genesis(instance: string): string {
  return hash('sha256', `sidegate/v1|${instance}`, 'hex')
}

export function blockHash(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** A hash as its 32 bytes, each a character: of all forms the cheapest to make and to write. */
export function blockDigest(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary')
}

export function digestOf(hash: string): string {
  return Buffer.from(hash, 'hex').toString('latin1')
}

export function hashOf(digest: string): string {
  return Buffer.from(digest, 'latin1').toString('hex')
}

/** Puts the header before a payload that already stands in `slab` from {@link BLOCK_HEADER} to `end`. `previous` is a digest. */
export function sealBlock(slab: Buffer, end: number, first: number, count: number, previous: string): void {
  putWord(slab, 0, MAGIC_WORD)
  putWord(slab, 4, end - BLOCK_HEADER)
  putWord(slab, 12, RECORDS_WORD)
  putWord(slab, 16, count)
  putWord(slab, 20, Math.floor(first / HIGH))
  putWord(slab, 24, first)
  slab.write(previous, 28, 'latin1')
  putWord(slab, 8, crc32(slab.subarray(12, end)))
}

/** Reads the block at `offset`, which may have any bytes after it. */
export function parseBlock(buffer: Buffer, offset: number): Parsed {
  const room = buffer.length - offset
  const magic = Math.min(room, BLOCK_MAGIC.length)
  if (buffer.compare(BLOCK_MAGIC, 0, magic, offset, offset + magic) !== 0) return damaged('no block begins there')
  if (room < BLOCK_HEADER) return { kind: 'incomplete' }
  const length = buffer.readUInt32BE(offset + 4)
  if (length > BLOCK_MAX) return damaged('a block is longer than any that is written')
  if (room < BLOCK_HEADER + length) return { kind: 'incomplete' }
  const bytes = buffer.subarray(offset, offset + BLOCK_HEADER + length)
  if (crc32(bytes.subarray(12)) !== bytes.readUInt32BE(8)) return damaged('a checksum is wrong')
  if (bytes.readUInt32BE(12) !== RECORDS_WORD) return damaged('a block is of a kind that this version does not know')
  const block = {
    count: bytes.readUInt32BE(16),
    first: readPosition(bytes, 20),
    previous: bytes.toString('hex', 28, BLOCK_HEADER),
    bytes,
    payload: bytes.subarray(BLOCK_HEADER),
  }
  return { kind: 'block', block }
}

/** Where a whole block begins at or after `offset`; -1 where none does. Tells a torn end from damage in the middle. */
export function findBlock(buffer: Buffer, offset: number): number {
  for (let at = buffer.indexOf(BLOCK_MAGIC, offset); at !== -1; at = buffer.indexOf(BLOCK_MAGIC, at + 1)) {
    if (parseBlock(buffer, at).kind === 'block') return at
  }
  return -1
}

/** The lines of a block, without their line feeds. Their number is checked: it must be the header's. */
export function linesOf({ payload, count }: Block): Buffer[] {
  const lines: Buffer[] = []
  for (let start = 0; start < payload.length;) {
    const end = payload.indexOf(0x0a, start)
    if (end === -1) break
    lines.push(payload.subarray(start, end))
    start = end + 1
  }
  if (lines.length !== count) throw new Error(`a block of ${count} records has ${lines.length} lines`)
  return lines
}

export function segmentHeader({ instance, first, createdAt, previous }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER)
  bytes.set(SEGMENT_MAGIC, 0)
  bytes.writeUInt16BE(VERSION, 8)
  bytes.writeUInt16BE(SEGMENT_HEADER, 10)
  writePosition(bytes, first, 16)
  writePosition(bytes, createdAt, 24)
  bytes.write(previous, 32, HASH_BYTES, 'hex')
  bytes.write(instance, 64, INSTANCE_LENGTH, 'latin1')
  bytes.writeUInt32BE(crc32(bytes.subarray(16)), 12)
  return bytes
}

/** null where the bytes are not a whole segment header of this version. */
export function parseSegmentHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER || bytes.compare(SEGMENT_MAGIC, 0, 8, 0, 8) !== 0) return null
  if (bytes.readUInt16BE(8) !== VERSION || bytes.readUInt16BE(10) !== SEGMENT_HEADER) return null
  if (crc32(bytes.subarray(16, SEGMENT_HEADER)) !== bytes.readUInt32BE(12)) return null
  return {
    first: readPosition(bytes, 16),
    createdAt: readPosition(bytes, 24),
    previous: bytes.toString('hex', 32, 64),
    instance: bytes.toString('latin1', 64, SEGMENT_HEADER).replace(/\0+$/, ''),
  }
}

function damaged(why: string): Parsed {
  return { kind: 'damaged', why }
}

/** The low 32 bits of a number, big-endian. Unchecked, which is half the cost of a block's header. */
function putWord(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

function writePosition(bytes: Buffer, position: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(position / HIGH), offset)
  bytes.writeUInt32BE(position % HIGH, offset + 4)
}

function readPosition(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * HIGH + bytes.readUInt32BE(offset + 4)
}
