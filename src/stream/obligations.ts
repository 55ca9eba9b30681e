/** What a decision may demand of a stream of bytes: they can be counted and timed, and nothing can be found in them. */
import type { Command } from '../gate/command.ts'
import type { Decision } from '../gate/decision.ts'
import { type Refusal, refusal } from '../gate/refusal.ts'

/** How a protocol speaks of such a stream: nothing can be masked in `content`, and `subject` has no rows. */
interface Words {
  readonly content: string
  readonly subject: string
  /** What to do instead where something was to be masked. */
  readonly remedy?: string
}

/** The `honour` of what is asked of the gate. */
export function honourStream({ content, subject, remedy = '' }: Words) {
  return (_: Command, { masks, limits }: Decision): Refusal | null => {
    if (masks.length > 0) return refusal('obligation.unsupported', `nothing can be masked in ${content}`, remedy)
    if (limits.rows === null) return null
    return refusal('obligation.unsupported', `${subject} has no rows that could be limited`, 'limit bytes or seconds')
  }
}
