/** The journal, as those see it who wait for it before they forward. */
import type { Gate } from '../gate/gate.ts'

/** Resolves when all that was decided so far is on record. Rejects with the journal's error. */
export async function recorded(gate: Gate): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Error | null>()
  gate.whenRecorded(resolve)
  const error = await promise
  if (error !== null) throw error
}
