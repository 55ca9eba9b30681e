/**
 * The journal: every decision is in it before its first byte goes upstream.
 *
 * Records are appended in memory. One `write(2)` in each turn of the event loop stores what all sessions appended in it
 * as one block, and then everybody who waits is called back in order. Where `durability` is `synced`, an `fdatasync` that
 * covers the write comes between; those that wait for the disk share the next one.
 */
import { mkdirSync } from 'node:fs'
import type { DecisionEvent, FrameEvent, OutcomeEvent, Position, RecordPort } from '../gate/ports.ts'
import type { Session } from '../gate/session.ts'
import { BLOCK_HEADER, genesis } from './block.ts'
import { Disk } from './disk.ts'
import { Encoding, RECORD_MAX } from './encoding.ts'
import { closedError, errnoOf, guarded, RecordError } from './errors.ts'
import { FRAME_BYTES, FrameWriter } from './frames.ts'
import { nameInstance } from './instance.ts'
import { Lock } from './lock.ts'
import { Losses } from './losses.ts'
import { type Recovered, recover } from './recovery.ts'
import { SLAB_SIZE, Store } from './store.ts'
import { Waiters } from './waiters.ts'

/** Commands that run when whoever waits is alone: its own. */
const ALONE = 1
/** What nobody waits for (outcomes, ends) is written with the next decision, or this many milliseconds later. */
const IDLE_FLUSH_MS = 5
/** How often a journal that failed is tried again, and its lock looked at. */
const PROBE_MS = 1_000
/** Beyond this the longest record would not fit: the block is written without waiting for the turn's end. */
const EARLY_FLUSH = SLAB_SIZE - RECORD_MAX
/** Kept free for outcomes and ends of what was already permitted, so that a full journal loses none of those. */
const RESERVE = 1024 ** 2
/** Segments must be few against the whole, since only whole ones can be removed. */
const SEGMENTS_AT_LEAST = 4

export interface JournalOptions {
  readonly directory: string
  readonly maxSize: number
  readonly segmentSize: number
  readonly durability: 'written' | 'synced'
  /** The version of Sidegate. */
  readonly sidegate: string
  /** The beginning of a new journal's instance name: the pod, or the host. */
  readonly name: string
  /** Records are shipped: none is removed before {@link Journal.release} says that it was. */
  readonly shipping: boolean
}

export interface JournalStatus {
  readonly instance: string
  /** Commands can be recorded. */
  readonly ready: boolean
  /** Why not: the code of the refusals. */
  readonly code: 'record.unavailable' | 'record.spool-full' | null
  /** The system's word for it, such as `ENOSPC`. */
  readonly error: string
  readonly position: Position
  readonly durable: Position
  readonly shipped: Position
  readonly bytes: number
  readonly maxSize: number
  readonly segments: number
  /** Blocks written, outcomes and ends lost, positions lost; since the start. */
  readonly writes: number
  readonly lost: number
}

export class Journal implements RecordPort {
  readonly #options: JournalOptions
  readonly #lock: Lock
  readonly #store: Store
  readonly #disk: Disk
  readonly #encoding: Encoding
  readonly #frames = new FrameWriter()
  readonly #waiters = new Waiters()
  /** What the next block begins with a gap record for. */
  readonly #losses = new Losses()
  readonly #reserve: number
  readonly #housekeeping: NodeJS.Timeout
  readonly #turn = (): void => this.#endTurn()
  readonly #tick = (): void => this.#endTick()
  readonly #again = (): void => this.#schedule()

  #next: Position
  #shipped: Position = 0
  /** What was appended and not written ends here in the slab; the first of it has position {@link Journal.#next} − count. */
  #end = BLOCK_HEADER
  #count = 0
  #scheduled = false
  /** Permitted, and without an outcome yet. Only a hint of how many others will soon have something to write. */
  #running = 0
  #ticking = false
  #failure: RecordError | null = null
  /** Closed, or about to be, or another process has the directory. */
  #closing = false
  #full = false
  #listeners = new Set<() => void>()

  private constructor(options: JournalOptions, lock: Lock, recovered: Recovered | null) {
    this.#options = options
    this.#lock = lock
    const { directory, durability, maxSize } = options
    const segmentSize = Math.min(options.segmentSize, Math.floor(maxSize / SEGMENTS_AT_LEAST))
    const storing = { directory, segmentSize, synced: durability === 'synced' }
    const instance = recovered?.instance ?? nameInstance(options.name)
    this.#store =
      recovered === null ? Store.begin(storing, instance, genesis(instance)) : Store.goOn(storing, recovered)
    this.#encoding = new Encoding({ instance, sidegate: options.sidegate })
    this.#reserve = Math.min(RESERVE, Math.floor(maxSize / 16))
    this.#next = recovered?.next ?? 1
    const events = {
      failed: (cause: unknown) => this.#fail(cause),
      synced: () => this.#callBack(),
      leaving: () => this.#leave(),
    }
    this.#disk = new Disk(this.#store, durability === 'synced', this.#next - 1, events)
    this.#housekeeping = setInterval(() => this.#housekeep(), PROBE_MS).unref()
  }

