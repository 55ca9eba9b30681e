/** Reads records back from a journal's directory, also one that another process is writing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Block } from './block.ts'
import { assertJournal, BlockCursor } from './cursor.ts'
import { headerOf, segmentsOf } from './directory.ts'
import type { Line } from './lines.ts'
import type { SessionStart, StoredRecord } from './records.ts'

/** How soon a follower sees what was written. */
const POLL_MS = 50

/** A record, and the block that proves its place (block.ts). */
export interface Stored {
  readonly record: StoredRecord
  /** Whole: `storedLine` in reference.ts gives the stored bytes. */
  readonly line: Buffer
  readonly instance: string
  readonly block: Pick<Block, 'first' | 'count' | 'previous'>
}

export interface ReadOptions {
  /** Positions before it are left out. */
  readonly from?: number
  /** Milliseconds since 1970; older records are left out. */
  readonly since?: number
  /** Goes on with what is written later, until `signal` aborts. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
  /** Called when a follower has read all that there is, and before it waits. */
  readonly caughtUp?: () => void
}

/** Throws `record.foreign` for a directory without a journal and `record.corrupt` for a damaged one. */
export async function* readJournal(directory: string, options: ReadOptions = {}): AsyncGenerator<Stored> {
  const { since = 0, follow = false, signal, caughtUp } = options
  assertJournal(directory)
  const from = Math.max(options.from ?? 0, since === 0 ? 0 : positionAt(directory, since))
  const cursor = new BlockCursor(directory, from)
  try {
    for (;;) {
      if (signal?.aborted === true) return
      const block = cursor.next()
      if (block !== null) {
        const { instance } = cursor
        const { first, count, previous } = block
        for (const { head, line } of cursor.lines(block)) {
          if (head.seq < from || head.at < since) continue
          const record = JSON.parse(line.toString()) as StoredRecord
          yield { record, line, instance, block: { first, count, previous } }
        }
      } else if (!follow) {
        return
      } else {
        caughtUp?.()
        await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {})
      }
    }
  } finally {
    cursor.close()
  }
}

/** The last `count` records that `keep` takes, oldest first; reads no more segments than it must. */
export async function lastRecords(
  directory: string,
  count: number,
  keep: (record: StoredRecord) => boolean = () => true,
): Promise<Stored[]> {
  assertJournal(directory)
  let last: Stored[] = []
  let before = Number.MAX_SAFE_INTEGER
  for (const { first } of segmentsOf(directory).toReversed()) {
    if (last.length >= count) break
    const found: Stored[] = []
    for await (const stored of readJournal(directory, { from: first })) {
      if (stored.record.seq >= before) break
      if (keep(stored.record)) found.push(stored)
      // Only the newest count; dropped in large steps, since dropping one is as dear as dropping many.
      if (found.length > 2 * count + 1_024) found.splice(0, found.length - count)
    }
    last = [...found, ...last].slice(-count)
    before = first
  }
  return count === 0 ? [] : last
}

/** The lines of what is there now, with no more parsed of them than their first keys. */
export function* readLines(directory: string, from = 0): Generator<Line> {
  const cursor = new BlockCursor(directory, from)
  try {
    for (let block = cursor.next(); block !== null; block = cursor.next()) {
      for (const line of cursor.lines(block)) if (line.head.seq >= from) yield line
    }
  } finally {
    cursor.close()
  }
}

/** The record of a session's start, by the position that its other records name; null where it was removed. */
export async function sessionStartAt(directory: string, position: number): Promise<SessionStart | null> {
  for await (const { record } of readJournal(directory, { from: position })) {
    return record.seq === position && record.type === 'session-start' ? record : null
  }
  return null
}

/** The position before which all records are older. */
function positionAt(directory: string, since: number): number {
  const segments = segmentsOf(directory)
  const begun = segments.findLast(({ path }) => (headerOf(path).header?.createdAt ?? since) < since)
  return begun?.first ?? 0
}
