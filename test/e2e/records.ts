/** The records of a whole sidecar, as the tests of real clients look at them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { readJournal } from '../../src/record/reader.ts'
import type { DecisionRecord, OutcomeRecord, StoredRecord } from '../../src/record/records.ts'

/** The journal has everything a moment after the client has its answer. */
export const SETTLED_MS = 5_000
export const POLL_MS = 10

export interface Recorded {
  readonly decision: DecisionRecord
  /** Null for what was refused. */
  readonly outcome: OutcomeRecord | null
}

export function bytesBelow(directory: string): Buffer {
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))))
}

/** Reads all records, when each command that was permitted has its outcome. */
export async function settled(journal: string): Promise<readonly StoredRecord[]> {
  const deadline = Date.now() + SETTLED_MS
  for (;;) {
    const records: StoredRecord[] = []
    for await (const { record } of readJournal(journal)) records.push(record)
    const open = commandsOf(records).filter(({ decision, outcome }) => permitted(decision) && outcome === null)
    if (open.length === 0) return records
    if (Date.now() > deadline) {
      const texts = open.map(({ decision }) => decision.input.command.text)
      throw new Error(`permitted, and never settled: ${texts.join('; ')}`)
    }
    await sleep(POLL_MS)
  }
}

export function permitted({ custom }: DecisionRecord): boolean {
  return custom.verdict === 'permitted'
}

export function commandsOf(records: readonly StoredRecord[]): readonly Recorded[] {
  const outcomes = new Map<string, OutcomeRecord>()
  for (const record of records) {
    if (record.type === 'outcome') outcomes.set(`${record.session} ${record.sequence}`, record)
  }
  return records
    .filter((record) => record.type === 'decision')
    .map((decision) => ({ decision, outcome: outcomes.get(`${decision.session} ${decision.sequence}`) ?? null }))
}

/** All that an operator keeps, and what must be nowhere in it. */
export interface Written {
  readonly journal: Buffer
  readonly log: string
  readonly secrets: readonly string[]
}

/**
 * Every command of a session has its decision, in order; what was permitted is settled, what was refused never ran; and
 * no secret is anywhere in the journal's bytes or in the log.
 */
export function checkRecords(t: Test, records: readonly StoredRecord[], written: Written): void {
  const sequences = new Map<string, number>()
  const gaps: string[] = []
  for (const record of records) {
    if (record.type !== 'decision' && record.type !== 'session-end') continue
    const expected = (sequences.get(record.session) ?? 0) + (record.type === 'decision' ? 1 : 0)
    if (record.sequence !== expected) gaps.push(`${record.id} is ${record.sequence}, not ${expected}`)
    if (record.type === 'decision') sequences.set(record.session, record.sequence)
  }
  t.ok(sequences.size > 0, 'sessions were recorded')
  t.same(gaps, [], 'every command has its decision')
  const ran = commandsOf(records).filter(({ decision, outcome }) => !permitted(decision) && outcome !== null)
  t.same(ran, [], 'nothing ran that was refused')
  const { journal, log, secrets } = written
  t.ok(journal.includes('"session-start"'), 'the journal can be searched')
  for (const secret of secrets) {
    t.notOk(journal.includes(secret), `the journal does not hold ${secret}`)
    t.notOk(log.includes(secret), `the log does not hold ${secret}`)
  }
}
