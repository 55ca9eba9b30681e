/**
 * Records as lines of JSON (layout: records.ts), written straight into the journal's slab.
 *
 * All but a few numbers of a line was encoded before: the session's, the shape's and the decision's parts are kept by
 * identity, which is meaning.
 */
import type { Shape } from '../gate/command.ts'
import type { Json } from '../gate/json.ts'
import type { DecisionEvent, FrameEvent, OutcomeEvent } from '../gate/ports.ts'
import type { Session } from '../gate/session.ts'
import { putBytes } from './digits.ts'
import { RecordError } from './errors.ts'
import { LineHead } from './line-head.ts'
import { microseconds, Outcomes } from './outcomes.ts'
import { ParameterHash } from './parameters.ts'
import { quote } from './quote.ts'
import { REFERRED_MAX } from './reference.ts'
import { resultOf, Results } from './results.ts'
import {
  bounded,
  cutOf,
  type Form,
  isAscii,
  PART_LENGTH,
  recordedText,
  Templates,
  textOf,
  type Whole,
} from './template.ts'

/**
 * No record is longer: a decision's are the text (two parts), facts, varying facts, parameters, result, refusal and grant,
 * of {@link PART_LENGTH} units each, which UTF-8 makes up to three bytes of; and what is left is words and numbers.
 */
export const RECORD_MAX = 2 * 1024 ** 2

const PARAMETERS = Buffer.from(',"parameters":')
const END = Buffer.from('}\n')
const BRACE = 0x7d
const LINE_FEED = 0x0a

export interface Origin {
  readonly instance: string
  /** The version of Sidegate. */
  readonly sidegate: string
}

/** The segment that the slab will be written to. */
export interface Segment {
  /** Another one when what it holds, or will hold, can no longer be relied on: it was left, or rolled back, or a write failed. */
  readonly generation: number
  /** Where the slab will begin in its file. */
  readonly size: number
}

/** What a session's records share. */
interface Heads {
  /** `,"session":…,"start":…,"sequence":` */
  readonly own: string
  readonly decision: LineHead
  readonly outcome: LineHead
}

export class Encoding {
  readonly #id: string
  readonly #origin: string
  readonly #parameters = new ParameterHash()
  readonly #templates = new Templates()
  readonly #results = new Results()
  readonly #outcomes = new Outcomes()
  readonly #heads = new WeakMap<Session, Heads>()

  constructor(origin: Origin) {
    this.#id = `{"id":"${origin.instance}/`
    this.#origin = `"instance":${quote(origin.instance)},"sidegate":${quote(origin.sidegate)}`
  }

