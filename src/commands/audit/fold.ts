/** Puts a decision and its outcome together, in the order of the decisions. */
import type { DecisionRecord, OutcomeRecord, StoredRecord, Told } from '../../record/records.ts'

/** How long a decision waits for its outcome before it is shown without. */
const PATIENCE_MS = 300

/** One thing to show. */
export interface Row<From> {
  readonly from: From
  readonly record: Told
  /** What became of a permitted command, where that is known in time. */
  readonly outcome: OutcomeRecord | null
}

/** An outcome that came after its decision was shown. */
export interface Late<From> {
  readonly from: From
  readonly record: OutcomeRecord
}

interface Waiting<From> {
  readonly from: From
  readonly record: Told
  readonly until: number
  outcome: OutcomeRecord | null
}

export class Fold<From extends { readonly record: StoredRecord }> {
  readonly #patience: number
  #queue: Waiting<From>[] = []
  readonly #open = new Map<string, Waiting<From>>()
  #late: Late<From>[] = []

  /** Without patience (`Infinity`) every decision waits until {@link end}. */
  constructor(patience: number = PATIENCE_MS) {
    this.#patience = patience
  }

  push(from: From, now: number): void {
    const { record } = from
    if (record.type === 'frame') return
    if (record.type === 'outcome') {
      const waiting = this.#open.get(keyOf(record))
      if (waiting === undefined) this.#late.push({ from, record })
      else {
        waiting.outcome = record
        this.#open.delete(keyOf(record))
      }
      return
    }
    const waits = record.type === 'decision' && record.custom.verdict === 'permitted'
    const waiting = { from, record, until: waits ? now + this.#patience : now, outcome: null }
    this.#queue.push(waiting)
    if (waits) this.#open.set(keyOf(record), waiting)
  }

  /** What can be shown now, in order. */
  ready(now: number): (Row<From> | Late<From>)[] {
    let ready = 0
    for (const { outcome, until } of this.#queue) {
      if (outcome === null && until > now) break
      ready++
    }
    return this.#take(ready)
  }

  end(): (Row<From> | Late<From>)[] {
    return this.#take(this.#queue.length)
  }

  #take(count: number): (Row<From> | Late<From>)[] {
    const rows = this.#queue.slice(0, count)
    const late = this.#late
    this.#queue = this.#queue.slice(count)
    this.#late = []
    for (const { record, outcome } of rows)
      if (record.type === 'decision' && outcome === null) this.#open.delete(keyOf(record))
    return [...late, ...rows.map(({ from, record, outcome }) => ({ from, record, outcome }))]
  }
}

function keyOf({ session, sequence }: DecisionRecord | OutcomeRecord): string {
  return `${session}/${sequence}`
}
