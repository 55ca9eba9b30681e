/** Exit statuses as shells have them. */
import { REFUSED_STATUS } from '../refusal.ts'
import type { LineEnd } from './host.ts'

/** A builtin was used wrongly. */
export const MISUSED = 2

/** With the signal's number behind it. */
const BY_SIGNAL = 128
const SIGNALS: ReadonlyMap<string, number> = new Map([
  ['HUP', 1],
  ['INT', 2],
  ['QUIT', 3],
  ['ILL', 4],
  ['ABRT', 6],
  ['FPE', 8],
  ['KILL', 9],
  ['USR1', 10],
  ['SEGV', 11],
  ['USR2', 12],
  ['PIPE', 13],
  ['ALRM', 14],
  ['TERM', 15],
])

export function statusOf(end: LineEnd): number {
  if ('status' in end) return end.status
  return 'signal' in end ? BY_SIGNAL + (SIGNALS.get(end.signal) ?? 0) : REFUSED_STATUS
}

/** ^C at the prompt. */
export const INTERRUPTED = statusOf({ signal: 'INT' })
