/** What an agent is told of an error that is none of its own. */
import { journalRefusal, type Refusal, refusal } from '../../../gate/refusal.ts'
import { UpstreamError } from '../legs.ts'
import { OpenFailed } from './channels.ts'

/** Null for a failure after which the connection cannot go on: the journal's, or Sidegate's own. */
export function upstreamRefusal(error: unknown): Refusal | null {
  if (error instanceof UpstreamError) return error.refusal
  if (error instanceof OpenFailed) return refusal('upstream.unavailable', 'the target would not open a channel')
  return null
}

export function failureRefusal(error: unknown): Refusal {
  const violation = refusal('protocol.violation', 'the session failed inside the sidecar, and was ended')
  return journalRefusal(error) ?? violation
}
