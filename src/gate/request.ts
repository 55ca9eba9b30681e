import type { Command } from './command.ts'
import type { Decision } from './decision.ts'
import type { Refusal } from './refusal.ts'

/** What a protocol asks leave to forward: one message, or one run of messages, with all commands in it. */
export interface Request {
  /** Judged one by one, permitted or refused together. At least one. */
  readonly commands: readonly Command[]
  /** Exactly what will go upstream. Nobody may write to it any more. */
  readonly bytes: Uint8Array
  /** Says whether what the decision demands (masks, limits) can be kept for this command; null says that it can. */
  honour(command: Command, decision: Decision, index: number): Refusal | null
  /** Present when more bytes follow under the same permit (COPY, a shell, a watch): called when policy takes it back. */
  readonly revoked?: (refusal: Refusal) => void
  /** Aborts when the agent leaves or cancels, which withdraws a hold. */
  readonly signal?: AbortSignal
  /** Told once when the command begins to wait for people. */
  readonly held?: (demands: Decision['approvals']) => void
}
