/** Reads a journal's blocks in order, while it is being written. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import {
  type Block,
  blockHash,
  findBlock,
  type Parsed,
  parseBlock,
  parseSegmentHeader,
  SEGMENT_HEADER,
} from './block.ts'
import { corrupt, type SegmentFile, segmentsOf } from './directory.ts'
import { RecordError } from './errors.ts'
import { type Line, Lines } from './lines.ts'

/** How much is read at once; it grows for a larger block. */
const CHUNK = 256 * 1024

interface Open extends SegmentFile {
  readonly fd: number
  readonly instance: string
  readonly lines: Lines
}

/** Where in the journal's files a cursor stands. */
export interface Place {
  readonly segment: string
  readonly offset: number
}

export class BlockCursor {
  readonly #directory: string
  readonly #from: number
  /** What was not final when the buffer was read may have been undone since. */
  #final = 0
  #open: Open | null = null
  /** Bytes of the segment from {@link BlockCursor.#offset} on. */
  #buffer = Buffer.alloc(0)
  #offset = 0
  /** The hash that the next block must name; null where the block before was not read. */
  #head: string | null = null
  #last: number

  /** Begins with the block that holds `from`, or with the oldest where that was removed. */
  constructor(directory: string, from = 0) {
    this.#directory = directory
    this.#from = from
    this.#last = 0
  }

  /**
   * The next block; null where the journal ends for now, or where the block has records after `upTo`, which its writer could yet undo.
   * Throws `record.corrupt`.
   */
  next(upTo = Number.MAX_SAFE_INTEGER): Block | null {
    for (;;) {
      if (this.#open === null && !this.#begin(this.#segmentAt())) return null
      const block = this.#read(upTo)
      if (block === 'later') return null
      if (block === null) {
        if (!this.#advance()) return null
      } else if (block.first + block.count > this.#from) {
        return block
      }
    }
  }

  /** The lines of the block that was read last, each whole. */
  lines(block: Block): Iterable<Line> {
    return this.#open?.lines.of(block) ?? []
  }

  get instance(): string {
    return this.#open?.instance ?? ''
  }

  get place(): Place {
    return { segment: this.#open?.path ?? '', offset: this.#offset }
  }

  close(): void {
    if (this.#open !== null) closeSync(this.#open.fd)
    this.#open = null
  }

  #segmentAt(): SegmentFile | undefined {
    const segments = segmentsOf(this.#directory)
    return segments.findLast(({ first }) => first <= Math.max(this.#from, 1)) ?? segments[0]
  }

  #begin(segment: SegmentFile | undefined): boolean {
    if (segment === undefined) return false
    const fd = openIfThere(segment.path)
    // The oldest segments may be removed at any time.
    if (fd === null) return this.#begin(segmentsOf(this.#directory).find(({ first }) => first > segment.first))
    const bytes = Buffer.alloc(SEGMENT_HEADER)
    const read = readSync(fd, bytes, 0, SEGMENT_HEADER, 0)
    const header = parseSegmentHeader(bytes.subarray(0, read))
    if (header === null) {
      closeSync(fd)
      // A writer may just be beginning it.
      if (read < SEGMENT_HEADER) return false
      throw corrupt(segment.path, 0, 'its header is damaged')
    }
    const before = this.#open
    if (before !== null) closeSync(before.fd)
    this.#open = { ...segment, fd, instance: header.instance, lines: new Lines(segment.path, fd) }
    this.#offset = SEGMENT_HEADER
    this.#buffer = Buffer.alloc(0)
    if (this.#head !== null && header.previous !== this.#head && header.first === this.#last + 1) {
      throw corrupt(segment.path, 0, 'the segment does not follow the one before')
    }
    this.#head = header.previous
    return true
  }

  /** The next block of the open segment; null where it ends for now. */
  #read(upTo: number): Block | 'later' | null {
    const open = this.#open as Open
    let parsed = parseBlock(this.#buffer, 0)
    if (parsed.kind === 'block' && lastOf(parsed.block) > this.#final) parsed = this.#drop()
    if (parsed.kind !== 'block' && fstatSync(open.fd).size <= this.#offset + this.#buffer.length) return null
    for (let want = CHUNK; parsed.kind !== 'block'; want *= 4) {
      // What is there may be half a write, or be cut off and written anew: it is read again from the file.
      const size = Math.max(want, this.#buffer.length)
      this.#buffer = Buffer.allocUnsafe(size)
      const read = readSync(open.fd, this.#buffer, 0, size, this.#offset)
      this.#buffer = this.#buffer.subarray(0, read)
      this.#final = upTo
      parsed = parseBlock(this.#buffer, 0)
      if (parsed.kind === 'incomplete' && read === size) continue
      if (parsed.kind === 'block') break
      return this.#unfinished(parsed.kind === 'damaged' ? parsed.why : 'a block is not whole')
    }
    const { block } = parsed
    if (lastOf(block) > upTo) {
      this.#drop()
      return 'later'
    }
    if (this.#head !== null && block.previous !== this.#head) {
      throw corrupt(open.path, this.#offset, 'a block does not follow the one before')
    }
    if (block.first <= this.#last) throw corrupt(open.path, this.#offset, 'a position comes twice')
    this.#head = blockHash(block.bytes)
    this.#last = lastOf(block)
    this.#offset += block.bytes.length
    this.#buffer = this.#buffer.subarray(block.bytes.length)
    return block
  }

  /** What was read ahead is read again. */
  #drop(): Parsed {
    this.#buffer = Buffer.alloc(0)
    return parseBlock(this.#buffer, 0)
  }

  /** Bytes that are no block: a write in progress at the journal's end, damage anywhere else. */
  #unfinished(why: string): null {
    const { path } = this.#open as Open
    if (findBlock(this.#buffer, 1) !== -1) throw corrupt(path, this.#offset, `${why}, and whole records follow`)
    return null
  }

  /** Goes on to the next segment where there is one. */
  #advance(): boolean {
    const open = this.#open as Open
    const next = segmentsOf(this.#directory).find(({ first }) => first > open.first)
    if (next === undefined) return false
    // The last block may have come between the last look and the next segment's birth.
    if (fstatSync(open.fd).size > this.#offset) {
      const { kind } = parseBlock(this.#rest(open), 0)
      if (kind === 'block') return true
      throw corrupt(open.path, this.#offset, 'a block is not whole, and another segment follows')
    }
    return this.#begin(next)
  }

  #rest({ fd }: Open): Buffer {
    const size = fstatSync(fd).size - this.#offset
    const bytes = Buffer.allocUnsafe(size)
    return bytes.subarray(0, readSync(fd, bytes, 0, size, this.#offset))
  }
}

function lastOf({ first, count }: Block): number {
  return first + count - 1
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Makes sure that a directory can be read as a journal. */
export function assertJournal(directory: string): void {
  let segments: SegmentFile[]
  try {
    segments = segmentsOf(directory)
  } catch (error) {
    throw new RecordError('record.foreign', `${directory} cannot be read`, error)
  }
  if (segments.length === 0) throw new RecordError('record.foreign', `${directory} has no segments`)
}
