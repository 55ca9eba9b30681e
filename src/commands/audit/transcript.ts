/**
 * A session to read: each command with its verdict and what became of it, and between them, in time, what its program said. Nothing
 * is hidden: what a terminal would have acted on and not shown stands there as an escape, but for colours and movements of the cursor.
 */
import type { SessionRecord } from '../../record/archive.ts'
import type { DecisionRecord, FrameRecord, OutcomeRecord, SessionStart } from '../../record/records.ts'
import { markerOf } from '../../record/recording/markers.ts'
import { type Cell, lineOf, type Look } from './line.ts'
import { LinesOf } from './lines.ts'
import { plain } from './text.ts'
import { describe, VERDICT_WIDTH, verdictOf } from './verdict.ts'
import { count, dateOf, lasted, timeOf } from './words.ts'

const SEQUENCE_WIDTH = 4
const SIGNS = { output: '│', error: '!', input: '>' } as const

type StreamKind = keyof typeof SIGNS

/** A command under way. */
interface Running {
  readonly terminal: boolean
  readonly streams: Map<StreamKind, LinesOf>
  shown: number
  hidden: number
}

export class Transcript {
  readonly #look: Look
  /** Lines of one command's program that are shown; `Infinity` for all. */
  readonly #most: number
  readonly #running = new Map<number, Running>()
  #protocol = ''
  #at = 0

  constructor(look: Look, most: number) {
    this.#look = look
    this.#most = most
  }

  lines(record: SessionRecord): string[] {
    this.#at = record.at
    switch (record.type) {
      case 'session-start':
        return this.#start(record)
      case 'decision':
        return this.#decision(record)
      case 'frame':
        return this.#frame(record)
      case 'outcome':
        return this.#outcome(record)
      case 'session-end': {
        const { reason, usage, duration } = record
        const counts = `${count(usage.commands, 'command')}, ${usage.denied} refused, ${lasted(duration)}`
        return [...this.end(), this.#line(record.at, null, `└ ${reason} (${counts})`, this.#look.paint.bold)]
      }
    }
  }

  /** What is left where nothing more is on record. */
  end(): string[] {
    return [...this.#running.keys()].flatMap((sequence) => this.#close(sequence, this.#at))
  }

  #start({ at, session, principal, target, attributes }: SessionStart): string[] {
    this.#protocol = target.protocol
    const { paint } = this.#look
    const chain = principal.chain.map(({ subject }) => ` for ${subject}`).join('')
    const facts = Object.entries(attributes).map(([name, value]) => `${name}=${value}`)
    return [
      lineOf(this.#look, [{ text: `session ${session}`, paint: paint.bold }], dateOf(at), paint.dim, []),
      this.#line(
        at,
        null,
        `┌ ${principal.subject}${chain} → ${target.name} (${target.protocol}) ${facts.join(' ')}`,
        paint.bold,
      ),
    ]
  }

  #decision(record: DecisionRecord): string[] {
    const { command } = record.input
    const { word, colour } = verdictOf(record, this.#look.paint)
    const facts = { ...command.detail, ...command.varying }
    if (record.custom.verdict === 'permitted') this.#open(record.sequence, 'tty' in facts && facts['tty'] === true)
    const cells: Cell[] = [
      ...this.#cells(record.at, record.sequence),
      { text: word.padEnd(VERDICT_WIDTH), paint: colour },
      { text: plain(command.action), paint: this.#look.paint.bold },
    ]
    const text = command.truncated === undefined ? command.text : `${command.text}…`
    const lines = [lineOf(this.#look, cells, text, null, [])]
    const because = record.custom.refusal ?? (word === 'observed' ? record.result.reasons[0] : undefined)
    if (because !== undefined) {
      const parts = [because.message, because.remedy].filter((part) => part !== '').join('; ')
      const under = [...this.#cells(record.at, record.sequence), { text: `╰ ${plain(because.code)}`, paint: colour }]
      lines.push(lineOf(this.#look, under, parts, this.#look.paint.dim, []))
    }
    const { grant } = record.custom
    if (grant !== undefined)
      lines.push(this.#line(record.at, record.sequence, `· approved by ${grant.by.join(', ')} at ${grant.at}`))
    return lines
  }

  #frame(record: FrameRecord): string[] {
    const { kind, sequence, at } = record
    const data = Buffer.from(record.data, 'base64')
    if (kind === 'output' || kind === 'error' || kind === 'input') return this.#said(record, kind, data)
    if (kind === 'resize') {
      this.#open(sequence, true)
      return [this.#line(at, sequence, `· terminal ${data.toString('latin1')}`)]
    }
    // How it ended is told with the outcome.
    if (kind === 'exit') return []
    return [this.#line(at, sequence, `· ${markerOf(kind, data.toString())}`)]
  }

  #said({ sequence, at }: FrameRecord, kind: StreamKind, data: Buffer): string[] {
    const running = this.#open(sequence, false)
    let stream = running.streams.get(kind)
    if (stream === undefined) running.streams.set(kind, (stream = new LinesOf(running.terminal)))
    return this.#shown(sequence, running, kind, at, stream.write(data))
  }

  #outcome(record: OutcomeRecord): string[] {
    const { text, failed } = describe(record, this.#protocol)
    const { paint } = this.#look
    const rest = this.#close(record.sequence, record.at)
    return [...rest, this.#line(record.at, record.sequence, `└ ${text}`, failed ? paint.yellow : paint.dim)]
  }

  #open(sequence: number, terminal: boolean): Running {
    let running = this.#running.get(sequence)
    if (running === undefined) {
      running = { terminal, streams: new Map(), shown: 0, hidden: 0 }
      this.#running.set(sequence, running)
    }
    return running
  }

  #close(sequence: number, at: number): string[] {
    const running = this.#running.get(sequence)
    if (running === undefined) return []
    const lines = [...running.streams].flatMap(([kind, stream]) =>
      this.#shown(sequence, running, kind, at, stream.end()),
    )
    this.#running.delete(sequence)
    if (running.hidden === 0) return lines
    const more = `… ${count(running.hidden, 'more line')}: --lines 0 shows all`
    return [...lines, this.#line(at, sequence, more, this.#look.paint.dim)]
  }

  #shown(sequence: number, running: Running, kind: StreamKind, at: number, lines: readonly string[]): string[] {
    const room = Math.max(0, this.#most - running.shown)
    const shown = lines.length > room ? lines.slice(0, room) : lines
    running.shown += shown.length
    running.hidden += lines.length - shown.length
    const sign = { text: SIGNS[kind], paint: kind === 'error' ? this.#look.paint.yellow : this.#look.paint.dim }
    return shown.map((line) => lineOf(this.#look, [...this.#cells(at, sequence), sign], line, null, [], true))
  }

  #line(at: number, sequence: number | null, text: string, colour: ((text: string) => string) | null = null): string {
    return lineOf(this.#look, this.#cells(at, sequence), text, colour ?? this.#look.paint.dim, [])
  }

  #cells(at: number, sequence: number | null): Cell[] {
    const { paint } = this.#look
    const time = { text: timeOf(at), paint: paint.dim }
    const number = sequence === null ? '' : `#${sequence}`
    return [time, { text: number.padEnd(SEQUENCE_WIDTH), paint: paint.dim }]
  }
}
