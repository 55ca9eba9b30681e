/** What a writer finds in its directory: where to go on, and what a crash left half-written. */
import { createHash } from 'node:crypto'
import { readFileSync, truncateSync, unlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { blockHash, findBlock, parseBlock, parseSegmentHeader, SEGMENT_HEADER } from './block.ts'
import { corrupt, headerOf, type SegmentFile, segmentsOf } from './directory.ts'

export interface Sealed {
  readonly path: string
  readonly first: number
  /** The last position that it may hold. */
  readonly last: number
  readonly size: number
}

/** What was cut off the end; `cut` in records.ts. */
export interface Torn {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly sha256: string
}

export interface Recovered {
  readonly instance: string
  /** The position of the next record. */
  readonly next: number
  /** The hash of the last block. */
  readonly head: string
  readonly sealed: readonly Sealed[]
  /** Where the writer goes on. */
  readonly current: { readonly path: string; readonly first: number; readonly size: number }
  readonly torn: readonly Torn[]
}

/**
 * Reads a journal's end, and cuts off what a crash left half-written there: it was never confirmed to anybody.
 * Damage anywhere else is refused (`record.corrupt`), and nothing is changed then. null for a directory without segments.
 */
export function recover(directory: string): Recovered | null {
  const files = segmentsOf(directory)
  const torn: Torn[] = []
  let last = files.at(-1)
  // A crash while a segment was begun leaves a file with less than a header, or with one that never reached the disk.
  while (last !== undefined && isUnbegun(last)) {
    torn.push(tornOf(last.path, 0, readFileSync(last.path)))
    files.pop()
    unlinkSync(last.path)
    last = files.at(-1)
  }
  if (last === undefined) return null
  const end = endOf(last)
  const sealed = files.slice(0, -1).map((file, index) => sealedOf(file, files[index + 1] as SegmentFile, end.instance))
  if (end.torn !== null) {
    truncateSync(last.path, end.torn.offset)
    torn.push(end.torn)
  }
  const current = { path: last.path, first: last.first, size: end.size }
  return { instance: end.instance, next: end.next, head: end.head, sealed, current, torn }
}

function isUnbegun({ path }: SegmentFile): boolean {
  const { size, header } = headerOf(path)
  return header === null && size <= SEGMENT_HEADER
}

function sealedOf(file: SegmentFile, after: SegmentFile, instance: string): Sealed {
  const { size, header } = headerOf(file.path)
  if (header === null || header.first !== file.first) throw corrupt(file.path, 0, 'its header is damaged')
  if (header.instance !== instance) throw corrupt(file.path, 0, 'it belongs to another instance')
  return { path: file.path, first: file.first, last: after.first - 1, size }
}

function endOf({ path, first }: SegmentFile) {
  const bytes = readFileSync(path)
  const header = parseSegmentHeader(bytes)
  if (header === null || header.first !== first) throw corrupt(path, 0, 'its header is damaged')
  let offset = SEGMENT_HEADER
  let next = first
  let head = header.previous
  let torn: Torn | null = null
  while (offset < bytes.length) {
    const parsed = parseBlock(bytes, offset)
    if (parsed.kind !== 'block') {
      const after = findBlock(bytes, offset + 1)
      const why = parsed.kind === 'damaged' ? parsed.why : 'a block is not whole'
      if (after !== -1) throw corrupt(path, offset, `${why}, and whole records follow at byte ${after}`)
      torn = tornOf(path, offset, bytes.subarray(offset))
      break
    }
    const { block } = parsed
    if (block.previous !== head) throw corrupt(path, offset, 'a block does not follow the one before')
    if (block.first < next) throw corrupt(path, offset, 'a position comes twice')
    next = block.first + block.count
    head = blockHash(block.bytes)
    offset += block.bytes.length
  }
  return { instance: header.instance, next, head, size: offset, torn }
}

function tornOf(path: string, offset: number, bytes: Buffer): Torn {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { file: basename(path), offset, bytes: bytes.length, sha256 }
}
