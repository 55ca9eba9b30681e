/**
 * What a session's commands showed, in time, as a player needs it: output, input where it was recorded, sizes of the terminal, and
 * markers for decisions, approvals, signals, ends and transfers. Frames of commands that ran at once come as they came; each
 * command's streams are decoded apart.
 */
import type { FrameKind } from '../../gate/ports.ts'
import type { SessionRecord, StoredLine } from '../archive.ts'
import type { DecisionRecord, FrameRecord, OutcomeRecord } from '../records.ts'
import { labelOf, markerOf } from './markers.ts'
import { ShownText } from './shown-text.ts'

export interface RecordingEvent {
  /** Milliseconds since the recording's beginning. */
  readonly time: number
  /** As asciicast names them: output, input, resize, marker. */
  readonly code: 'o' | 'i' | 'r' | 'm'
  /** Text; of a resize `80x24`. */
  readonly data: string
  /** `begin` is a command's decision, `end` the last word about it. */
  readonly part: 'begin' | 'within' | 'end'
  /** The command's, and whether it had a terminal. */
  readonly sequence: number
  readonly terminal: boolean
}

export interface Recording {
  readonly width: number
  readonly height: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly events: AsyncGenerator<RecordingEvent>
}

const WIDTH = 80
const HEIGHT = 24
/** A terminal's size comes before what it shows: so many events are looked at for it. */
const LOOK_AHEAD = 1_000
const SIZE = /^([1-9]\d{0,3})x([1-9]\d{0,3})$/

/** Of one command, or with null of the whole session. null where nothing of that was recorded. */
export async function readRecording(
  records: AsyncIterable<StoredLine>,
  sequence: number | null,
): Promise<Recording | null> {
  const reader = new RecordingReader(sequence)
  const events = reader.read(records)
  const first: RecordingEvent[] = []
  while (first.length < LOOK_AHEAD) {
    const { done, value } = await events.next()
    if (done === true) break
    first.push(value)
    if (value.code !== 'm') break
  }
  if (first.length === 0) return null
  const size = SIZE.exec(first.find(({ code }) => code === 'r')?.data ?? '')
  return {
    width: Number(size?.[1] ?? WIDTH),
    height: Number(size?.[2] ?? HEIGHT),
    startedAt: reader.startedAt,
    events: chained(first, events),
  }
}

async function* chained(first: readonly RecordingEvent[], rest: AsyncGenerator<RecordingEvent>) {
  yield* first
  yield* rest
}

/** One command's channel. */
interface Channel {
  readonly terminal: boolean
  readonly texts: Readonly<Record<'input' | 'output' | 'error', ShownText>>
  exited: boolean
}

class RecordingReader {
  readonly #sequence: number | null
  readonly #channels = new Map<number, Channel>()
  startedAt = 0
  #time = 0

  constructor(sequence: number | null) {
    this.#sequence = sequence
  }

  async *read(records: AsyncIterable<StoredLine>): AsyncGenerator<RecordingEvent> {
    for await (const { record } of records) {
      if (record.type === 'session-start' || record.type === 'session-end') continue
      if (this.#sequence !== null && record.sequence !== this.#sequence) continue
      this.#passTo(record)
      if (record.type === 'frame') yield* this.#frame(record)
      else if (record.type === 'decision') yield this.#decision(record)
      else yield* this.#outcome(record)
    }
    for (const sequence of this.#channels.keys()) yield* this.#end(sequence)
  }

  /** A clock that was set back does not turn the recording around. */
  #passTo({ at }: SessionRecord): void {
    if (this.startedAt === 0) this.startedAt = at
    this.#time = Math.max(this.#time, at - this.startedAt)
  }

  #decision(record: DecisionRecord): RecordingEvent {
    const { sequence, input } = record
    const facts = { ...input.command.detail, ...input.command.varying }
    this.#channel(sequence, 'tty' in facts && facts['tty'] === true)
    return this.#event('m', `#${sequence} ${labelOf(record)}`, sequence, 'begin')
  }

  *#frame(record: FrameRecord): Generator<RecordingEvent> {
    const { sequence, kind } = record
    const data = Buffer.from(record.data, 'base64')
    switch (kind) {
      case 'output':
      case 'error':
      case 'input': {
        const text = this.#channel(sequence, false).texts[kind].write(data)
        if (text !== '') yield this.#event(kind === 'input' ? 'i' : 'o', text, sequence)
        return
      }
      case 'resize': {
        const size = data.toString('latin1')
        // Only terminals have a size, and it comes before what they show.
        if (!this.#channel(sequence, true).terminal) this.#channels.delete(sequence)
        this.#channel(sequence, true)
        if (SIZE.test(size)) yield this.#event('r', size, sequence)
        return
      }
      default:
        this.#channel(sequence, false).exited ||= kind === 'exit'
        yield this.#event('m', `#${sequence} ${markerOf(kind, data.toString())}`, sequence, partOf(kind))
    }
  }

  *#outcome({ sequence, status, code }: OutcomeRecord): Generator<RecordingEvent> {
    const exited = this.#channels.get(sequence)?.exited === true
    yield* this.#end(sequence)
    // How a program ended is marked already.
    const said = status === 'completed' ? status : `${status} ${code}`.trimEnd()
    if (!exited) yield this.#event('m', `#${sequence} ${said}`, sequence, 'end')
    this.#channels.delete(sequence)
  }

  *#end(sequence: number): Generator<RecordingEvent> {
    const channel = this.#channels.get(sequence)
    if (channel === undefined) return
    for (const kind of ['output', 'error'] as const) {
      const text = channel.texts[kind].end()
      if (text !== '') yield this.#event('o', text, sequence)
    }
  }

  #channel(sequence: number, terminal: boolean): Channel {
    let channel = this.#channels.get(sequence)
    if (channel === undefined) {
      const texts = { input: new ShownText(true), output: new ShownText(terminal), error: new ShownText(terminal) }
      channel = { terminal, texts, exited: false }
      this.#channels.set(sequence, channel)
    }
    return channel
  }

  #event(
    code: RecordingEvent['code'],
    data: string,
    sequence: number,
    part: RecordingEvent['part'] = 'within',
  ): RecordingEvent {
    const terminal = this.#channels.get(sequence)?.terminal === true
    return { time: this.#time, code, data, part, sequence, terminal }
  }
}

function partOf(kind: FrameKind): RecordingEvent['part'] {
  return kind === 'exit' ? 'end' : 'within'
}
