/** What the journal says of the agent's commands, in a few lines each. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Paint } from '../../config/printout.ts'
import { readJournal } from '../../record/reader.ts'
import type { DecisionRecord, OutcomeRecord, StoredRecord } from '../../record/records.ts'

/** The outcome is written a few milliseconds after the agent has its answer. */
const OUTCOME_PATIENCE = 1_000
const POLL_MS = 10

export interface Recorded {
  readonly decision: DecisionRecord
  /** Null where the command was not forwarded. */
  readonly outcome: OutcomeRecord | null
}

/** Reads on from where it last stopped. */
export class RecordReader {
  readonly #directory: string
  #next = 1

  constructor(directory: string) {
    this.#directory = directory
  }

  /** The commands of which a decision was recorded since the last call, each permitted one with its outcome. */
  async since(): Promise<readonly Recorded[]> {
    const deadline = Date.now() + OUTCOME_PATIENCE
    for (;;) {
      const records: StoredRecord[] = []
      for await (const { record } of readJournal(this.#directory, { from: this.#next })) records.push(record)
      const decisions = records.filter((record) => record.type === 'decision')
      const found = decisions.map((decision) => ({ decision, outcome: outcomeOf(decision, records) }))
      const whole = found.every(({ decision, outcome }) => outcome !== null || decision.custom.verdict === 'refused')
      if ((found.length > 0 && whole) || Date.now() > deadline) {
        this.#next = (records.at(-1)?.seq ?? this.#next - 1) + 1
        return found
      }
      await sleep(POLL_MS)
    }
  }
}

function outcomeOf(decision: DecisionRecord, records: readonly StoredRecord[]): OutcomeRecord | null {
  const found = records.find(
    (record) =>
      record.type === 'outcome' && record.session === decision.session && record.sequence === decision.sequence,
  )
  return found?.type === 'outcome' ? found : null
}

export function describeRecord({ decision, outcome }: Recorded, paint: Paint): string[] {
  const { seq, result, custom, input } = decision
  const refused = custom.verdict === 'refused'
  const verdict = refused ? paint.red('refused') : paint.green('permitted')
  const lines = [`${paint.dim(`#${seq}`)}  ${paint.bold(input.command.action)}  ${verdict}`]
  const reasons = refused && custom.refusal !== undefined ? [custom.refusal] : result.reasons
  for (const { code, policy } of reasons) lines.push(`code     ${code}${policy === '' ? '' : paint.dim(`  ${policy}`)}`)
  for (const mask of result.masks) {
    if (!refused) lines.push(`mask     ${mask.column ?? mask.detector ?? mask.path ?? ''} → ${mask.with}`)
  }
  lines.push(...facts(decision).map((fact) => `saw      ${fact}`))
  lines.push(outcome === null ? paint.dim('it never reached PostgreSQL') : describeOutcome(outcome, paint))
  return lines
}

/** The facts that policy compared, for commands that it refused: what was found in the text. */
function facts({ custom, input }: DecisionRecord): string[] {
  const { detail } = input.command
  if (custom.verdict !== 'refused' || !('effects' in detail) || !Array.isArray(detail['effects'])) return []
  const effects = detail['effects'].filter((effect) => typeof effect === 'string')
  return effects.length === 0 ? [] : [effects.join(', ')]
}

function describeOutcome({ seq, status, code, rows, duration, masked }: OutcomeRecord, paint: Paint): string {
  const took = `${(duration / 1_000).toFixed(1)} ms`
  const hidden = masked.length === 0 ? '' : `, masked ${masked.join(' and ')}`
  return `${paint.dim(`#${seq}`)}  ${status} ${code}, ${rows} row${rows === 1 ? '' : 's'}${hidden}  ${paint.dim(took)}`
}
