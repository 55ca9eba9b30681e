import type { Command } from './command.ts'
import type { ApprovalDemand, Decision } from './decision.ts'
import type { Refusal } from './refusal.ts'
import type { Session } from './session.ts'

/** A grant, as `input.approval`. */
export interface Grant {
  readonly by: readonly string[]
  /** RFC 3339. */
  readonly at: string
  /** The codes of the demands that it grants. */
  readonly codes: readonly string[]
}

/** What policy is asked. `inputOf` in input.ts gives its full form. */
export interface Question {
  readonly session: Session
  readonly command: Command
  /** `input.session.sequence`: the command's number in its session, from 1. */
  readonly sequence: number
  readonly grant: Grant | null
}

/** What policy answered. The decision may be shared between questions: identity is meaning, as with shapes. */
export interface Answer {
  readonly decision: Decision
  /** The revision of the bundle that answered; empty when there was none. */
  readonly revision: string
  /** With `observe`, policy's own `deny` and `approve` are recorded and not enforced; all else still is. */
  readonly mode: 'enforce' | 'observe'
  /** The denial is not policy's own but a failure's (`policy.error` and its like): it holds in every mode. */
  readonly failed: boolean
}

export interface PolicyPort {
  /** Never throws and never waits: a failure of any part is a denial with its own code. */
  decide(question: Question): Answer
  /** Whether answers may hang on `input.command.detail[key]`; true where that is not known. */
  reads(key: string): boolean
  /** Calls back after each activation of another bundle. Returns how to stop that. */
  onChange(listener: () => void): () => void
}

/** A place in the journal, growing by one a record. */
export type Position = number

export interface DecisionEvent {
  readonly session: Session
  readonly sequence: number
  readonly command: Command
  readonly answer: Answer
  readonly grant: Grant | null
  /** Why it is not forwarded; null when it is. */
  readonly refusal: Refusal | null
  /** Milliseconds since 1970. */
  readonly at: number
}

export const OUTCOMES = ['completed', 'failed', 'skipped', 'cancelled', 'refused', 'lost'] as const
export type OutcomeStatus = (typeof OUTCOMES)[number]

/** What became of a permitted command. Counts are of what the agent was sent. */
export interface Outcome {
  /** `skipped`: the target never ran it; `refused`: an obligation stopped it under way; `lost`: the connection ended first. */
  readonly status: OutcomeStatus
  /** The target's own code or tag: a SQLSTATE, an exit status, an HTTP status. Never free text. */
  readonly code: string
  readonly rows: number
  readonly bytes: number
  /** Names of what was masked, never values. */
  readonly masked: readonly string[]
}

export interface OutcomeEvent {
  readonly session: Session
  readonly sequence: number
  readonly outcome: Outcome
  /** Milliseconds since 1970, of the decision and of now. */
  readonly decidedAt: number
  readonly at: number
}

/** What a piece of a recording is; `FrameEvent.data` says in what form. */
export const FRAME_KINDS = ['input', 'output', 'error', 'resize', 'signal', 'exit', 'marker', 'transfer'] as const
export type FrameKind = (typeof FRAME_KINDS)[number]

/** A piece of the recording of what a permitted command does. */
export interface FrameEvent {
  readonly session: Session
  /** The command's. */
  readonly sequence: number
  readonly kind: FrameKind
  /**
   * Of `input`, `output` and `error` the bytes as they came; of `resize` the terminal's columns and rows (`80x24`), of `signal` its name without
   * SIG, of `exit` `{"status":0}` or `{"signal":"TERM"}`, of `transfer` an entry of a transcript as JSON, of `marker` a text. Copied.
   */
  readonly data: Uint8Array
  /** Milliseconds since 1970. */
  readonly at: number
}

/**
 * `sessionStart`, `decision` and `frame` throw an error whose `code` is `record.unavailable` or `record.spool-full` when nothing can
 * be recorded. `outcome` and `sessionEnd` never throw, since what they tell has happened: a lost one is counted in a gap record.
 */
export interface RecordPort {
  sessionStart(session: Session): Position
  decision(event: DecisionEvent): Position
  outcome(event: OutcomeEvent): Position
  frame(event: FrameEvent): Position
  sessionEnd(session: Session, reason: string): Position
  /** Everything up to here is as durable as configured: `write(2)` has returned, or `fdatasync` has. */
  readonly durable: Position
  /** Calls back, perhaps at once, when all that was appended so far is durable, or with the error that prevents it. In order. */
  whenDurable(done: (error: Error | null) => void): void
}

/** A command that waits for people. */
export interface Hold {
  readonly session: Session
  readonly command: Command
  readonly sequence: number
  readonly demands: readonly ApprovalDemand[]
  /** Aborts when the agent leaves or cancels: the request is withdrawn. */
  readonly signal: AbortSignal
}

export interface ApprovalPort {
  ask(hold: Hold): Promise<{ readonly grant: Grant } | { readonly refusal: Refusal }>
}
