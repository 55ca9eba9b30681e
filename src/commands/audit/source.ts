/** Where `audit` reads from: a journal's directory, or Redis. */
import { lastRecords, readJournal, sessionStartAt, type Stored } from '../../record/reader.ts'
import type { SessionStart, StoredRecord } from '../../record/records.ts'
import { RedisReader, type Shipped } from '../../record/redis-reader.ts'
import { type RedisSettings, streamNames } from '../../record/streams.ts'

export interface Read {
  readonly record: StoredRecord
  readonly line: Buffer
  readonly instance: string
}

export interface Wanted {
  /** How many of the last; `Infinity` for all. */
  readonly count: number
  /** Milliseconds since 1970. */
  readonly since: number
  readonly keep: (record: StoredRecord) => boolean
}

export interface Source<From extends Read = Read> {
  /** What is there, oldest first. */
  recent(wanted: Wanted): Promise<From[]>
  /** What comes after it. */
  follow(signal: AbortSignal): AsyncGenerator<From>
  sessionStart(of: From): Promise<SessionStart | null>
  close(): void
}

export class JournalSource implements Source<Stored> {
  readonly #directory: string
  #next = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  async recent({ count, since, keep }: Wanted): Promise<Stored[]> {
    const [last] = await lastRecords(this.#directory, 1)
    this.#next = (last?.record.seq ?? 0) + 1
    if (since === 0 && Number.isFinite(count)) return lastRecords(this.#directory, count, keep)
    const found: Stored[] = []
    for await (const stored of readJournal(this.#directory, { since })) {
      if (stored.record.seq < this.#next && keep(stored.record)) found.push(stored)
    }
    return found.slice(-count)
  }

  follow(signal: AbortSignal): AsyncGenerator<Stored> {
    return readJournal(this.#directory, { from: this.#next, follow: true, signal })
  }

  async sessionStart({ record }: Stored): Promise<SessionStart | null> {
    return 'start' in record ? sessionStartAt(this.#directory, record.start) : null
  }

  close(): void {}
}

export class RedisSource implements Source<Shipped> {
  readonly #reader: RedisReader

  constructor(settings: RedisSettings, prefix: string) {
    this.#reader = new RedisReader(settings, streamNames(prefix))
  }

  async recent({ count, since, keep }: Wanted): Promise<Shipped[]> {
    const found = await this.#reader.recent(count, since, keep)
    return found.slice(-count)
  }

  follow(signal: AbortSignal): AsyncGenerator<Shipped> {
    return this.#reader.follow(signal)
  }

  sessionStart(of: Shipped): Promise<SessionStart | null> {
    return this.#reader.sessionStart(of)
  }

  close(): void {
    this.#reader.close()
  }
}
