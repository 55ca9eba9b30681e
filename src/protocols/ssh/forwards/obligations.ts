/** What a decision may demand of a forward, and which of it can be kept. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** What goes through is opaque: it can be counted and timed, and nothing else. */
export function honour(decision: Decision): Refusal | null {
  if (decision.masks.length > 0) return refusal('obligation.unsupported', 'nothing can be masked in what is forwarded')
  if (decision.limits.rows !== null) {
    return refusal('obligation.unsupported', 'a forward has no rows that could be limited', 'limit bytes or seconds')
  }
  return null
}
