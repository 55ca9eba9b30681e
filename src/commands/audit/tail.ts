/** `sidegate audit tail`: what was recorded last, and what is recorded from now on. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionStart, StoredRecord } from '../../record/records.ts'
import { Fold, type Late, type Row } from './fold.ts'
import type { Look } from './line.ts'
import { Renderer } from './render.ts'
import type { Read, Source } from './source.ts'

/** Between two looks whether a decision has waited long enough for its outcome. */
const TICK_MS = 50
/** Session starts that are kept; those of busier times are looked up again. */
const STARTS = 10_000

export interface TailOptions {
  readonly follow: boolean
  readonly lines: number
  /** Milliseconds since 1970; 0 for no limit. */
  readonly since: number
  /** The beginning of a session's id; null for all. */
  readonly session: string | null
  readonly json: boolean
}

/** Ends when there is nothing more to show, or the signal aborts. `print` takes one line. */
export async function tail(
  source: Source,
  options: TailOptions,
  look: Look,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const keep = (record: StoredRecord) =>
    // Recordings are many and large: `audit show` and `audit replay` are for those.
    record.type !== 'frame' &&
    (options.session === null || ('session' in record && record.session.startsWith(options.session)))
  try {
    if (options.json) await tailJson(source, options, keep, print, signal)
    else await new Tail(source, options, look, print).run(keep, signal)
  } finally {
    source.close()
  }
}

async function tailJson(
  source: Source,
  { lines, since, follow }: TailOptions,
  keep: (record: StoredRecord) => boolean,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const { line } of await source.recent({ count: lines, since, keep })) print(line.toString())
  if (!follow) return
  for await (const { line, record } of source.follow(signal)) if (keep(record)) print(line.toString())
}

class Tail {
  readonly #source: Source
  readonly #options: TailOptions
  readonly #renderer: Renderer
  readonly #print: (line: string) => void
  readonly #starts = new Map<string, SessionStart | null>()

  constructor(source: Source, options: TailOptions, look: Look, print: (line: string) => void) {
    this.#source = source
    this.#options = options
    this.#renderer = new Renderer(look)
    this.#print = print
  }

  async run(keep: (record: StoredRecord) => boolean, signal: AbortSignal): Promise<void> {
    const { lines, since, follow } = this.#options
    const past = new Fold<Read>(Number.POSITIVE_INFINITY)
    // A permitted command is two records, and one line.
    for (const read of await this.#source.recent({ count: 2 * lines, since, keep })) past.push(read, 0)
    const rows = past.end().filter((row) => row.record.type !== 'outcome')
    for (const row of lines === 0 ? [] : rows.slice(-lines)) await this.#show(row)
    if (follow) await this.#follow(keep, signal)
  }

  async #follow(keep: (record: StoredRecord) => boolean, signal: AbortSignal): Promise<void> {
    const fold = new Fold<Read>()
    const ended = new AbortController()
    const reading = (async () => {
      try {
        for await (const read of this.#source.follow(signal)) if (keep(read.record)) fold.push(read, Date.now())
      } finally {
        ended.abort()
      }
    })()
    while (!ended.signal.aborted) {
      await sleep(TICK_MS, undefined, { signal: ended.signal }).catch(() => {})
      for (const row of fold.ready(Date.now())) await this.#show(row)
    }
    for (const row of fold.end()) await this.#show(row)
    await reading
  }

  async #show(row: Row<Read> | Late<Read>): Promise<void> {
    const { record } = row
    if (record.type === 'outcome') {
      this.#print(this.#renderer.late(record, await this.#startOf(row.from)))
      return
    }
    const outcome = 'outcome' in row ? row.outcome : null
    for (const line of this.#renderer.lines(record, await this.#startOf(row.from), outcome)) this.#print(line)
  }

  async #startOf(from: Read): Promise<SessionStart | null> {
    const { record } = from
    if (!('session' in record)) return null
    if (this.#starts.size >= STARTS) this.#starts.clear()
    if (record.type === 'session-start') this.#starts.set(record.session, record)
    if (!this.#starts.has(record.session)) this.#starts.set(record.session, await this.#source.sessionStart(from))
    return this.#starts.get(record.session) ?? null
  }
}
