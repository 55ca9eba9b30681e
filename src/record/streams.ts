/**
 * What Redis holds. Names have the configured prefix and the writing instance:
 *
 * | stream | entries |
 * |---|---|
 * | `<prefix>:decisions:<instance>` | `decision` and `outcome` records, one an entry: a decision's outcome follows it in the same stream |
 * | `<prefix>:sessions:<instance>` | `session-start` and `session-end`, and what the journal says of itself (`instance-start`, `gap`, `removed`, …) |
 * | `<prefix>:session:<session>` | `frame` records: the session's recording |
 * | `<prefix>:instances` | one entry for each start of a writer: `instance`, `sidegate`, `at` |
 *
 * A record is in exactly one stream. Its entry's id is `<epoch>-<seq>`, so that sending it again adds nothing, and its fields are
 * `type`, `decision_id` (the record's id, by OPA's name), `record` (the journal's line, whole), and on the first record of a journal
 * block also `block` (how many records it has) and `previous` (the hash before it), with which the chain can be checked (block.ts).
 * Within an instance, order is the record's `seq`. The epoch rises when the stream took an id that was not ours.
 *
 * The writer's Redis user needs `+xadd +multi +exec` on these keys, and for checking what a reconnect left open `+xrange +xinfo|stream`.
 */
import { readFileSync } from 'node:fs'
import { Redis, type RedisOptions } from 'ioredis'
import { RecordError } from './errors.ts'

export const streamNames = (prefix: string) => ({
  decisions: (instance: string) => `${prefix}:decisions:${instance}`,
  sessions: (instance: string) => `${prefix}:sessions:${instance}`,
  session: (session: string) => `${prefix}:session:${session}`,
  instances: `${prefix}:instances`,
})
export type StreamNames = ReturnType<typeof streamNames>

export interface Entry {
  readonly stream: string
  /** `<epoch>-<seq>`, or `*` where the server shall choose. */
  readonly id: string
  readonly fields: readonly (string | Buffer)[]
}

/** `behind`: the stream has this id or a later one. */
export type Appended = 'added' | 'behind'

/** All that shipping asks of a client library. Every method rejects when the connection is lost; a client is not used again then. */
export interface StreamClient {
  /** Adds all entries at once, or none. */
  append(entries: readonly Entry[]): Promise<Appended[]>
  /** The highest id that a stream ever had, `0-0` where there is none; null where the user may not ask. */
  top(stream: string): Promise<string | null>
  /** The `record` field of each entry, null where it is not there; null where the user may not ask. */
  records(stream: string, ids: readonly string[]): Promise<(Buffer | null)[] | null>
  close(): void
}

/** How to reach Redis: `record.redis`. */
export interface RedisSettings {
  readonly url: string
  readonly passwordFile?: string | undefined
  readonly ca?: string | undefined
}

/** Without any byte from the server for so long while it owes one, the connection counts as lost. */
const SILENCE_MS = 10_000
const CONNECT_MS = 5_000

/** Options under which ioredis neither queues, retries nor repeats anything: what was not confirmed is the caller's to send again. */
export function redisOptions(settings: RedisSettings) {
  const password = settings.passwordFile === undefined ? {} : { password: secretOf(settings.passwordFile) }
  const ca = settings.ca === undefined ? {} : { ca: readFileSync(settings.ca) }
  return {
    ...password,
    ...(settings.url.startsWith('rediss:') ? { tls: ca } : {}),
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
  } satisfies RedisOptions
}

/** Connects once. The password is read anew, so that it can be changed while the sidecar runs. */
export async function connectRedis(settings: RedisSettings): Promise<Redis> {
  const redis = new Redis(settings.url, redisOptions(settings))
  let last: unknown = null
  redis.on('error', (error) => (last = error))
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    throw new RecordError('record.redis', messageOf(last ?? error), error)
  }
  return redis
}

export async function connectStreams(settings: RedisSettings): Promise<StreamClient> {
  return new RedisStreams(await connectRedis(settings))
}

class RedisStreams implements StreamClient {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async append(entries: readonly Entry[]): Promise<Appended[]> {
    const transaction = this.#redis.multi()
    for (const { stream, id, fields } of entries) transaction.xadd(stream, id, ...fields)
    const results = await transaction.exec().catch((error: unknown) => {
      throw new RecordError('record.shipping', messageOf(error), error)
    })
    if (results === null) throw new RecordError('record.shipping', 'the transaction was discarded')
    return results.map(([error]) => {
      if (error === null) return 'added'
      if (error.message.includes('equal or smaller')) return 'behind'
      throw new RecordError('record.shipping', error.message, error)
    })
  }

  async top(stream: string): Promise<string | null> {
    try {
      const info = (await this.#redis.xinfo('STREAM', stream)) as unknown[]
      const index = info.indexOf('last-generated-id')
      return String(info[index + 1])
    } catch (error) {
      if (messageOf(error).includes('no such key')) return '0-0'
      if (messageOf(error).startsWith('NOPERM')) return null
      throw error
    }
  }

  async records(stream: string, ids: readonly string[]): Promise<(Buffer | null)[] | null> {
    const pipeline = this.#redis.pipeline()
    for (const id of ids) pipeline.xrangeBuffer(stream, id, id)
    const results = (await pipeline.exec()) ?? []
    const found: (Buffer | null)[] = []
    for (const [error, entries] of results) {
      if (error?.message.startsWith('NOPERM') === true) return null
      if (error !== null) throw error
      found.push(recordField(entries as [Buffer, Buffer[]][]))
    }
    return found
  }

  close(): void {
    this.#redis.disconnect()
  }
}

function recordField(entries: readonly [Buffer, readonly Buffer[]][]): Buffer | null {
  const fields = entries[0]?.[1] ?? []
  const index = fields.findIndex((field, at) => at % 2 === 0 && field.equals(RECORD_FIELD))
  return index === -1 ? null : (fields[index + 1] ?? null)
}

const RECORD_FIELD = Buffer.from('record')

/** A secret's file may end with a line feed, which is not part of it. */
function secretOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
}

/** EXECABORT says nothing; what made the server refuse comes before it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const previous = 'previousErrors' in error && Array.isArray(error.previousErrors) ? error.previousErrors[0] : null
  if (previous instanceof Error) return previous.message
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return error.message === '' ? code : error.message
}