  /**
   * Each writes one record at `offset`, where {@link RECORD_MAX} bytes must be free, and returns where it ends. A decision may refer
   * to an earlier one of the segment, where it is said which that is.
   */
  decision(slab: Buffer, offset: number, seq: number, event: DecisionEvent, segment: Segment | null = null): number {
    const { command, answer, session, sequence } = event
    const form = this.#templates.of(command)
    const at = this.#headsOf(session).decision.write(slab, offset, seq, Math.trunc(event.at), sequence)
    if (event.refusal !== null || event.grant !== null) {
      const end = this.#input(slab, at, form, event)
      return end + slab.write(resultOf(answer, event), end, 'utf8')
    }
    const permitted = this.#results.permitted(answer)
    if (segment === null) return putBytes(slab, this.#input(slab, at, form, event), permitted)
    const { whole } = form
    const end =
      whole !== null && refers(whole, segment, command.shape, permitted) ? this.#refer(slab, at, whole, form, event) : 0
    if (end > 0) return end
    const last = putBytes(slab, this.#input(slab, at, form, event), permitted)
    const length = last - 1 - offset
    if (length <= REFERRED_MAX && !this.#templates.text(command.shape).cut) {
      const as = `,"as":[${seq},${segment.size + offset},${length}`
      const same = Buffer.concat([Buffer.from(`${as}]`, 'latin1'), form.open ? PARAMETERS : END])
      form.whole = { generation: segment.generation, shape: command.shape, permitted, same, other: `${as},"text"]` }
    }
    return last
  }

  outcome(slab: Buffer, offset: number, seq: number, event: OutcomeEvent): number {
    const at = this.#headsOf(event.session).outcome.write(slab, offset, seq, Math.trunc(event.at), event.sequence)
    return this.#outcomes.write(slab, at, event)
  }

  /** A frame's record up to its data, in ASCII; frames.ts writes the rest. */
  frameHead(seq: number, { session, sequence, kind, at }: FrameEvent): string {
    const { own } = this.#headsOf(session)
    return `${this.#begin(seq, 'frame', at)}${own}${sequence},"kind":"${kind}","data":"`
  }

  sessionStart(slab: Buffer, offset: number, seq: number, session: Session): number {
    this.#begun(session, seq)
    const { json } = session.context
    const context = json.length > PART_LENGTH ? stripped(session) : json
    const attributes = bounded(JSON.stringify(session.attributes))
    const rest = `"session":"${session.id}",${this.#origin},${context.slice(1, -1)},"attributes":${attributes}`
    return write(slab, offset, `${this.#begin(seq, 'session-start', session.startedAt)},${rest}}\n`)
  }

  sessionEnd(slab: Buffer, offset: number, seq: number, session: Session, reason: string): number {
    const at = Date.now()
    const begin = `${this.#begin(seq, 'session-end', at)}${this.#headsOf(session).own}${session.sequence}`
    const rest = `,"reason":${bounded(quote(reason))},"usage":${JSON.stringify(session.usage)}`
    return write(slab, offset, `${begin}${rest},"duration":${microseconds(session.startedAt, at)}}\n`)
  }

  /** A record of the journal's own: `instance-start`, `instance-stop`, `gap`, `removed`, `cut`. */
  note(slab: Buffer, offset: number, seq: number, type: string, rest: Readonly<Record<string, Json>>): number {
    const json = JSON.stringify(rest)
    return write(slab, offset, `${this.#begin(seq, type, Date.now())},${json.slice(1)}\n`)
  }

  /** A decision's record from its head to its result. */
  #input(slab: Buffer, offset: number, form: Form, event: DecisionEvent): number {
    const { json, ascii } = this.#templates.text(event.command.shape)
    const end = putBytes(slab, offset + slab.write(json, offset, ascii ? 'latin1' : 'utf8'), form.bytes)
    return form.open ? this.#parametersOf(slab, end, event) : end
  }

  /** What follows the head of a decision that is stored as a reference. 0 where its text is too long for that. */
  #refer(slab: Buffer, offset: number, whole: Whole, form: Form, event: DecisionEvent): number {
    const { shape } = event.command
    let end = 0
    if (shape === whole.shape || recordedText(shape) === recordedText(whole.shape)) {
      end = putBytes(slab, offset, whole.same)
    } else {
      const text = textOf(shape)
      if (text === null) return 0
      end = offset + slab.write(whole.other + text, offset, isAscii(text) ? 'latin1' : 'utf8')
      end = putBytes(slab, end, form.open ? PARAMETERS : END)
    }
    if (!form.open) return end
    end = this.#parametersOf(slab, end, event)
    slab[end] = LINE_FEED
    return end + 1
  }

  /** With the brace that they are the last member before. */
  #parametersOf(slab: Buffer, offset: number, { command, answer }: DecisionEvent): number {
    const end = this.#parameters.write(slab, offset, command.varying['parameters'] as Json, answer.decision)
    slab[end] = BRACE
    return end + 1
  }

  #begin(seq: number, type: string, at: number): string {
    return `${this.#id}${seq}","type":"${type}","seq":${seq},"at":${Math.trunc(at)}`
  }

  #headsOf(session: Session): Heads {
    // A session whose start was never recorded points to no start.
    return this.#heads.get(session) ?? this.#begun(session, 0)
  }

  #begun(session: Session, start: number): Heads {
    const own = `,"session":"${session.id}","start":${start},"sequence":`
    const heads = {
      own,
      decision: new LineHead(this.#id, 'decision', own),
      outcome: new LineHead(this.#id, 'outcome', own),
    }
    this.#heads.set(session, heads)
    return heads
  }
}

/** Whether a decision of this shape and result is, but for text and parameters, the one that is stored whole. */
function refers(whole: Whole, segment: Segment, shape: Shape, permitted: Buffer): boolean {
  if (whole.generation !== segment.generation) return false
  const { protocol, action } = whole.shape
  if (shape !== whole.shape && (shape.protocol !== protocol || shape.action !== action)) return false
  return whole.permitted === permitted || whole.permitted.equals(permitted)
}

function write(slab: Buffer, offset: number, line: string): number {
  const length = Buffer.byteLength(line)
  if (length > RECORD_MAX) throw new RecordError('record.unavailable', `a record of ${length} bytes is too large`)
  return offset + slab.write(line, offset, 'utf8')
}

/** A context that is too large for a record, which only groups, claims and labels can make it: without those. */
function stripped({ context: { principal, workload, target } }: Session): string {
  const claims = { truncated: JSON.parse(cutOf(JSON.stringify(principal))) as Json }
  return JSON.stringify({
    principal: { ...principal, groups: [], claims },
    workload: { ...workload, labels: {} },
    target: { ...target, labels: {} },
  })
}
