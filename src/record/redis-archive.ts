/** Whole sessions read back from Redis, of a whole fleet. Streams and entries: streams.ts. */
import type { Redis } from 'ioredis'
import {
  type Archive,
  LATE_MS,
  type SessionRecord,
  type SessionSummary,
  type StoredLine,
  Summaries,
  type WantedSessions,
} from './archive.ts'
import { headOf, type RecordHead } from './head.ts'
import type { SessionStart } from './records.ts'
import { connectRedis, type RedisSettings, type StreamNames } from './streams.ts'

/** Entries that are asked for at once; frames are up to a quarter of a megabyte each. */
const PAGE = 500
const FRAMES_PAGE = 32

interface Entry {
  readonly id: string
  readonly head: RecordHead
  readonly line: Buffer
}

/** Where a session's records are. */
interface Place {
  readonly instance: string
  /** The entry of its start. */
  readonly first: string
}

type RawEntry = readonly [Buffer, readonly Buffer[]]

export class RedisArchive implements Archive {
  readonly #settings: RedisSettings
  readonly #names: StreamNames
  readonly #places = new Map<string, Place>()
  #redis: Redis | null = null

  constructor(settings: RedisSettings, names: StreamNames) {
    this.#settings = settings
    this.#names = names
  }

  async sessions(wanted: WantedSessions): Promise<SessionSummary[]> {
    const found: SessionSummary[] = []
    for (const instance of await this.#instances()) found.push(...(await this.#ofInstance(instance, wanted)))
    return found.toSorted((left, right) => left.start.at - right.start.at).slice(-wanted.count)
  }

  async *records({ start, end }: SessionSummary): AsyncGenerator<StoredLine> {
    const place = this.#places.get(start.session)
    if (place === undefined) return
    const { instance, first } = place
    const last = end === null ? Number.POSITIVE_INFINITY : end.at + LATE_MS
    const merged = merge([
      this.#forwards(this.#names.sessions(instance), first, PAGE),
      this.#forwards(this.#names.decisions(instance), first, PAGE),
      this.#forwards(this.#names.session(start.session), '-', FRAMES_PAGE),
    ])
    for await (const { head, line } of merged) {
      if (head.at > last) return
      if (head.session === start.session) yield { record: JSON.parse(line.toString()) as SessionRecord, line }
    }
  }

  close(): void {
    this.#redis?.disconnect()
    this.#redis = null
  }

  async #instances(): Promise<Set<string>> {
    const redis = await this.#connected()
    const entries = (await redis.xrange(this.#names.instances, '-', '+')) as [string, string[]][]
    return new Set(
      entries.map(([, fields]) => fields[fields.indexOf('instance') + 1] ?? '').filter((name) => name !== ''),
    )
  }

  async #ofInstance(instance: string, wanted: WantedSessions): Promise<SessionSummary[]> {
    const entries = await this.#newest(instance, wanted)
    const summaries = new Summaries(wanted)
    for (const { id, head, line } of entries) {
      if (Summaries.wants(wanted, head)) this.#places.set(head.session ?? '', { instance, first: id })
      summaries.add(head, line)
    }
    // An ended session's end counts its commands; those of the others are counted here.
    const open = summaries.get().find(({ end }) => end === null)
    const from = open === undefined ? undefined : this.#places.get(open.start.session)?.first
    if (from !== undefined) {
      for await (const { head, line } of this.#forwards(this.#names.decisions(instance), from, PAGE)) {
        if (head.type === 'decision') summaries.count(head, line)
      }
    }
    return summaries.get()
  }

  /** Entries of the instance's sessions from the newest back, until there are enough starts among them; oldest first. */
  async #newest(instance: string, wanted: WantedSessions): Promise<Entry[]> {
    const redis = await this.#connected()
    const stream = this.#names.sessions(instance)
    const entries: Entry[] = []
    let starts = 0
    for (let end = '+'; starts < wanted.count;) {
      const page = (await redis.xrevrangeBuffer(stream, end, '-', 'COUNT', PAGE)) as RawEntry[]
      for (const raw of page) {
        const entry = entryOf(raw)
        if (entry === null) continue
        entries.push(entry)
        if (!Summaries.wants(wanted, entry.head)) continue
        if (wanted.keep === undefined || wanted.keep(JSON.parse(entry.line.toString()) as SessionStart)) starts++
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE || (entries.at(-1)?.head.at ?? 0) < wanted.since) break
      end = `(${last[0].toString()}`
    }
    return entries.toReversed()
  }

  async *#forwards(stream: string, from: string, count: number): AsyncGenerator<Entry> {
    const redis = await this.#connected()
    for (let start = from; ;) {
      const page = (await redis.xrangeBuffer(stream, start, '+', 'COUNT', count)) as RawEntry[]
      for (const raw of page) {
        const entry = entryOf(raw)
        if (entry !== null) yield entry
      }
      const last = page.at(-1)
      if (last === undefined || page.length < count) return
      start = `(${last[0].toString()}`
    }
  }

  async #connected(): Promise<Redis> {
    this.#redis ??= await connectRedis(this.#settings)
    return this.#redis
  }
}

/** By position. */
async function* merge(sources: readonly AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  const waiting: { readonly source: AsyncGenerator<Entry>; entry: Entry }[] = []
  for (const source of sources) {
    const { done, value } = await source.next()
    if (done !== true) waiting.push({ source, entry: value })
  }
  while (waiting.length > 0) {
    const next = waiting.reduce((least, one) => (one.entry.head.seq < least.entry.head.seq ? one : least))
    yield next.entry
    const { done, value } = await next.source.next()
    if (done === true) waiting.splice(waiting.indexOf(next), 1)
    else next.entry = value
  }
}

/** null for an entry that is not a record: somebody else's. */
function entryOf([id, fields]: RawEntry): Entry | null {
  const index = fields.findIndex((field, at) => at % 2 === 0 && field.toString() === 'record')
  const line = index === -1 ? undefined : fields[index + 1]
  if (line === undefined) return null
  try {
    return { id: id.toString(), head: headOf(line), line }
  } catch {
    return null
  }
}
