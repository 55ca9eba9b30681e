/** Records as lines that a person reads: one a decision, with a second where it was refused. */
import type { DecisionRecord, OutcomeRecord, SessionStart, StoredRecord, Told } from '../../record/records.ts'
import { type Cell, lineOf, type Look } from './line.ts'
import { plain, widthOf } from './text.ts'
import { describe, VERDICT_WIDTH, verdictOf } from './verdict.ts'
import { count, dayOf, lasted, timeOf } from './words.ts'

/** Columns of names grow to what is met, and no further than this. */
const NAME_WIDTH = 20
const ACTION_WIDTH = 12
/** A narrower terminal has the names only in the session's first line. */
const WIDTH_FOR_NAMES = 100
/** Enough of a session's id to tell those on the screen apart. */
const SESSION_DIGITS = 8

export class Renderer {
  readonly #look: Look
  /** The widest of each kind so far. */
  readonly #widths = { principal: 0, target: 0, action: 0 }
  #day = ''

  constructor(look: Look) {
    this.#look = look
  }

  /** A record other than an outcome. `start` is its session's, null where that cannot be found. */
  lines(record: Told, start: SessionStart | null, outcome: OutcomeRecord | null): string[] {
    const { paint } = this.#look
    const lines = this.#newDay(record.at)
    if (record.type === 'decision') return [...lines, ...this.#decision(record, start, outcome)]
    const cells: Cell[] = [{ text: timeOf(record.at), paint: paint.dim }]
    if ('session' in record) cells.push({ text: record.session.slice(0, SESSION_DIGITS), paint: paint.dim })
    const { text, colour } = this.#story(record, start)
    return [...lines, lineOf(this.#look, cells, text, colour, [])]
  }

  /** An outcome whose decision was shown before. */
  late(outcome: OutcomeRecord, start: SessionStart | null): string {
    const { paint } = this.#look
    const { text, failed } = describe(outcome, start?.target.protocol ?? '')
    const cells = [
      { text: timeOf(outcome.at), paint: paint.dim },
      { text: outcome.session.slice(0, SESSION_DIGITS), paint: paint.dim },
    ]
    return lineOf(this.#look, cells, `└ #${outcome.sequence} ${text}`, failed ? paint.yellow : paint.dim, [])
  }

  #decision(record: DecisionRecord, start: SessionStart | null, outcome: OutcomeRecord | null): string[] {
    const { paint } = this.#look
    const { command } = record.input
    const { word, colour } = verdictOf(record, paint)
    const phase = command.varying?.['phase'] === 'prepare' ? '*' : ''
    const cells: Cell[] = [
      { text: timeOf(record.at), paint: paint.dim },
      { text: record.session.slice(0, SESSION_DIGITS), paint: paint.dim },
      ...this.#names(start),
      { text: word.padEnd(VERDICT_WIDTH), paint: colour },
      { text: this.#pad('action', command.action + phase, ACTION_WIDTH), paint: paint.bold },
    ]
    const after: Cell[] = []
    if (outcome !== null) {
      const { text, failed } = describe(outcome, command.protocol)
      after.push({ text, paint: failed ? paint.yellow : paint.dim })
    }
    const text = command.truncated === undefined ? command.text : `${command.text}…`
    const lines = [lineOf(this.#look, cells, text, null, after)]
    const because = record.custom.refusal ?? (word === 'observed' ? record.result.reasons[0] : undefined)
    if (because !== undefined) {
      const parts = [because.message, because.remedy].filter((part) => part !== '')
      lines.push(this.#under(cells, because.code, parts.join('; '), colour))
    }
    return lines
  }

  #story(record: Exclude<Told, DecisionRecord>, start: SessionStart | null) {
    const { paint } = this.#look
    switch (record.type) {
      case 'session-start': {
        const chain = record.principal.chain.map(({ subject }) => ` for ${subject}`).join('')
        const facts = Object.entries(record.attributes).map(([name, value]) => ` ${name}=${value}`)
        return {
          text: `┌ ${record.principal.subject}${chain} → ${record.target.name}${facts.join('')}`,
          colour: paint.bold,
        }
      }
      case 'session-end': {
        const { commands, rows, denied } = record.usage
        const who = start === null ? '' : `${start.principal.subject} → ${start.target.name}: `
        // Programs have no rows.
        const moved = rows === 0 && start?.target.protocol === 'ssh' ? '' : `${count(rows, 'row')}, `
        const counts = `${count(commands, 'command')}, ${denied} refused, ${moved}${lasted(record.duration)}`
        return { text: `└ ${who}${record.reason} (${counts})`, colour: paint.bold }
      }
      case 'instance-start':
        return { text: `${record.instance} began to write, Sidegate ${record.sidegate}`, colour: paint.dim }
      case 'instance-stop':
        return { text: `${record.instance} stopped`, colour: paint.dim }
      case 'gap':
        return { text: `GAP: ${gapOf(record)} (${record.error})`, colour: paint.red }
      case 'removed':
        return {
          text: `records ${record.first} to ${record.last} were removed to make room${record.shipped ? ', after they were shipped' : ''}`,
          colour: record.shipped ? paint.dim : paint.yellow,
        }
      case 'cut':
        return {
          text: `a crash left ${count(record.bytes, 'byte')} half-written, which were cut off`,
          colour: paint.yellow,
        }
      default:
        return { text: `${(record satisfies never as StoredRecord).type}: of a later version`, colour: paint.dim }
    }
  }

  /** A second line, below the first one's verdict. */
  #under(cells: readonly Cell[], code: string, text: string, colour: (text: string) => string): string {
    const indent = cells.slice(0, -2).reduce((sum, cell) => sum + widthOf(cell.text) + 2, 0)
    return lineOf(
      this.#look,
      [{ text: ' '.repeat(indent - 2) }, { text: `╰ ${plain(code)}`, paint: colour }],
      text,
      this.#look.paint.dim,
      [],
    )
  }

  #names(start: SessionStart | null): Cell[] {
    const { width } = this.#look
    if (width !== null && width < WIDTH_FOR_NAMES) return []
    return [
      { text: this.#pad('principal', start?.principal.subject ?? '?', NAME_WIDTH) },
      { text: this.#pad('target', start?.target.name ?? '?', NAME_WIDTH) },
    ]
  }

  #pad(column: 'principal' | 'target' | 'action', name: string, most: number): string {
    const shown = plain(name, most)
    const width = Math.max(this.#widths[column], widthOf(shown))
    this.#widths[column] = width
    return shown + ' '.repeat(width - widthOf(shown))
  }

  #newDay(at: number): string[] {
    const day = dayOf(at)
    if (day === this.#day) return []
    this.#day = day
    return [this.#look.paint.dim(`── ${day}`)]
  }
}

function gapOf({ first, last, lost }: Extract<StoredRecord, { type: 'gap' }>): string {
  const positions =
    first === 0 ? [] : [`records ${first} to ${last} could not be written, and their commands were refused`]
  return (
    [...positions, ...(lost === 0 ? [] : [`${count(lost, 'outcome')} lost`])].join('; ') ||
    'records could not be written for a while'
  )
}
