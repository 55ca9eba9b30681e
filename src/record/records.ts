/**
 * The records: what a line of the journal, and the `record` field of a Redis entry, says. Version 1.
 *
 * Every record is one line of JSON. Its first keys are always `id`, `type`, `seq`, `at`, in this order, so that a reader can tell what a
 * line is without parsing it. Keys are only ever added; a reader ignores those that it does not know.
 *
 * A session's context (principal, workload, target) is recorded once, in its `session-start`; every other record of the session
 * points to it with `session` and `start`. {@link decisionLog} puts the two together as an OPA decision-log event.
 */
import type { Decision } from '../gate/decision.ts'
import type { Json, JsonObject } from '../gate/json.ts'
import type { FrameKind, Grant, OutcomeStatus } from '../gate/ports.ts'
import type { Principal, TargetIdentity, Workload } from '../gate/principal.ts'
import type { Refusal } from '../gate/refusal.ts'
import type { Usage } from '../gate/session.ts'

/** Types of this version. Reserved for later ones: `approval`, `policy`, `checkpoint`. */
export const RECORD_TYPES = [
  'instance-start',
  'instance-stop',
  'session-start',
  'decision',
  'outcome',
  'frame',
  'session-end',
  'gap',
  'removed',
  'cut',
] as const
export type RecordType = (typeof RECORD_TYPES)[number]

interface Base<Type extends RecordType> {
  /** `<instance>/<seq>`: unique in the fleet, and the same wherever the record is stored. OPA's `decision_id`. */
  readonly id: string
  readonly type: Type
  /** The record's place in its instance's journal, from 1, growing by one; where it does not, a `gap` record says why. */
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
}

interface OfSession<Type extends RecordType> extends Base<Type> {
  readonly session: string
  /** `seq` of the session's `session-start`. */
  readonly start: number
}

/** The writer started: on a new journal, or after whatever ended it. */
export interface InstanceStart extends Base<'instance-start'> {
  readonly instance: string
  readonly sidegate: string
  readonly pid: number
  readonly durability: 'written' | 'synced'
}

/** The writer stopped in good order. An instance whose last record is another one was killed. */
export interface InstanceStop extends Base<'instance-stop'> {
  readonly instance: string
}

export interface SessionStart extends Base<'session-start'> {
  readonly session: string
  readonly instance: string
  readonly sidegate: string
  readonly principal: Principal
  readonly workload: Workload
  readonly target: TargetIdentity
  readonly attributes: Readonly<Record<string, string>>
}

/** Stands for a part that is larger than a record may keep. `bytes` and `sha256` are of the whole, as UTF-8. */
export interface Cut {
  readonly bytes: number
  readonly sha256: string
}

export interface RecordedCommand {
  readonly protocol: string
  readonly action: string
  readonly text: string
  /** Present when `text` is only the beginning. */
  readonly truncated?: Cut
  /** The shape's facts, or only their size and hash. */
  readonly detail: JsonObject | { readonly truncated: Cut }
  /**
   * Facts of this execution, which policy saw merged into `detail`; parameters as `{ type, hash }`
   * (a keyed hash, by which equal values of one run of the sidecar can be told), or as the level `full` keeps them.
   */
  readonly varying?: JsonObject
}

/** A decision, in OPA's decision-log words: `bundles`, `path`, `input`, `result`, `custom`. */
export interface DecisionRecord extends OfSession<'decision'> {
  /** The command's number in its session, from 1: `input.session.sequence`. */
  readonly sequence: number
  /**
   * The journal stores of this decision only what it does not share with an earlier one: position, place and length of that, and
   * `text` where the text is its own (reference.ts). Here nothing is missing; with it the stored bytes can be made again.
   */
  readonly as?: readonly [seq: number, offset: number, length: number, own?: 'text']
  readonly input: { readonly command: RecordedCommand }
  readonly path: string
  readonly bundles: { readonly policy?: { readonly revision: string } }
  readonly result: Decision
  readonly custom: {
    readonly verdict: 'permitted' | 'refused'
    /** With `observe`, `result` may say deny of what was permitted. */
    readonly mode: 'enforce' | 'observe'
    /** `result` is a failure's denial, not policy's own. */
    readonly failed?: true
    readonly refusal?: Refusal
    readonly grant?: Grant
  }
}

export interface OutcomeRecord extends OfSession<'outcome'> {
  /** The decision's. */
  readonly sequence: number
  readonly status: OutcomeStatus
  readonly code: string
  readonly rows: number
  readonly bytes: number
  /** Microseconds from the decision, as precise as the clock that the gate read. */
  readonly duration: number
  readonly masked: readonly string[]
}

/** A piece of the recording of what a permitted command did. */
export interface FrameRecord extends OfSession<'frame'> {
  /** The decision's. */
  readonly sequence: number
  readonly kind: FrameKind
  /** Base64 of the bytes, whose form hangs on `kind`: `FrameEvent` in gate/ports.ts. */
  readonly data: string
}

export interface SessionEnd extends OfSession<'session-end'> {
  readonly reason: string
  /** How many commands the session had: the last `sequence`. */
  readonly sequence: number
  readonly usage: Usage
  /** Microseconds. */
  readonly duration: number
}

/** Positions that were given out and never stored, because the write failed. Every command among them was refused. */
export interface Gap extends Base<'gap'> {
  /** Both 0 when only outcomes or ends were lost that had no position. */
  readonly first: number
  readonly last: number
  /** Outcomes and session ends that came while nothing could be written. */
  readonly lost: number
  /** The system's word: `ENOSPC`. */
  readonly error: string
}

/** The oldest segment was removed to make room. */
export interface Removed extends Base<'removed'> {
  readonly first: number
  readonly last: number
  readonly bytes: number
  /** Everything in it had been shipped. */
  readonly shipped: boolean
}

/** What a crash left half-written at the journal's end was cut off. Nothing in it was ever confirmed. */
export interface CutTail extends Base<'cut'> {
  readonly file: string
  readonly offset: number
  readonly bytes: number
  readonly sha256: string
}

export type StoredRecord =
  | InstanceStart
  | InstanceStop
  | SessionStart
  | DecisionRecord
  | OutcomeRecord
  | FrameRecord
  | SessionEnd
  | Gap
  | Removed
  | CutTail

/** What is shown as a line of its own: all but outcomes, which belong to their decisions, and recordings. */
export type Told = Exclude<StoredRecord, OutcomeRecord | FrameRecord>

export const DECISION_PATH = 'sidegate/decision'

/** A decision as an event of OPA's decision log. `start` is its session's, null where that is not at hand. */
export function decisionLog(record: DecisionRecord, start: SessionStart | null): Record<string, Json | object> {
  const { truncated: _truncated, varying, ...command } = record.input.command
  return {
    decision_id: record.id,
    timestamp: new Date(record.at).toISOString(),
    labels: start === null ? {} : { id: start.instance, version: start.sidegate, app: 'sidegate' },
    bundles: record.bundles,
    path: record.path,
    input: {
      version: 1,
      command: { ...command, detail: { ...command.detail, ...varying } },
      ...(start === null ? {} : { principal: start.principal, workload: start.workload, target: start.target }),
      session: { id: record.session, sequence: record.sequence },
    },
    result: record.result,
    custom: { ...record.custom, seq: record.seq },
  }
}
