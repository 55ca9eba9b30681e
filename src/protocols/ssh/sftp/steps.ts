/** What an inspector wants done, in this order. */
import type { Command } from '../../../gate/command.ts'
import type { Permit } from '../../../gate/gate.ts'
import type { Outcome } from '../../../gate/ports.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import type { Origination } from './origination.ts'
import type { ProtocolViolation } from './packets/violation.ts'
import type { Transfer } from './transfer.ts'

/** Have the gate rule on a command. Always the last step: nothing follows until the verdict was told to `ruled`. */
export interface Judge {
  readonly kind: 'judge'
  readonly command: Command
  /** What the permit is to contain. */
  readonly bytes: Buffer
  /** More goes by the permit than these bytes: the gate has to be told how to take it back, which is told to `revoked`. */
  readonly streams: boolean
}

export type Step =
  | Judge
  /** Send the permit's own bytes: `permit.take()`. */
  | { readonly kind: 'forward'; readonly permit: Permit }
  /** Send a packet on a handle that was opened under the permit: `permit.pass(bytes)`. */
  | { readonly kind: 'stream'; readonly permit: Permit; readonly bytes: Buffer }
  | { readonly kind: 'originate'; readonly bytes: Origination }
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  /** Record a refusal of Sidegate's own; the agent has been answered. */
  | { readonly kind: 'refuse'; readonly command: Command; readonly because: Refusal }
  | { readonly kind: 'settle'; readonly permit: Permit; readonly outcome: Outcome }
  /** A handle was closed: for the transcript, before its outcome. */
  | { readonly kind: 'transfer'; readonly permit: Permit; readonly transfer: Transfer }
  /** End the channel: nothing more can be trusted to be a packet. The last step of all. */
  | { readonly kind: 'violation'; readonly by: 'agent' | 'server'; readonly violation: ProtocolViolation }
