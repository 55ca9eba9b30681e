/**
 * Ships the journal to Redis, in order and from the segments, never from memory: what waits needs no room but the disk's.
 *
 * A batch is added as a whole or not at all, so what is in Redis is always a prefix of the journal. A batch whose reply was lost is
 * sent again under the same ids: what the stream already has is compared with the journal's own bytes, and counts as sent only if it is the same.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Block } from './block.ts'
import { BlockCursor, type Place } from './cursor.ts'
import { errnoOf, RecordError } from './errors.ts'
import { headOf, type RecordHead } from './head.ts'
import type { Line } from './lines.ts'
import { readShipped, type Shipped, writeShipped } from './shipped.ts'
import type { Appended, Entry, StreamClient, StreamNames } from './streams.ts'

/** Larger ones gain nothing (48,000 records a second at 200), and hold the server up for longer. */
const BATCH_RECORDS = 200
const BATCH_BYTES = 1024 ** 2
/** How soon a record that was written is sent. */
const POLL_MS = 20
/** What is sent is remembered this often: a restart sends at most that much again. */
const REMEMBER_MS = 500
const BACKOFF_MS = { first: 100, most: 5_000 } as const

export interface ShipperOptions {
  readonly directory: string
  readonly instance: string
  readonly sidegate: string
  readonly streams: StreamNames
  readonly connect: () => Promise<StreamClient>
  /** Nothing after it is sent: it could yet be undone. */
  readonly durable: () => number
}

export interface ShipperStatus {
  readonly connected: boolean
  /** Why not; empty when all is well. */
  readonly error: string
  /** All up to here are in Redis. */
  readonly position: number
  /** All up to here are in Redis and remembered to be: the journal may remove them. */
  readonly remembered: number
  /** When the last record that was sent was written, in milliseconds since 1970. */
  readonly at: number
  /** Entries added since the start, and records that had to be sent again because Redis had lost them. */
  readonly added: number
  readonly lost: number
  readonly place: Place
}

interface Item {
  readonly seq: number
  readonly line: Buffer
  readonly entry: Entry
}

export class Shipper {
  readonly #options: ShipperOptions
  readonly #stopping = new AbortController()
  #shipped: Shipped
  /** What the file says; null where there is none. */
  #stored: Shipped | null
  #remembered: number
  #rememberedAt = 0
  #client: StreamClient | null = null
  #error = ''
  #at = 0
  #added = 0
  #lost = 0
  #announced = false
  #place: Place = { segment: '', offset: 0 }
  #gathered: Place = { segment: '', offset: 0 }
  #running: Promise<void> | null = null

  constructor(options: ShipperOptions) {
    this.#options = options
    const { directory, instance } = options
    this.#stored = readShipped(directory, instance)
    this.#shipped = this.#stored ?? { instance, epoch: Date.now(), position: 0 }
    this.#remembered = this.#shipped.position
  }

  start(): void {
    this.#running ??= this.#run()
  }

  get status(): ShipperStatus {
    return {
      connected: this.#client !== null,
      error: this.#error,
      position: this.#shipped.position,
      remembered: this.#remembered,
      at: this.#at,
      added: this.#added,
      lost: this.#lost,
      place: this.#place,
    }
  }

