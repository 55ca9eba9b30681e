/** What Redis holds of an instance, entry by entry. */
import { connectRedis, streamNames } from '../../src/record/streams.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import type { RedisServer } from '../support/redis.ts'

const PAGE = 1_000

export interface StreamEntry {
  readonly stream: 'decisions' | 'sessions'
  readonly record: StoredRecord
}

/** In the order of each stream, `decisions` first. Nothing is dropped that comes twice. */
export async function entriesOf(redis: RedisServer, prefix: string, instance: string): Promise<StreamEntry[]> {
  const client = await connectRedis({ url: redis.url })
  const names = streamNames(prefix)
  const entries: StreamEntry[] = []
  try {
    for (const stream of ['decisions', 'sessions'] as const) {
      for (let from = '-'; ;) {
        const page = (await client.xrange(names[stream](instance), from, '+', 'COUNT', PAGE)) as [string, string[]][]
        for (const [, fields] of page) {
          entries.push({ stream, record: JSON.parse(fields[fields.indexOf('record') + 1] ?? 'null') as StoredRecord })
        }
        const last = page.at(-1)
        if (last === undefined || page.length < PAGE) break
        from = `(${last[0]}`
      }
    }
  } finally {
    client.disconnect()
  }
  return entries
}

/** What is wrong with a copy of the journal in Redis: records that are missing, come twice, are others, or are out of order. */
export function differences(journal: readonly StoredRecord[], entries: readonly StreamEntry[]): string[] {
  const found: string[] = []
  const expected = new Map(journal.map((record) => [record.id, record]))
  const seen = new Set<string>()
  const last = { decisions: 0, sessions: 0 }
  for (const { stream, record } of entries) {
    if (seen.has(record.id)) found.push(`${record.id} comes twice`)
    seen.add(record.id)
    if (record.seq <= last[stream]) found.push(`${record.id} comes after ${last[stream]}`)
    last[stream] = record.seq
    const own = expected.get(record.id)
    if (own === undefined) found.push(`${record.id} is not in the journal`)
    else if (JSON.stringify(own) !== JSON.stringify(record)) found.push(`${record.id} is not what the journal says`)
  }
  for (const id of expected.keys()) if (!seen.has(id)) found.push(`${id} is missing`)
  return found
}
