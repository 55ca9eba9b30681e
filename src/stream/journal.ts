/** The journal, as those see it who wait for it before they forward. */
import type { Gate } from '../gate/gate.ts'
import { type Refusal, refusal } from '../gate/refusal.ts'

/** Resolves when all that was decided so far is on record. Rejects with the journal's error. */
export async function recorded(gate: Gate): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Error | null>()
  gate.whenRecorded(resolve)
  const error = await promise
  if (error !== null) throw error
}

/** What an agent is told where the journal failed; null where it was something else that did. */
export function journalRefusal(error: unknown): Refusal | null {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'record.unavailable' || code === 'record.spool-full' ? refusal(code) : null
}
