import type { Refusal } from '../../../gate/refusal.ts'
import { statusOf } from '../refusal.ts'
import type { Request } from '../request/facts.ts'

/**
 * The last line of a stream that is ended: an event that says why (`ERROR` with a Status), which watchers read as the end of
 * their watch. Null where the stream has no form for it; a followed log just ends.
 */
export function farewell({ facts, endless }: Request, because: Refusal): string | null {
  if (!endless) return null
  if (facts.verb !== 'watch') return ''
  return `${JSON.stringify({ type: 'ERROR', object: statusOf(because, facts) })}\n`
}
