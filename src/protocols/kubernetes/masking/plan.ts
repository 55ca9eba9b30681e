/** How a decision's masks are kept for what a request returns. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import type { Request } from '../request/facts.ts'

/** Rewrites one response, chunk by chunk. */
export interface Rewriter {
  /** What the agent gets for it; perhaps nothing yet. Throws {@link Unmaskable}. */
  chunk(bytes: Buffer): readonly Uint8Array[]
  end(): readonly Uint8Array[]
}

/** What was sent cannot be inspected, so that nothing of it may pass. */
export class Unmaskable extends Error {
  override readonly name = 'Unmaskable'
  readonly code = 'obligation.unsupported'
}

export interface MaskPlan {
  /** Null where the response passes as it is; a refusal where it cannot be inspected. */
  rewriter(status: number, contentType: string): Rewriter | Refusal | null
  /** Names of what was masked so far, never values. */
  readonly masked: readonly string[]
}

export const NO_MASKS: MaskPlan = { rewriter: () => null, masked: Object.freeze([]) }

/** A refusal where the decision's masks cannot be kept for such a request. */
export function planMasks(request: Request, decision: Decision, _methods: MaskMethods): MaskPlan | Refusal {
  if (decision.masks.length === 0) return NO_MASKS
  return refusal(
    'obligation.unsupported',
    `what ${request.text} returns cannot be masked`,
    'ask for what needs no mask',
  )
}
