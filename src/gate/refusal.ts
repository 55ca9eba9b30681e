import type { Decision, Reason } from './decision.ts'

/** What the agent is told when a command is not forwarded; each protocol words it in its own form. */
export type Refusal = Reason

/** Every code that Sidegate itself refuses with. Codes of policies are theirs, and never begin with these words. */
export const REFUSALS = {
  'policy.unavailable': 'no policy is active yet',
  'policy.error': 'the policy could not be evaluated',
  'policy.invalid-decision': 'the policy gave an answer of the wrong form',
  'policy.no-match': 'no policy allows this',
  'command.unparsable': 'the command could not be understood',
  'command.too-large': 'the command is larger than a limit allows',
  'command.unsupported': 'the command is of a kind that cannot be governed',
  'command.media-type': 'the representation cannot be inspected',
  'obligation.unsupported': 'the policy asks for something that cannot be kept for this command',
  'obligation.write-back': 'a masked value was sent back',
  'obligation.limit': 'a limit that the policy set was reached',
  'record.unavailable': 'the decision could not be recorded',
  'record.spool-full': 'the records that wait to be shipped have filled their space',
  'approval.unavailable': 'this needs an approval, and none can be asked for here',
  'approval.denied': 'the approval was denied',
  'approval.timeout': 'nobody approved in time',
  'approval.withdrawn': 'the request for approval was withdrawn',
  'policy.revoked': 'the policy changed, and no longer permits this',
  'session.ended': 'an operator ended the session',
  'session.limit': 'a limit of the session was reached',
  'target.forbidden': 'this is not offered by the target',
  'upstream.unavailable': 'the target cannot be reached',
  'upstream.untrusted': 'the target could not prove who it is',
  'upstream.rejected': 'the target did not accept the credential of the sidecar',
  'identity.missing': 'no proof of identity was presented',
  'identity.invalid': 'the proof of identity was not accepted',
  'identity.expired': 'the proof of identity has expired',
  'identity.restricted': 'the proof of identity does not permit this',
  'protocol.violation': 'the bytes do not follow the protocol',
} as const satisfies Record<string, string>
export type RefusalCode = keyof typeof REFUSALS

/** A refusal of Sidegate's own. */
export function refusal(code: RefusalCode, message: string = REFUSALS[code], remedy = ''): Refusal {
  return Object.freeze({ code, message, remedy, policy: '' })
}

/** The refusal that a denying decision amounts to: its first reason, which the combiner puts first for a reason. */
export function refusalOf(decision: Decision): Refusal {
  return decision.reasons[0] ?? refusal('policy.invalid-decision')
}

/** What an agent is told where the journal failed; null where it was something else that did. */
export function journalRefusal(error: unknown): Refusal | null {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'record.unavailable' || code === 'record.spool-full' ? refusal(code) : null
}
