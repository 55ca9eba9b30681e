/** The segments that a writer owns: appending blocks, beginning new segments, removing old ones, and undoing a failed write. */
import { closeSync, fdatasync, fdatasyncSync, fsyncSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { BLOCK_HEADER, blockDigest, digestOf, hashOf, sealBlock, SEGMENT_HEADER, segmentHeader } from './block.ts'
import { segmentPath } from './directory.ts'
import { RECORD_MAX, type Segment } from './encoding.ts'
import type { Recovered, Sealed } from './recovery.ts'

/** A block is written early when less than the longest record is free in its slab. Pages that were never written to take no memory. */
export const SLAB_SIZE = BLOCK_HEADER + 2 * RECORD_MAX

export interface StoreOptions {
  readonly directory: string
  readonly segmentSize: number
  /** Directory entries and sealed segments are synced too. */
  readonly synced: boolean
}

/** A place to go back to. */
export interface Mark {
  readonly path: string
  readonly size: number
  readonly head: string
}

export class Store {
  readonly instance: string
  readonly #options: StoreOptions
  /** Two take turns, so that a block's hash can wait until after those who wait for the block were called back. */
  #slab = Buffer.allocUnsafeSlow(SLAB_SIZE)
  #other = Buffer.allocUnsafeSlow(SLAB_SIZE)
  readonly #sealed: Sealed[]
  #fd: number
  #path: string
  #first: number
  readonly #segment: { -readonly [Key in keyof Segment]: Segment[Key] } = { generation: 0, size: 0 }
  #sealedSize: number
  /** The digest of the last block. */
  #head: string
  /** Where the last block ends in the other slab; 0 once its digest was made. */
  #unhashed = 0

  private constructor(options: StoreOptions, instance: string, head: string, sealed: readonly Sealed[]) {
    this.#options = options
    this.instance = instance
    this.#head = digestOf(head)
    this.#sealed = [...sealed]
    this.#sealedSize = sealed.reduce((sum, { size }) => sum + size, 0)
    this.#fd = -1
    this.#path = ''
    this.#first = 0
  }

  static begin(options: StoreOptions, instance: string, head: string): Store {
    const store = new Store(options, instance, head, [])
    store.#begin(1)
    return store
  }

  static goOn(options: StoreOptions, { instance, head, sealed, current }: Recovered): Store {
    const store = new Store(options, instance, head, sealed)
    store.#fd = openSync(current.path, 'r+')
    store.#path = current.path
    store.#first = current.first
    store.#segment.size = current.size
    return store
  }

  /** Where the next block's records are put, from {@link BLOCK_HEADER} on. Another one after each {@link write}. */
  get slab(): Buffer {
    return this.#slab
  }

  /** The segment that is written to. One object, which changes. */
  get segment(): Segment {
    return this.#segment
  }

  /** Bytes of all segments. */
  get size(): number {
    return this.#sealedSize + this.#segment.size
  }

  get segments(): number {
    return this.#sealed.length + 1
  }

  get full(): boolean {
    return this.#segment.size >= this.#options.segmentSize
  }

  /** Makes the last block's digest now, when there is time, and not when the next write needs it. */
  hash(): void {
    if (this.#unhashed === 0) return
    this.#head = blockDigest(this.#other.subarray(0, this.#unhashed))
    this.#unhashed = 0
  }

  /** Writes the slab's first `end` bytes as one block. When it throws, nothing of it counts, and {@link repair} must succeed before the next. */
  write(end: number, first: number, count: number): void {
    this.hash()
    const slab = this.#slab
    sealBlock(slab, end, first, count, this.#head)
    writeAll(this.#fd, slab, end, this.#segment.size)
    this.#segment.size += end
    this.#unhashed = end
    this.#slab = this.#other
    this.#other = slab
  }

  /** Removes what a failed write left. */
  repair(): void {
    this.#segment.generation++
    ftruncateSync(this.#fd, this.#segment.size)
  }

  mark(): Mark {
    this.hash()
    return { path: this.#path, size: this.#segment.size, head: this.#head }
  }

  /** Forgets all blocks after the mark, which must be of the current segment. */
  rollBack(mark: Mark): void {
    if (mark.path !== this.#path) throw new Error('a sealed segment cannot be rolled back')
    this.#segment.generation++
    this.#segment.size = mark.size
    this.#head = mark.head
    this.#unhashed = 0
  }

  sync(done: (error: Error | null) => void): void {
    fdatasync(this.#fd, done)
  }

  syncNow(): void {
    fdatasyncSync(this.#fd)
  }

  /** Seals the segment and begins the next, whose first record will have this position. */
  rotate(next: number): void {
    const sealed = { path: this.#path, first: this.#first, last: next - 1, size: this.#segment.size }
    const fd = this.#fd
    this.#begin(next)
    this.#sealed.push(sealed)
    this.#sealedSize += sealed.size
    closeSync(fd)
  }

  /** Removes the oldest sealed segment if it holds nothing after `upTo`. */
  removeOldest(upTo: number): Sealed | null {
    const oldest = this.#sealed[0]
    if (oldest === undefined || oldest.last > upTo) return null
    unlinkSync(oldest.path)
    this.#sealed.shift()
    this.#sealedSize -= oldest.size
    return oldest
  }

  close(): void {
    if (this.#fd === -1) return
    closeSync(this.#fd)
    this.#fd = -1
  }

  #begin(first: number): void {
    const { directory, synced } = this.#options
    const path = segmentPath(directory, first)
    this.hash()
    const previous = hashOf(this.#head)
    const header = segmentHeader({ instance: this.instance, first, createdAt: Date.now(), previous })
    const fd = openSync(path, 'wx+', 0o600)
    try {
      writeAll(fd, header, header.length, 0)
      if (synced) {
        fdatasyncSync(fd)
        syncDirectory(directory)
      }
    } catch (error) {
      closeSync(fd)
      unlinkSync(path)
      throw error
    }
    this.#fd = fd
    this.#path = path
    this.#first = first
    this.#segment.generation++
    this.#segment.size = SEGMENT_HEADER
  }
}

/** The first `length` bytes. */
function writeAll(fd: number, bytes: Uint8Array, length: number, position: number): void {
  let written = writeSync(fd, bytes, 0, length, position)
  // A disk that fills up takes a part first, and says why only when asked again.
  while (written < length) {
    const more = writeSync(fd, bytes, written, length - written, position + written)
    if (more === 0) throw new Error('the disk took no more bytes')
    written += more
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
