import type { Refusal } from '../../../gate/refusal.ts'
import { statusOf } from '../refusal.ts'
import type { Request } from '../request/facts.ts'

/**
 * The last line of a stream that is ended: an event that says why (`ERROR` with a Status), which watchers read as the end of
 * their watch. `whole`: what was sent so far ends with its line. Null where the stream has no form for it, or is within an
 * event, which would become nonsense; a followed log just ends.
 */
export function farewell({ facts, endless }: Request, because: Refusal, whole: boolean): string | null {
  if (!endless) return null
  if (facts.verb !== 'watch') return ''
  return whole ? `${JSON.stringify({ type: 'ERROR', object: statusOf(because, facts) })}\n` : null
}
