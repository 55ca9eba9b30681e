/**
 * Records as lines of JSON (layout: records.ts), written straight into the journal's slab.
 *
 * All but a few numbers of a line was encoded before: the session's, the shape's and the decision's parts are kept by
 * identity, which is meaning.
 */
import type { Shape } from '../gate/command.ts'
import type { Decision } from '../gate/decision.ts'
import type { Json } from '../gate/json.ts'
import type { Answer, DecisionEvent, FrameEvent, OutcomeEvent } from '../gate/ports.ts'
import type { Session } from '../gate/session.ts'
import { RecordError } from './errors.ts'
import { ParameterHash } from './parameters.ts'
import { ascii, quote } from './quote.ts'
import { DECISION_PATH } from './records.ts'
import { REFERRED_MAX } from './reference.ts'
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

interface Result {
  readonly revision: string
  readonly mode: Answer['mode']
  readonly failed: boolean
  /** From the end of `input` to the end of the record, for a permit without a grant. */
  readonly permitted: Buffer
}

/** What a session's records share, with the time that the last of them had. */
interface Head {
  readonly own: string
  at: number
  /** `,"at":…,"session":…,"start":…,"sequence":` */
  text: string
}

export class Encoding {
  readonly #decision: string
  readonly #id: string
  readonly #origin: string
  readonly #parameters = new ParameterHash()
  readonly #templates = new Templates()
  readonly #heads = new WeakMap<Session, Head>()
  readonly #results = new WeakMap<Decision, Result>()

  constructor(origin: Origin) {
    this.#id = `{"id":"${origin.instance}/`
    this.#decision = '","type":"decision","seq":'
    this.#origin = `"instance":${quote(origin.instance)},"sidegate":${quote(origin.sidegate)}`
  }

  /**
   * Each writes one record at `offset`, where {@link RECORD_MAX} bytes must be free, and returns where it ends. A decision may refer
   * to an earlier one of the segment, where it is said which that is.
   */
  decision(slab: Buffer, offset: number, seq: number, event: DecisionEvent, segment: Segment | null = null): number {
    const { command, answer } = event
    const form = this.#templates.of(command)
    const text = '' + seq
    const head = this.#id + text + this.#decision + text + this.#head(event.session, event.at) + event.sequence
    if (event.refusal !== null || event.grant !== null) {
      const end = this.#input(slab, offset, head, form, event)
      return end + slab.write(resultOf(answer, event), end, 'utf8')
    }
    const result = this.#result(answer)
    const { whole } = form
    if (whole !== null && segment !== null && refers(whole, segment, command.shape, result)) {
      const tail = this.#reference(whole, form, event)
      if (tail !== null) return offset + slab.write(head + tail, offset, isAscii(tail) ? 'latin1' : 'utf8')
    }
    const inputEnd = this.#input(slab, offset, head, form, event)
    slab.set(result.permitted, inputEnd)
    const end = inputEnd + result.permitted.length
    const length = end - 1 - offset
    if (segment !== null && length <= REFERRED_MAX && !this.#templates.text(command.shape).cut) {
      const { generation, size } = segment
      const as = `,"as":[${seq},${size + offset},${length}`
      form.whole = { generation, shape: command.shape, result: result.permitted, as }
    }
    return end
  }

  outcome(slab: Buffer, offset: number, seq: number, event: OutcomeEvent): number {
    const { masked, status, code, rows, bytes } = event.outcome
    const text = '' + seq
    const line =
      this.#id +
      text +
      '","type":"outcome","seq":' +
      text +
      this.#head(event.session, event.at) +
      event.sequence +
      (',"status":"' + status + '","code":' + bounded(quote(code)) + ',"rows":' + rows + ',"bytes":' + bytes) +
      (',"duration":' + microseconds(event.decidedAt, event.at)) +
      (masked.length === 0 ? ',"masked":[]}\n' : `,"masked":${bounded(ascii(JSON.stringify(masked)))}}\n`)
    return offset + slab.write(line, offset, 'latin1')
  }

  /** A frame's record up to its data, in ASCII; frames.ts writes the rest. */
  frameHead(seq: number, { session, sequence, kind, at }: FrameEvent): string {
    return `${this.#id}${seq}","type":"frame","seq":${seq}${this.#head(session, at)}${sequence},"kind":"${kind}","data":"`
  }

  sessionStart(slab: Buffer, offset: number, seq: number, session: Session): number {
    const own = `,"session":"${session.id}","start":${seq},"sequence":`
    this.#heads.set(session, { own, at: 0, text: '' })
    const { json } = session.context
    const context = json.length > PART_LENGTH ? stripped(session) : json
    const attributes = bounded(JSON.stringify(session.attributes))
    const rest = `"session":"${session.id}",${this.#origin},${context.slice(1, -1)},"attributes":${attributes}`
    return write(slab, offset, `${this.#begin(seq, 'session-start', session.startedAt)},${rest}}\n`)
  }

