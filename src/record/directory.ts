/** The files of a journal: segments named by their first position, so that names sort as positions do. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseSegmentHeader, SEGMENT_HEADER, type SegmentHeader } from './block.ts'
import { RecordError } from './errors.ts'

const DIGITS = 16
const NAME = /^\d{16}\.segment$/

export interface SegmentFile {
  readonly path: string
  /** The position of its first record, as its name says. */
  readonly first: number
}

export function segmentPath(directory: string, first: number): string {
  return join(directory, `${String(first).padStart(DIGITS, '0')}.segment`)
}

/** Oldest first. */
export function segmentsOf(directory: string): SegmentFile[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .sort()
    .map((name) => ({ path: join(directory, name), first: Number(name.slice(0, DIGITS)) }))
}

/** The size of a segment, and its header; null for a header that is not whole or not of this version. */
export function headerOf(path: string): { readonly size: number; readonly header: SegmentHeader | null } {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER)
    const read = readSync(fd, bytes, 0, SEGMENT_HEADER, 0)
    return { size: statSync(path).size, header: parseSegmentHeader(bytes.subarray(0, read)) }
  } finally {
    closeSync(fd)
  }
}

export function corrupt(path: string, offset: number, why: string): RecordError {
  const remedy =
    'nothing was changed; keep the directory as evidence, and start with an empty one (record.journal.directory)'
  return new RecordError('record.corrupt', `${path}, at byte ${offset}: ${why}; ${remedy}`)
}
