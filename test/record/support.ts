/** Journals for tests: small, in a directory that goes with the test. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject } from '../../src/gate/json.ts'
import type { DecisionEvent, FrameEvent, FrameKind, OutcomeEvent, OutcomeStatus } from '../../src/gate/ports.ts'
import { Session } from '../../src/gate/session.ts'
import { Journal, type JournalOptions } from '../../src/record/journal.ts'
import { type Stored, readJournal } from '../../src/record/reader.ts'
import { ALLOW, command, CONTEXT } from '../support/fakes.ts'
import { removeAtExit } from '../support/process.ts'

export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-journal-'))
  removeAtExit(directory)
  return directory
}

export function open(directory: string, options: Partial<JournalOptions> = {}): Journal {
  return Journal.open({
    directory,
    maxSize: 64 * 1024 ** 2,
    segmentSize: 8 * 1024 ** 2,
    durability: 'written',
    sidegate: '0.0.0',
    name: 'test',
    shipping: false,
    ...options,
  })
}

export function session(): Session {
  return new Session(CONTEXT, { database: 'orders' })
}

export function decision(of: Session, text = 'SELECT 1', varying: JsonObject = {}): DecisionEvent {
  const answer = { decision: ALLOW, revision: 'r1', mode: 'enforce', failed: false } as const
  const sequence = ++of.sequence
  return { session: of, sequence, command: command(text, varying), answer, grant: null, refusal: null, at: Date.now() }
}

export function outcome(of: Session, status: OutcomeStatus = 'completed'): OutcomeEvent {
  const now = Date.now()
  const result = { status, code: 'SELECT 1', rows: 1, bytes: 8, masked: [] }
  return { session: of, sequence: of.sequence, outcome: result, decidedAt: now - 2, at: now }
}

/** A piece of the recording of the session's last command. */
export function frame(of: Session, kind: FrameKind, data: Uint8Array | string): FrameEvent {
  return { session: of, sequence: of.sequence, kind, data: Buffer.from(data), at: Date.now() }
}

export function whenDurable(journal: Journal): Promise<Error | null> {
  return new Promise((resolve) => journal.whenDurable(resolve))
}

export async function all(directory: string): Promise<Stored[]> {
  const records: Stored[] = []
  for await (const stored of readJournal(directory)) records.push(stored)
  return records
}

/** A journal that was written and closed: a session with this many commands. Each is a block of its own. */
export async function written(
  directory: string,
  commands: number,
  options: Partial<JournalOptions> = {},
): Promise<string> {
  const journal = open(directory, options)
  const of = session()
  journal.sessionStart(of)
  for (let index = 0; index < commands; index++) {
    journal.decision(decision(of, `SELECT ${index}`))
    const error = await whenDurable(journal)
    if (error !== null) throw error
  }
  await journal.close()
  return journal.instance
}
