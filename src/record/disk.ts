/**
 * The blocks' way to the disk. Each is written at once; where durability asks for it, an `fdatasync` that covers it follows, and what
 * was written meanwhile shares the next one. A segment that is full is left when nothing waits for its sync.
 */
import type { Position } from '../gate/ports.ts'
import type { Mark, Store } from './store.ts'

export interface DiskEvents {
  /** A sync failed, or the segment after it could not be begun. */
  failed(cause: unknown): void
  /** A sync is over. */
  synced(): void
  /** The segment will be left: what was appended names places in it, and must be written to it with {@link Disk.write}. */
  leaving(): void
}

export class Disk {
  /** Blocks since the start. */
  writes = 0
  readonly #store: Store
  readonly #syncs: boolean
  readonly #events: DiskEvents
  #written: Position
  #durable: Position
  #syncing = false
  /** What the last sync covered. */
  #synced: Mark
  #failed = false

  /** `last` is the position of the last record that the store holds. */
  constructor(store: Store, syncs: boolean, last: Position, events: DiskEvents) {
    this.#store = store
    this.#syncs = syncs
    this.#events = events
    this.#written = this.#durable = last
    this.#synced = store.mark()
  }

  get durable(): Position {
    return this.#durable
  }

  get syncing(): boolean {
    return this.#syncing
  }

  /** Writes the slab's first `end` bytes as a block of `count` records, of which `last` is the last. Throws, and then nothing of it may count. */
  write(end: number, last: Position, count: number): void {
    this.#store.write(end, last - count + 1, count)
    this.writes++
    this.#written = last
  }

  /** Writes a block, and sees to all that follows from that. */
  commit(end: number, last: Position, count: number): void {
    this.write(end, last, count)
    if (this.#syncs) this.#startSync()
    else this.#durable = last
    if (this.#store.full && !this.#syncing) this.#rotate()
  }

  /** Waits for nothing but the disk. */
  syncNow(): void {
    this.#store.syncNow()
    this.#durable = this.#written
    this.#synced = this.#store.mark()
  }

  /** All that was written is durable, or never will be. */
  async settled(): Promise<void> {
    while (this.#syncing || (!this.#failed && this.#written > this.#durable)) {
      this.#startSync()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Nothing is stored until {@link retry} succeeds. After a failed sync the kernel has dropped what it could not write, so all since the last good one is undone. */
  fail(): void {
    this.#failed = true
    if (this.#syncs) this.#store.rollBack(this.#synced)
  }

  /** Tries with a block of one record whether the disk takes writes again. */
  retry(end: number, position: Position): boolean {
    try {
      this.#store.repair()
      this.#store.write(end, position, 1)
      if (this.#syncs) this.#store.syncNow()
    } catch {
      if (this.#syncs) this.#store.rollBack(this.#synced)
      return false
    }
    this.#failed = false
    this.#written = this.#durable = position
    this.#synced = this.#store.mark()
    return true
  }

  #startSync(): void {
    if (this.#syncing || this.#failed) return
    this.#syncing = true
    const upTo = this.#written
    const mark = this.#store.mark()
    this.#store.sync((error) => {
      this.#syncing = false
      if (error !== null) this.#events.failed(error)
      else if (!this.#failed) this.#passed(upTo, mark)
      this.#events.synced()
    })
  }

  #passed(upTo: Position, mark: Mark): void {
    this.#durable = upTo
    this.#synced = mark
    if (this.#written > upTo) return this.#startSync()
    if (!this.#store.full) return
    try {
      this.#events.leaving()
      this.#rotate()
    } catch (error) {
      this.#events.failed(error)
    }
  }

  /** Nothing is appended then that was not written. */
  #rotate(): void {
    if (this.#syncs) this.syncNow()
    this.#store.rotate(this.#written + 1)
    this.#synced = this.#store.mark()
  }
}
