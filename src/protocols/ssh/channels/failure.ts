/** What an agent is told of an error that is none of its own. */
import { type Refusal, refusal, type RefusalCode } from '../../../gate/refusal.ts'
import { UpstreamError } from '../legs.ts'
import { OpenFailed } from './channels.ts'

/** Null for a failure after which the connection cannot go on: the journal's, or Sidegate's own. */
export function upstreamRefusal(error: unknown): Refusal | null {
  if (error instanceof UpstreamError) return error.refusal
  if (error instanceof OpenFailed) return refusal('upstream.unavailable', 'the target would not open a channel')
  return null
}

const JOURNAL: readonly string[] = ['record.unavailable', 'record.spool-full'] satisfies RefusalCode[]

export function failureRefusal(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code === 'string' && JOURNAL.includes(code)) return refusal(code as RefusalCode)
  return refusal('protocol.violation', 'the session failed inside the sidecar, and was ended')
}
