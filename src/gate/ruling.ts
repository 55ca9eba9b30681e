/** What the answers of the policy amount to for one request. */
import type { Command } from './command.ts'
import type { Decision } from './decision.ts'
import type { Answer, Grant } from './ports.ts'
import { type Refusal, refusal, refusalOf } from './refusal.ts'
import type { Request } from './request.ts'
import type { Session } from './session.ts'

/** By the command's place in its request; null where nobody was asked. */
export type Grants = readonly (Grant | null)[] | null

/** What the gate makes of one answer of the policy. */
export type Ruling =
  | { readonly kind: 'allow' }
  | { readonly kind: 'hold'; readonly demands: Decision['approvals'] }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }

const ALLOW: Ruling = { kind: 'allow' }

/** One answer, and whether what it demands can be kept. A grant counts for what it names; what is missing then is denied. */
export function weigh(answer: Answer, request: Request, index: number, grant: Grant | null): Ruling {
  const { decision, mode, failed } = answer
  const enforced = failed || mode === 'enforce'
  if (decision.effect === 'deny' && enforced) return { kind: 'refuse', refusal: refusalOf(decision) }
  if (decision.effect === 'approve' && enforced) {
    const missing = decision.approvals.filter((demand) => !(grant?.codes.includes(demand.code) ?? false))
    if (decision.approvals.length === 0) return { kind: 'refuse', refusal: refusal('policy.invalid-decision') }
    if (missing.length > 0 && grant !== null) return { kind: 'refuse', refusal: refusal('approval.denied') }
    if (missing.length > 0) return { kind: 'hold', demands: missing }
  }
  const unsupported = request.honour(request.commands[index] as Command, decision, index)
  return unsupported === null ? ALLOW : { kind: 'refuse', refusal: unsupported }
}

/** Why the whole request is refused; null when all of it is allowed. */
export function refusalAmong(rulings: readonly Ruling[]): Refusal | null {
  let whole: Refusal | null = null
  for (const ruling of rulings) {
    if (ruling.kind === 'refuse') return ruling.refusal
    // Asked for only now, by a policy that came after people were asked: nobody granted it.
    if (ruling.kind === 'hold') whole = refusal('approval.unavailable')
  }
  return whole
}

/** A running stream was set up for its first obligations; others, and a recording of more, would need it set up anew. */
export function sameObligations(now: Decision, then: Decision | undefined): boolean {
  if (now.record === 'full' && then?.record !== 'full') return false
  return JSON.stringify([now.masks, now.limits]) === JSON.stringify([then?.masks, then?.limits])
}

/** The first of the commands that the principal's proof rules out takes the others with it. */
export function forbiddenAmong({ forbids }: Session, commands: readonly Command[]): Refusal | null {
  if (forbids === null) return null
  for (const command of commands) {
    const forbidden = forbids(command)
    if (forbidden !== null) return forbidden
  }
  return null
}