  /** Stops after the batch under way, and remembers how far it got. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#client?.close()
    await this.#running
    this.#remember()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let backoff: number = BACKOFF_MS.first
    while (!signal.aborted) {
      const before = this.#added
      try {
        const client = await this.#options.connect()
        this.#client = client
        if (signal.aborted) client.close()
        else await this.#serve(client)
      } catch (error) {
        if (!signal.aborted) this.#error = error instanceof Error ? error.message : errnoOf(error)
      }
      this.#client?.close()
      this.#client = null
      if (this.#added > before) backoff = BACKOFF_MS.first
      // Spread, so that a fleet does not come back all at once.
      await this.#pause(backoff * (0.5 + Math.random()))
      backoff = Math.min(backoff * 2, BACKOFF_MS.most)
    }
  }

  /** Sends over one connection until it breaks. */
  async #serve(client: StreamClient): Promise<void> {
    await this.#announce(client)
    await this.#lookAgain(client)
    if (this.#stored === null) this.#store()
    this.#error = ''
    const cursor = new BlockCursor(this.#options.directory, this.#shipped.position + 1)
    const waiting = this.#waiting(cursor)
    try {
      while (!this.#stopping.signal.aborted) {
        const batch = gather(waiting)
        if (batch.length > 0) await this.#send(client, batch)
        this.#place = this.#gathered
        if (batch.length === 0 || Date.now() - this.#rememberedAt > REMEMBER_MS) this.#remember()
        if (batch.length === 0) await this.#pause(POLL_MS)
      }
    } finally {
      cursor.close()
    }
  }

  async #announce(client: StreamClient): Promise<void> {
    if (this.#announced) return
    const { instance, sidegate, streams } = this.#options
    const fields = ['instance', instance, 'sidegate', sidegate, 'at', String(Date.now())]
    await client.append([{ stream: streams.instances, id: '*', fields }])
    this.#announced = true
  }

  /** A Redis that failed over or started anew may have lost what it confirmed: the journal sends it again, as far as it has it. */
  async #lookAgain(client: StreamClient): Promise<void> {
    const { instance, streams } = this.#options
    // A batch is there as a whole or not at all, so nothing is lost as long as the last record is there, wherever it went.
    const places = new Set([streams.decisions(instance), streams.sessions(instance), this.#shipped.stream ?? ''])
    places.delete('')
    const tops = await Promise.all([...places].map((stream) => client.top(stream)))
    if (tops.includes(null)) return
    const [epochs, positions] = [0, 1].map((half) => tops.map((id) => Number(id?.split('-')[half])))
    // Without the file, what this instance sent before tells under which ids.
    const epoch = Math.max(...(epochs ?? []))
    if (this.#stored === null && epoch > 0 && epoch < this.#shipped.epoch) this.#shipped = { ...this.#shipped, epoch }
    const top = Math.max(...(positions ?? []))
    if (!(top < this.#shipped.position)) return
    this.#lost += this.#shipped.position - top
    this.#shipped = { instance, epoch: this.#shipped.epoch, position: top }
    this.#announced = this.#announced && top > 0
    await this.#announce(client)
  }

  /** All that is to be sent, in order; null where nothing is for now. */
  *#waiting(cursor: BlockCursor): Generator<Item | null, never> {
    for (;;) {
      this.#gathered = cursor.place
      const block = cursor.next(this.#options.durable())
      if (block === null) {
        yield null
        continue
      }
      for (const line of cursor.lines(block)) {
        if (line.head.seq > this.#shipped.position) yield this.#itemOf(line, block)
      }
    }
  }

  #itemOf({ head, line }: Line, block: Block): Item {
    const { id, type, seq } = head
    const chain = seq === block.first ? ['block', String(block.count), 'previous', block.previous] : []
    const fields = ['type', type, 'decision_id', id, 'record', line, ...chain]
    return { seq, line, entry: { stream: this.#streamOf(head), id: `${this.#shipped.epoch}-${seq}`, fields } }
  }

  #streamOf({ type, session }: RecordHead): string {
    const { instance, streams } = this.#options
    if (type === 'decision' || type === 'outcome') return streams.decisions(instance)
    return type === 'frame' && session !== null ? streams.session(session) : streams.sessions(instance)
  }

  async #send(client: StreamClient, batch: readonly Item[]): Promise<void> {
    const results = await client.append(batch.map(({ entry }) => entry))
    const missing = await this.#missing(client, batch, results)
    if (missing.length > 0) await this.#sendAnew(client, missing)
    const last = batch.at(-1)
    if (last === undefined) return
    this.#added += results.filter((result) => result === 'added').length
    this.#shipped = { ...this.#shipped, position: last.seq, stream: last.entry.stream }
    this.#at = headOf(last.line).at
  }

  /** Of what the streams would not add, that which they do not have either. */
  async #missing(client: StreamClient, items: readonly Item[], results: readonly Appended[]): Promise<Item[]> {
    const behind = items.filter((_, index) => results[index] === 'behind')
    const missing: Item[] = []
    for (const stream of new Set(behind.map(({ entry }) => entry.stream))) {
      const own = behind.filter(({ entry }) => entry.stream === stream)
      const stored = await client.records(
        stream,
        own.map(({ entry }) => entry.id),
      )
      // Who may not look can only trust that nobody else writes to the stream.
      if (stored !== null) missing.push(...own.filter(({ line }, index) => stored[index]?.equals(line) !== true))
    }
    return missing.sort((left, right) => left.seq - right.seq)
  }

  /** Somebody else's entry stands above ours, or in the place of ours: the records go under a higher epoch, which is remembered first. */
  async #sendAnew(client: StreamClient, items: readonly Item[]): Promise<void> {
    const tops = await Promise.all(
      [...new Set(items.map(({ entry }) => entry.stream))].map((stream) => client.top(stream)),
    )
    const taken = tops.map((id) => Number(id?.split('-')[0] ?? 0))
    const epoch = Math.max(Date.now(), this.#shipped.epoch + 1, ...taken.map((ms) => ms + 1))
    if (!Number.isSafeInteger(epoch)) {
      throw new RecordError('record.shipping', 'a stream holds an id above all that can follow; it must be renamed')
    }
    this.#shipped = { ...this.#shipped, epoch }
    this.#store()
    const entries = items.map(({ seq, entry }) => ({ ...entry, id: `${epoch}-${seq}` }))
    const results = await client.append(entries)
    if (results.includes('behind')) throw new RecordError('record.shipping', 'another writer adds to the stream')
    this.#added += results.length
  }

  #remember(): void {
    this.#rememberedAt = Date.now()
    if (this.#stored === this.#shipped) return
    try {
      this.#store()
    } catch (error) {
      // A full disk must not keep the journal from making room: what is sent again after a crash is known by its ids.
      this.#error = `how far shipping got cannot be stored (${errnoOf(error)})`
      this.#remembered = this.#shipped.position
    }
  }

  #store(): void {
    writeShipped(this.#options.directory, this.#shipped)
    this.#stored = this.#shipped
    this.#remembered = this.#shipped.position
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }
}

/** The next batch; empty where nothing is to be sent for now. Lines are made as they are taken, so no block is too large. */
function gather(waiting: Iterator<Item | null, never>): Item[] {
  const items: Item[] = []
  for (let bytes = 0; items.length < BATCH_RECORDS && bytes < BATCH_BYTES;) {
    const { value } = waiting.next()
    if (value === null) return items
    items.push(value)
    bytes += value.line.length
  }
  return items
}
