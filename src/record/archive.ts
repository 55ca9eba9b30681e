/** Whole sessions read back: which there are, and everything of one. From a journal here, from Redis in redis-archive.ts. */
import type { DecisionRecord, FrameRecord, OutcomeRecord, SessionEnd, SessionStart } from './records.ts'
import { assertJournal } from './cursor.ts'
import { headerOf, segmentsOf } from './directory.ts'
import type { RecordHead } from './head.ts'
import { readLines } from './reader.ts'

export type SessionRecord = SessionStart | DecisionRecord | OutcomeRecord | FrameRecord | SessionEnd

/** A record as it is stored. */
export interface StoredLine {
  readonly record: SessionRecord
  readonly line: Buffer
}

export interface SessionSummary {
  readonly start: SessionStart
  readonly end: SessionEnd | null
  /** `lost`: its sidecar stopped without having ended it. */
  readonly state: 'running' | 'ended' | 'lost'
  readonly commands: number
  readonly denied: number
}

export interface WantedSessions {
  /** How many of the last; `Infinity` for all. */
  readonly count: number
  /** Milliseconds since 1970. */
  readonly since: number
  /** The beginning of their ids. */
  readonly prefix: string
  readonly keep?: (start: SessionStart) => boolean
}

export interface Archive {
  /** In the order in which they began. */
  sessions(wanted: WantedSessions): Promise<SessionSummary[]>
  /** All of a session that {@link sessions} told of, in order. */
  records(session: SessionSummary): AsyncGenerator<StoredLine>
  close(): void
}

/** What ends a command may be recorded after the session's own end, but not much later. */
export const LATE_MS = 5_000

const CUSTOM = '"custom":{"verdict":"'
const REFUSED = 'r'.charCodeAt(0)

/** Reads it off the line: nothing that an agent wrote comes after the last `custom`, except inside strings, where a quote is escaped. */
export function isRefused(line: Buffer): boolean {
  return line[line.lastIndexOf(CUSTOM) + CUSTOM.length] === REFUSED
}

/** Makes summaries of records that come in order. */
export class Summaries {
  readonly #wanted: WantedSessions
  readonly #found = new Map<string, { -readonly [Key in keyof SessionSummary]: SessionSummary[Key] }>()

  constructor(wanted: WantedSessions) {
    this.#wanted = wanted
  }

  /** Whether a session's start may be wanted. */
  static wants({ since, prefix }: WantedSessions, { type, session, at }: RecordHead): boolean {
    return type === 'session-start' && at >= since && session?.startsWith(prefix) === true
  }

  add(head: RecordHead, line: Buffer): void {
    if (Summaries.wants(this.#wanted, head)) this.#begin(line)
    // One journal has one writer: when that starts, no session of before runs any more.
    else if (head.type === 'instance-start' || head.type === 'instance-stop') this.#lose()
    else if (head.type === 'decision') this.count(head, line)
    else if (head.type === 'session-end') this.#end(head, line)
  }

  /** A decision of a session that may not have ended: the end of the others says how many there were. */
  count({ session }: RecordHead, line: Buffer): void {
    const summary = this.#found.get(session ?? '')
    if (summary === undefined || summary.end !== null) return
    summary.commands++
    if (isRefused(line)) summary.denied++
  }

  get(): SessionSummary[] {
    return [...this.#found.values()].slice(-this.#wanted.count)
  }

  #begin(line: Buffer): void {
    const start = JSON.parse(line.toString()) as SessionStart
    if (this.#wanted.keep?.(start) === false) return
    this.#found.set(start.session, { start, end: null, state: 'running', commands: 0, denied: 0 })
  }

  #end({ session }: RecordHead, line: Buffer): void {
    const summary = this.#found.get(session ?? '')
    if (summary === undefined) return
    const end = JSON.parse(line.toString()) as SessionEnd
    const { commands, denied } = end.usage
    Object.assign(summary, { end, state: 'ended', commands, denied })
  }

  #lose(): void {
    for (const summary of this.#found.values()) if (summary.state === 'running') summary.state = 'lost'
  }
}

export class JournalArchive implements Archive {
  readonly #directory: string

  /** Throws `record.foreign` for a directory without a journal. */
  constructor(directory: string) {
    assertJournal(directory)
    this.#directory = directory
  }

  // oxlint-disable-next-line require-await -- others have to wait
  async sessions(wanted: WantedSessions): Promise<SessionSummary[]> {
    const summaries = new Summaries(wanted)
    for (const { head, line } of readLines(this.#directory, this.#from(wanted))) summaries.add(head, line)
    return summaries.get()
  }

  // oxlint-disable-next-line require-await -- others have to wait
  async *records({ start, end }: SessionSummary): AsyncGenerator<StoredLine> {
    const last = end === null ? Number.POSITIVE_INFINITY : end.at + LATE_MS
    for (const { head, line } of readLines(this.#directory, start.seq)) {
      if (head.at > last) return
      if (head.session === start.session) yield { record: JSON.parse(line.toString()) as SessionRecord, line }
    }
  }

  close(): void {}

  /** The first record of the segment with which there are enough. */
  #from(wanted: WantedSessions): number {
    let found = 0
    let before = Number.MAX_SAFE_INTEGER
    for (const { first, path } of segmentsOf(this.#directory).toReversed()) {
      if (wanted.keep === undefined && Number.isFinite(wanted.count)) {
        for (const { head } of readLines(this.#directory, first)) {
          if (head.seq >= before) break
          if (Summaries.wants(wanted, head)) found++
        }
      }
      const begun = headerOf(path).header?.createdAt ?? wanted.since
      if (found >= wanted.count || begun < wanted.since) return first
      before = first
    }
    return 0
  }
}
