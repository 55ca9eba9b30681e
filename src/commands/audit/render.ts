/** Records as lines that a person reads: one a decision, with a second where it was refused. */
import type { Paint } from '../../config/printout.ts'
import type { DecisionRecord, OutcomeRecord, SessionStart, StoredRecord, Told } from '../../record/records.ts'
import { plain, visible, widthOf } from './text.ts'

export interface Look {
  readonly paint: Paint
  /** Columns to keep to; null where lines may be as long as they are. */
  readonly width: number | null
}

/** Columns of names grow to what is met, and no further than this. */
const NAME_WIDTH = 20
const ACTION_WIDTH = 12
const VERDICT_WIDTH = 8
/** Below this a command's text would say nothing: the line is longer than the terminal instead. */
const TEXT_WIDTH = 16
/** A narrower terminal has the names only in the session's first line. */
const WIDTH_FOR_NAMES = 100
/** Enough of a session's id to tell those on the screen apart. */
const SESSION_DIGITS = 8

interface Cell {
  readonly text: string
  readonly paint?: (text: string) => string
}

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
    return [...lines, this.#line(cells, text, colour, [])]
  }

  /** An outcome whose decision was shown before. */
  late(outcome: OutcomeRecord): string {
    const { paint } = this.#look
    const { text, failed } = describe(outcome)
    const cells = [
      { text: timeOf(outcome.at), paint: paint.dim },
      { text: outcome.session.slice(0, SESSION_DIGITS), paint: paint.dim },
    ]
    return this.#line(cells, `└ #${outcome.sequence} ${text}`, failed ? paint.yellow : paint.dim, [])
  }

  #decision(record: DecisionRecord, start: SessionStart | null, outcome: OutcomeRecord | null): string[] {
    const { paint } = this.#look
    const { command } = record.input
    const { word, colour } = this.#verdict(record)
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
      const { text, failed } = describe(outcome)
      after.push({ text, paint: failed ? paint.yellow : paint.dim })
    }
    const text = command.truncated === undefined ? command.text : `${command.text}…`
    const lines = [this.#line(cells, text, null, after)]
    const because = record.custom.refusal ?? (word === 'observed' ? record.result.reasons[0] : undefined)
    if (because !== undefined) {
      const parts = [because.message, because.remedy].filter((part) => part !== '')
      lines.push(this.#under(cells, because.code, parts.join('; '), colour))
    }
    return lines
  }

  #verdict({ custom, result }: DecisionRecord) {
    const { paint } = this.#look
    if (custom.verdict === 'refused') return { word: 'refused', colour: paint.red }
    // Policy would have refused; it is only being tried out.
    if (custom.mode === 'observe' && result.effect !== 'allow') return { word: 'observed', colour: paint.yellow }
    if (custom.grant !== undefined) return { word: 'approved', colour: paint.green }
    return { word: 'allowed', colour: paint.green }
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
        const counts = `${count(commands, 'command')}, ${denied} refused, ${count(rows, 'row')}, ${lasted(record.duration)}`
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

  /** Cells, then the agent's own text in what is left of the width, then what must not be cut off. */
  #line(
    cells: readonly Cell[],
    text: string,
    colour: ((text: string) => string) | null,
    after: readonly Cell[],
  ): string {
    const { width, paint } = this.#look
    const used = [...cells, ...after].reduce((sum, cell) => sum + widthOf(cell.text) + 2, 0)
    const room = width === null ? null : Math.max(TEXT_WIDTH, width - used)
    const pieces = visible(text, room).map((piece) => {
      if (piece.escaped) return paint.yellow(piece.text)
      return colour === null ? piece.text : colour(piece.text)
    })
    const painted = (cell: Cell) => (cell.paint === undefined ? cell.text : cell.paint(cell.text))
    return [...cells.map(painted), pieces.join(''), ...after.map(painted)].join('  ')
  }

  /** A second line, below the first one's verdict. */
  #under(cells: readonly Cell[], code: string, text: string, colour: (text: string) => string): string {
    const indent = cells.slice(0, -2).reduce((sum, cell) => sum + widthOf(cell.text) + 2, 0)
    return this.#line(
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

function describe({ status, code, rows, bytes, duration, masked }: OutcomeRecord): { text: string; failed: boolean } {
  const failed = status !== 'completed'
  const what = failed ? `${status}${code === '' ? '' : ` ${plain(code)}`}, ` : ''
  const amount = rows > 0 || bytes === 0 ? count(rows, 'row') : count(bytes, 'byte')
  const hidden = masked.length === 0 ? '' : `, masked ${masked.map((name) => plain(name)).join(' ')}`
  return { text: `${what}${amount}, ${lasted(duration)}${hidden}`, failed }
}

function gapOf({ first, last, lost }: Extract<StoredRecord, { type: 'gap' }>): string {
  const positions =
    first === 0 ? [] : [`records ${first} to ${last} could not be written, and their commands were refused`]
  return (
    [...positions, ...(lost === 0 ? [] : [`${count(lost, 'outcome')} lost`])].join('; ') ||
    'records could not be written for a while'
  )
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}

function lasted(microseconds: number): string {
  const ms = microseconds / 1_000
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1).replace(/\.0$/, '') : Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.round(ms / 60_000)} min`
}

/** The reader's own time of day. */
function timeOf(at: number): string {
  const date = new Date(at)
  const two = (part: number) => String(part).padStart(2, '0')
  const ms = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`
}

function dayOf(at: number): string {
  const date = new Date(at)
  return `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`
}