  /**
   * Opens a directory to write, which is made where it does not exist, and goes on where the last writer stopped.
   * Throws `record.locked`, `record.corrupt` or `record.unavailable`.
   */
  static open(options: JournalOptions): Journal {
    const lock = guarded(options.directory, () => {
      mkdirSync(options.directory, { recursive: true, mode: 0o700 })
      return Lock.take(options.directory)
    })
    try {
      return guarded(options.directory, () => {
        const recovered = recover(options.directory)
        const journal = new Journal(options, lock, recovered)
        journal.#begin(recovered)
        return journal
      })
    } catch (error) {
      lock.release()
      throw error
    }
  }

  get instance(): string {
    return this.#store.instance
  }

  get directory(): string {
    return this.#options.directory
  }

  get durable(): Position {
    return this.#disk.durable
  }

  sessionStart(session: Session): Position {
    this.#admit(this.#reserve)
    return this.#append(this.#encoding.sessionStart(this.#store.slab, this.#end, this.#next, session))
  }

  decision(event: DecisionEvent): Position {
    this.#admit(this.#reserve)
    if (event.refusal === null) this.#running++
    const { slab, segment } = this.#store
    return this.#append(this.#encoding.decision(slab, this.#end, this.#next, event, segment))
  }

  outcome(event: OutcomeEvent): Position {
    this.#running--
    if (!this.#admits(0)) return this.#lose()
    return this.#append(this.#encoding.outcome(this.#store.slab, this.#end, this.#next, event))
  }

  frame(event: FrameEvent): Position {
    const { length } = event.data
    this.#admit(this.#reserve)
    const room = this.#frames.room(this.#next - 1, this.#end, event)
    if (room > 0) this.#end = this.#frames.join(this.#store.slab, event, Math.min(room, length))
    else this.#beginFrame(event, 0)
    for (let from = room > 0 ? room : FRAME_BYTES; from < length; from += FRAME_BYTES) {
      this.#admit(this.#reserve)
      this.#beginFrame(event, from)
    }
    return this.#next - 1
  }

  sessionEnd(session: Session, reason: string): Position {
    if (!this.#admits(0)) return this.#lose()
    return this.#append(this.#encoding.sessionEnd(this.#store.slab, this.#end, this.#next, session, reason))
  }

  whenDurable(done: (error: Error | null) => void): void {
    const position = this.#next - 1
    this.#waiters.add(position, done, position > this.#disk.durable ? this.#failure : null)
    // A turn of the event loop costs more than the write that it could share, unless others have something to write too.
    if (this.#running <= ALONE && !this.#scheduled) this.#endTurn()
    else this.#schedule()
  }

  /** Everything up to here is where it is shipped to, and remembered to be: its segments may be removed. */
  release(position: Position): void {
    if (position > this.#shipped) this.#shipped = position
    if (this.#full) this.#admits(this.#reserve)
  }

  /** Calls back when {@link JournalStatus.ready} may have changed. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get status(): JournalStatus {
    const code =
      this.#failure !== null || this.#closing ? 'record.unavailable' : this.#full ? 'record.spool-full' : null
    return {
      instance: this.instance,
      ready: code === null,
      code,
      error: this.#failure === null ? '' : errnoOf(this.#failure.cause),
      position: this.#next - 1,
      durable: this.durable,
      shipped: this.#shipped,
      bytes: this.#store.size,
      maxSize: this.#options.maxSize,
      segments: this.#store.segments,
      writes: this.#disk.writes,
      lost: this.#losses.total,
    }
  }

  /** Writes and syncs what was appended, says that the instance stopped, and gives the directory up. */
  async close(): Promise<void> {
    if (this.#closing) return
    if (this.#failure !== null) this.#probe()
    if (this.#failure === null) this.#note('instance-stop', { instance: this.instance })
    this.#closing = true
    this.#flush()
    await this.#disk.settled()
    clearInterval(this.#housekeeping)
    this.#failure ??= closedError()
    this.#callBack()
    this.#store.close()
    this.#lock.release()
  }

  #begin(recovered: Recovered | null): void {
    const { sidegate, durability } = this.#options
    this.#note('instance-start', { instance: this.instance, sidegate, pid: process.pid, durability })
    for (const torn of recovered?.torn ?? []) this.#note('cut', { ...torn })
    this.#flush()
    if (durability === 'synced' && this.#failure === null) this.#disk.syncNow()
    if (this.#failure === null) return
    clearInterval(this.#housekeeping)
    this.#store.close()
    throw this.#failure
  }

  /** Makes sure that a record can be appended, and leaves `reserve` bytes free. Throws what refuses the command. */
  #admit(reserve: number): void {
    if (this.#admits(reserve)) return
    if (this.#closing) throw closedError()
    throw this.#failure ?? new RecordError('record.spool-full', `${this.directory} holds ${this.#store.size} bytes`)
  }

  #admits(reserve: number): boolean {
    if (this.#end > EARLY_FLUSH) this.#flush()
    if (this.#failure !== null || this.#closing) return false
    const room = this.#store.size + this.#end + reserve <= this.#options.maxSize || this.#makeRoom(reserve)
    // Full is what refuses commands; outcomes may still go into the reserve.
    if (reserve > 0 && this.#full === room) this.#tell(() => (this.#full = !room))
    if (room && this.#losses.any) this.#noteGap()
    return room
  }

  #makeRoom(reserve: number): boolean {
    const { maxSize, shipping } = this.#options
    while (this.#store.size + this.#end + reserve > maxSize) {
      const removed = this.#removeOldest(shipping ? this.#shipped : Number.MAX_SAFE_INTEGER)
      if (removed === null) return false
      const { first, last, size } = removed
      this.#note('removed', { first, last, bytes: size, shipped: shipping })
    }
    return true
  }

  #removeOldest(upTo: Position) {
    try {
      return this.#store.removeOldest(upTo)
    } catch (error) {
      this.#fail(error)
      return null
    }
  }

  #append(end: number): Position {
    this.#end = end
    this.#count++
    if (!this.#ticking && !this.#scheduled) {
      this.#ticking = true
      setTimeout(this.#tick, IDLE_FLUSH_MS)
    }
    return this.#next++
  }

  #beginFrame(event: FrameEvent, from: number): void {
    const head = this.#encoding.frameHead(this.#next, event)
    this.#append(this.#frames.begin(this.#store.slab, this.#end, this.#next, head, event, from))
  }

  #note(type: string, rest: Parameters<Encoding['note']>[4]): void {
    this.#append(this.#encoding.note(this.#store.slab, this.#end, this.#next, type, rest))
  }

  #lose(): Position {
    this.#losses.one(this.#failure === null ? 'spool-full' : errnoOf(this.#failure.cause))
    return 0
  }

  #noteGap(): void {
    const loss = this.#losses.get('')
    // First: the note itself comes this way too.
    this.#losses.told()
    this.#note('gap', { ...loss })
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  #endTurn(): void {
    this.#scheduled = false
    this.#flush()
    this.#callBack()
    this.#store.hash()
  }

  #endTick(): void {
    this.#ticking = false
    if (this.#count > 0 && !this.#scheduled) this.#endTurn()
  }

  #flush(): void {
    if (this.#count === 0 || this.#failure !== null) return
    try {
      this.#disk.commit(this.#end, this.#next - 1, this.#count)
      this.#empty()
    } catch (error) {
      this.#fail(error)
    }
  }

  #leave(): void {
    if (this.#count === 0) return
    this.#disk.write(this.#end, this.#next - 1, this.#count)
    this.#empty()
  }

  #empty(): void {
    this.#end = BLOCK_HEADER
    this.#count = 0
  }

  /** Nothing after {@link Journal.durable} is on record any more: everybody who waits for it is told, and commands are refused. */
  #fail(cause: unknown): void {
    if (this.#failure !== null) return
    const failure = new RecordError('record.unavailable', `${this.directory} (${errnoOf(cause)})`, cause)
    const last = this.#next - 1
    if (last > this.durable) this.#losses.positions(this.durable + 1, last, errnoOf(cause))
    this.#disk.fail()
    this.#empty()
    this.#waiters.fail(this.durable, failure)
    this.#tell(() => (this.#failure = failure))
    this.#schedule()
  }

  /** The first write after a failure is the gap record, and shows whether writing works again. */
  #probe(): void {
    if (this.#closing || this.#failure === null || this.#disk.syncing) return
    const seq = this.#next
    const loss = this.#losses.get(errnoOf(this.#failure.cause))
    const end = this.#encoding.note(this.#store.slab, BLOCK_HEADER, seq, 'gap', { ...loss })
    if (!this.#disk.retry(end, seq)) return
    this.#next = seq + 1
    this.#losses.told()
    this.#tell(() => (this.#failure = null))
  }

  #housekeep(): void {
    if (!this.#lock.held) {
      this.#closing = true
      this.#fail(new RecordError('record.locked', `${this.directory} was taken over by another process`))
      clearInterval(this.#housekeeping)
    } else {
      this.#probe()
    }
  }

  #callBack(): void {
    this.#waiters.callBack(this, this.#again)
  }

  #tell(change: () => void): void {
    change()
    for (const listener of this.#listeners) listener()
  }
}
