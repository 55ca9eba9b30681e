/** What the journal says of the agent's commands, in a few lines each. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Paint } from '../../config/printout.ts'
import { readJournal } from '../../record/reader.ts'
import type { DecisionRecord, OutcomeRecord, StoredRecord } from '../../record/records.ts'

/** The outcome is written a few milliseconds after the agent has its answer. */
const OUTCOME_PATIENCE = 1_000
const POLL_MS = 10

/** What the targets of the demo are called. */
const TARGETS: Readonly<Record<string, string>> = {
  postgres: 'PostgreSQL',
  ssh: 'the host',
  kubernetes: 'the API server',
}

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
  // A prepared statement is judged when it is parsed, and again with its parameters when it runs.
  const phase = input.command.varying?.['phase'] === 'prepare' ? ' (prepare)' : ''
  const what = input.command.protocol === 'kubernetes' ? input.command.text : input.command.action
  const lines = [`${paint.dim(`#${seq}`)}  ${what}${phase}  ${verdict}`]
  const reasons = refused && custom.refusal !== undefined ? [custom.refusal] : result.reasons
  for (const { code, policy } of reasons) lines.push(`code    ${code}${policy === '' ? '' : paint.dim(`  ${policy}`)}`)
  lines.push(...facts(decision).map((fact) => `found   ${fact}`))
  if (outcome === null)
    return [...lines, paint.dim(`it never reached ${TARGETS[input.command.protocol] ?? 'its target'}`)]
  for (const column of outcome.masked) {
    const method = result.masks.find((mask) => (mask.column ?? mask.path) === column)?.with ?? 'mask'
    lines.push(`masked  ${column}${paint.dim(`  ${method}`)}`)
  }
  return [...lines, describeOutcome(outcome, paint)]
}

/** In one line, for steps that need no more. */
export function summarise(recorded: readonly Recorded[], paint: Paint): string {
  return recorded
    .map(({ decision: { seq, custom, result } }) => {
      const code = custom.refusal?.code ?? result.reasons[0]?.code ?? ''
      return `${paint.dim(`#${seq}`)} ${custom.verdict === 'refused' ? paint.red('refused') : paint.green('permitted')} ${code}`
    })
    .join(', ')
}

/** The facts that policy compared, for commands that it refused: what was found in the text. */
function facts({ custom, input }: DecisionRecord): string[] {
  const { detail } = input.command
  if (custom.verdict !== 'refused') return []
  if ('commands' in detail && Array.isArray(detail['commands'])) return commandsIn(detail['commands'])
  if ('operation' in detail && typeof detail['operation'] === 'string') {
    return [`${detail['operation']} ${typeof detail['path'] === 'string' ? detail['path'] : ''}`.trimEnd()]
  }
  if ('exec' in detail) return [...listed(detail['exec'], 'command'), ...listed(detail['pod'], 'baseline')]
  if (!('effects' in detail) || !Array.isArray(detail['effects'])) return []
  const effects = detail['effects'].filter((effect) => typeof effect === 'string')
  return effects.length === 0 ? [] : [effects.join(', ')]
}

/** What a part of the facts lists under a name: a command's words, what pods would reach. */
function listed(part: unknown, name: string): string[] {
  const found = part !== null && typeof part === 'object' && name in part ? Reflect.get(part, name) : []
  return Array.isArray(found) && found.length > 0 ? [found.join(' ')] : []
}

/** The names of all commands that a line would run, however deep they are hidden. */
function commandsIn(commands: readonly unknown[]): string[] {
  const names = commands.map((command) => {
    const name = typeof command === 'object' && command !== null && 'name' in command ? command.name : null
    return typeof name === 'string' ? name : '?'
  })
  return names.length === 0 ? [] : [names.join(', ')]
}

function describeOutcome({ seq, status, code, rows, duration }: OutcomeRecord, paint: Paint): string {
  const what = [status, code, rows === 0 ? '' : `${rows} row${rows === 1 ? '' : 's'}`].filter((part) => part !== '')
  return `${paint.dim(`#${seq}`)}  ${what.join(', ')}  ${paint.dim(`${Math.round(duration / 1_000)} ms`)}`
}
