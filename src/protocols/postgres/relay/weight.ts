/** What a session's names hold in memory. Their number alone bounds nothing: one of them may be as large as a message. */
import type { Statement } from '../statement.ts'
import type { Portal, Prepared } from './execution.ts'

/**
 * Of each kind of names of one session. Some 4 MB of SQL that is prepared at once, or 40 MB of values that are bound at once: more
 * than any program was seen to keep. One that is alone may weigh whatever a message may.
 */
export const MOST_WEIGHT = 128 * 1024 ** 2

/** Lighter ones are bounded by the number of names. */
export const LIGHT = MOST_WEIGHT / 4096

/** A parse tree takes some thirty times its text. */
const TREE = 32
/** A value is there as it came, as text, and in the facts of its command. */
const COPIES = 3

export function weightOfText(text: string): number {
  return text.length * TREE
}

export function weightOfValues(values: readonly (Uint8Array | null)[]): number {
  return values.reduce((sum, value) => sum + (value?.length ?? 0), 0) * COPIES
}

export function weightOf({ text, statement }: Prepared): number {
  return weightOfText(text ?? statement?.shape.text ?? '')
}

/** The statement of a Bind is the prepared one's; a cursor has its own. */
export function weightOfPortal({ prepared, statement, values }: Portal): number {
  return weightOfValues(values) + (prepared === null ? weightOfText(statement?.shape.text ?? '') : 0)
}

/** What the statement would keep under a name of its own when it runs. */
export function weightKept({ role, shape }: Statement): number {
  return role.is === 'prepare' || role.is === 'declare' ? weightOfText(shape.text) : 0
}