  sessionEnd(slab: Buffer, offset: number, seq: number, session: Session, reason: string): number {
    const at = Date.now()
    const begin = this.#id + seq + '","type":"session-end","seq":' + seq + this.#head(session, at) + session.sequence
    const rest = `,"reason":${bounded(quote(reason))},"usage":${JSON.stringify(session.usage)}`
    return write(slab, offset, `${begin}${rest},"duration":${microseconds(session.startedAt, at)}}\n`)
  }

  /** A record of the journal's own: `instance-start`, `instance-stop`, `gap`, `removed`, `cut`. */
  note(slab: Buffer, offset: number, seq: number, type: string, rest: Readonly<Record<string, Json>>): number {
    const json = JSON.stringify(rest)
    return write(slab, offset, `${this.#begin(seq, type, Date.now())},${json.slice(1)}\n`)
  }

  /** A decision's record up to its result. */
  #input(slab: Buffer, offset: number, head: string, form: Form, { command, answer }: DecisionEvent): number {
    const { json, ascii: plain } = this.#templates.text(command.shape)
    let end = offset + slab.write(plain ? head + json : head, offset, 'latin1')
    if (!plain) end += slab.write(json, end, 'utf8')
    slab.set(form.bytes, end)
    end += form.bytes.length
    if (!form.open) return end
    const parameters = bounded(this.#parameters.json(command.varying['parameters'] as Json, answer.decision))
    return end + slab.write(parameters + '}', end, 'latin1')
  }

  /** What follows the head of a decision that is stored as a reference; null where its text is too long for that. */
  #reference({ as, shape }: Whole, form: Form, { command, answer }: DecisionEvent): string | null {
    let tail = as + ']'
    if (command.shape !== shape && recordedText(command.shape) !== recordedText(shape)) {
      const text = textOf(command.shape)
      if (text === null) return null
      tail = as + ',"text"]' + text
    }
    if (!form.open) return tail + '}\n'
    const parameters = bounded(this.#parameters.json(command.varying['parameters'] as Json, answer.decision))
    return tail + ',"parameters":' + parameters + '}\n'
  }

  #begin(seq: number, type: string, at: number): string {
    return `${this.#id}${seq}","type":"${type}","seq":${seq},"at":${Math.trunc(at)}`
  }

  #head(session: Session, at: number): string {
    let head = this.#heads.get(session)
    if (head === undefined) {
      // A session whose start was never recorded points to no start.
      head = { own: `,"session":"${session.id}","start":0,"sequence":`, at: 0, text: '' }
      this.#heads.set(session, head)
    }
    if (head.at !== at) {
      head.at = at
      head.text = `,"at":${Math.trunc(at)}${head.own}`
    }
    return head.text
  }

  #result(answer: Answer): Result {
    const { decision, revision, mode, failed } = answer
    const known = this.#results.get(decision)
    if (known?.revision === revision && known.mode === mode && known.failed === failed) return known
    const permitted = Buffer.from(resultOf(answer, { refusal: null, grant: null }))
    const result = { revision, mode, failed, permitted }
    this.#results.set(decision, result)
    return result
  }
}

/** From the end of `input` to the end of a decision's record. */
function resultOf(answer: Answer, { refusal, grant }: Pick<DecisionEvent, 'refusal' | 'grant'>): string {
  const { decision, revision, mode, failed } = answer
  const bundles = revision === '' ? '{}' : `{"policy":{"revision":${quote(revision)}}}`
  const result = bounded(JSON.stringify(decision))
  const verdict = `"verdict":"${refusal === null ? 'permitted' : 'refused'}","mode":"${mode}"${failed ? ',"failed":true' : ''}`
  const because = refusal === null ? '' : `,"refusal":${bounded(JSON.stringify(refusal))}`
  const by = grant === null ? '' : `,"grant":${bounded(JSON.stringify(grant))}`
  return `}},"path":"${DECISION_PATH}","bundles":${bundles},"result":${result},"custom":{${verdict}${because}${by}}}\n`
}

/** Whether a decision of this shape and result is, but for text and parameters, the one that is stored whole. */
function refers(whole: Whole, segment: Segment, shape: Shape, { permitted }: Result): boolean {
  if (whole.generation !== segment.generation) return false
  const { protocol, action } = whole.shape
  if (shape !== whole.shape && (shape.protocol !== protocol || shape.action !== action)) return false
  return whole.result === permitted || whole.result.equals(permitted)
}

function write(slab: Buffer, offset: number, line: string): number {
  const length = Buffer.byteLength(line)
  if (length > RECORD_MAX) throw new RecordError('record.unavailable', `a record of ${length} bytes is too large`)
  return offset + slab.write(line, offset, 'utf8')
}

function microseconds(from: number, to: number): number {
  return Math.max(0, Math.round((to - from) * 1_000))
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
