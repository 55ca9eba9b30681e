/** Reads records back from Redis, of one instance or of a whole fleet merged. Streams and entries: streams.ts. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { SessionStart, StoredRecord } from './records.ts'
import { connectRedis, type RedisSettings, type StreamNames } from './streams.ts'

/** Entries that are asked for at once. */
const PAGE = 500
/** How long the server may keep a follower waiting; new instances are looked for as often. */
const BLOCK_MS = 1_000
const RETRY_MS = 1_000

export interface Shipped {
  readonly record: StoredRecord
  readonly line: Buffer
  readonly instance: string
  /** The entry's id, `<epoch>-<seq>`. */
  readonly entry: string
}

/** Field names and values, one after the other. */
type RawEntry = readonly [Buffer, readonly Buffer[]]

interface Followed {
  readonly stream: string
  readonly instance: string
  /** The id of the last entry that was seen. */
  last: string
}

export class RedisReader {
  readonly #settings: RedisSettings
  readonly #names: StreamNames
  readonly #followed = new Map<string, Followed>()
  #redis: Redis | null = null

  constructor(settings: RedisSettings, names: StreamNames) {
    this.#settings = settings
    this.#names = names
  }

  /** The newest records that are not older than `since`: at least `count` that `keep` takes where there are so many, in the order of time. */
  async recent(count: number, since: number, keep: (record: StoredRecord) => boolean): Promise<Shipped[]> {
    await this.#discover()
    const found: Shipped[] = []
    for (const followed of this.#followed.values()) found.push(...(await this.#backwards(followed, count, since, keep)))
    return inOrder(found)
  }

  /** What comes after {@link recent}, or after all that is there now, until the signal aborts. Outlives a Redis that goes away. */
  async *follow(signal: AbortSignal): AsyncGenerator<Shipped> {
    if (this.#followed.size === 0) await this.recent(1, 0, () => true)
    while (!signal.aborted) {
      let found: Shipped[] = []
      try {
        found = await this.#next()
      } catch {
        this.#drop()
        await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
      }
      yield* found
    }
  }

  /** The start of a record's session; null where it is not there. */
  async sessionStart({ record, instance, entry }: Shipped): Promise<SessionStart | null> {
    if (!('start' in record)) return null
    const redis = await this.#connected()
    const stream = this.#names.sessions(instance)
    const id = `${entry.split('-')[0]}-${record.start}`
    const exact = (await redis.xrangeBuffer(stream, id, id)) as RawEntry[]
    for (const raw of exact) {
      const found = shippedOf(raw, instance)?.record
      if (found?.type === 'session-start' && found.session === record.session) return found
    }
    const followed = { stream, instance, last: '' }
    const all = await this.#backwards(
      followed,
      1,
      0,
      (one) => 'session' in one && one.session === record.session && one.type === 'session-start',
    )
    const found = all.find((one) => one.record.seq === record.start)?.record
    return found?.type === 'session-start' ? found : null
  }

  close(): void {
    this.#drop()
  }

  /** Pages from the newest entry to older ones, and remembers where {@link follow} goes on. */
  async #backwards(followed: Followed, count: number, since: number, keep: (record: StoredRecord) => boolean) {
    const redis = await this.#connected()
    const found: Shipped[] = []
    let kept = 0
    for (let end = '+'; kept < count;) {
      const page = (await redis.xrevrangeBuffer(followed.stream, end, '-', 'COUNT', PAGE)) as RawEntry[]
      if (followed.last === '0-0' && page[0] !== undefined) followed.last = page[0][0].toString()
      for (const raw of page) {
        const shipped = shippedOf(raw, followed.instance)
        if (shipped === null || !keep(shipped.record)) continue
        if (shipped.record.at < since) return found
        found.push(shipped)
        kept++
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) break
      end = `(${last[0].toString()}`
    }
    return found
  }

  async #next(): Promise<Shipped[]> {
    await this.#discover()
    const redis = await this.#connected()
    const followed = [...this.#followed.values()]
    if (followed.length === 0) {
      await sleep(BLOCK_MS)
      return []
    }
    const streams = followed.map(({ stream }) => stream)
    const ids = followed.map(({ last }) => last)
    const reply = await redis.xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', ...streams, ...ids)
    const found: Shipped[] = []
    for (const [stream, entries] of (reply ?? []) as unknown as [Buffer, RawEntry[]][]) {
      const one = this.#followed.get(stream.toString())
      if (one === undefined) continue
      for (const raw of entries) {
        one.last = raw[0].toString()
        const shipped = shippedOf(raw, one.instance)
        if (shipped !== null) found.push(shipped)
      }
    }
    return inOrder(found)
  }

  /** Instances that began to write since the last look. Their streams are read from the beginning. */
  async #discover(): Promise<void> {
    const redis = await this.#connected()
    const entries = (await redis.xrange(this.#names.instances, '-', '+')) as [string, string[]][]
    for (const [, fields] of entries) {
      const instance = fields[fields.indexOf('instance') + 1]
      if (instance === undefined) continue
      for (const stream of [this.#names.decisions(instance), this.#names.sessions(instance)]) {
        if (!this.#followed.has(stream)) this.#followed.set(stream, { stream, instance, last: '0-0' })
      }
    }
  }

  async #connected(): Promise<Redis> {
    this.#redis ??= await connectRedis(this.#settings)
    return this.#redis
  }

  #drop(): void {
    this.#redis?.disconnect()
    this.#redis = null
  }
}

/** null for an entry that is not a record: somebody else's. */
function shippedOf([id, fields]: RawEntry, instance: string): Shipped | null {
  const index = fields.findIndex((field, at) => at % 2 === 0 && field.toString() === 'record')
  const line = index === -1 ? undefined : fields[index + 1]
  if (line === undefined) return null
  try {
    const record: unknown = JSON.parse(line.toString())
    const whole = typeof record === 'object' && record !== null && 'type' in record && 'seq' in record && 'at' in record
    return whole ? { record: record as StoredRecord, line, instance, entry: id.toString() } : null
  } catch {
    return null
  }
}

/** By time, and within an instance by position, which a clock that was set back does not change. */
function inOrder(shipped: Shipped[]): Shipped[] {
  return shipped.sort((left, right) => {
    if (left.instance === right.instance) return left.record.seq - right.record.seq
    return left.record.at - right.record.at
  })
}
