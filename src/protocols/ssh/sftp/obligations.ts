/** What a decision may demand of an SFTP operation, and which of it can be kept. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** Bytes and seconds are kept for each handle; other operations move no content and are over at once. */
export function honour(decision: Decision): Refusal | null {
  if (decision.masks.length > 0) {
    return refusal('obligation.unsupported', 'nothing can be masked in files yet')
  }
  if (decision.limits.rows !== null) {
    return refusal('obligation.unsupported', 'SFTP has no rows that could be limited', 'limit bytes or seconds')
  }
  return null
}
