/** What was decided of a command, and what became of it, in a word or two. */
import type { Paint } from '../../config/printout.ts'
import type { DecisionRecord, OutcomeRecord } from '../../record/records.ts'
import { plain } from './text.ts'
import { count, lasted } from './words.ts'

export const VERDICT_WIDTH = 8

export function verdictOf({ custom, result }: DecisionRecord, paint: Paint) {
  if (custom.verdict === 'refused') return { word: 'refused', colour: paint.red }
  // Policy would have refused; it is only being tried out.
  if (custom.mode === 'observe' && result.effect !== 'allow') return { word: 'observed', colour: paint.yellow }
  if (custom.grant !== undefined) return { word: 'approved', colour: paint.green }
  return { word: 'allowed', colour: paint.green }
}

/** Of programs the exit status is told, of statements the rows. */
export function describe(
  outcome: OutcomeRecord,
  protocol: string,
): { readonly text: string; readonly failed: boolean } {
  const { status, code, rows, bytes, duration, masked } = outcome
  const failed = status !== 'completed'
  const programs = protocol === 'ssh'
  const exited = programs && /^\d{1,3}$/.test(code)
  const what = exited ? [`exit ${code}`] : failed ? [`${status}${code === '' ? '' : ` ${plain(code)}`}`] : []
  const counted =
    programs && rows === 0 && bytes === 0 ? [] : [rows > 0 || bytes === 0 ? count(rows, 'row') : count(bytes, 'byte')]
  const hidden = masked.length === 0 ? [] : [`masked ${masked.map((name) => plain(name)).join(' ')}`]
  return { text: [...what, ...counted, lasted(duration), ...hidden].join(', '), failed }
}
