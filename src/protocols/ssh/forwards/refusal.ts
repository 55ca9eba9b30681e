/** Refusals of channels in SSH's own form: a reason code and a description (RFC 4254, section 5.1). */
import type { Refusal } from '../../../gate/refusal.ts'
import { OPEN_FAILURE } from '../channels/messages.ts'
import { failureText } from '../refusal.ts'

export interface OpenFailure {
  readonly reason: number
  readonly description: string
}

/** Reason codes by the refusal's code; all others are "administratively prohibited". */
const REASONS: ReadonlyMap<string, number> = new Map([
  ['session.limit', OPEN_FAILURE.RESOURCE_SHORTAGE],
  ['upstream.unavailable', OPEN_FAILURE.CONNECT_FAILED],
  ['upstream.untrusted', OPEN_FAILURE.CONNECT_FAILED],
  ['upstream.rejected', OPEN_FAILURE.CONNECT_FAILED],
])

/** What records call the reasons. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, 'administratively-prohibited'],
  [OPEN_FAILURE.CONNECT_FAILED, 'connect-failed'],
  [OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE, 'unknown-channel-type'],
  [OPEN_FAILURE.RESOURCE_SHORTAGE, 'resource-shortage'],
])

/** Clients print it on one line. */
const LONGEST_DESCRIPTION = 512

/** `CODE: message (remedy)`. */
export function openFailure(because: Refusal): OpenFailure {
  const { code, remedy } = because
  const description = `${failureText(because)}${remedy === '' ? '' : ` (${remedy})`}`
  return { reason: REASONS.get(code) ?? OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, description: oneLine(description) }
}

/** The other side's own failure, made safe for a terminal. */
export function relayedFailure(reason: number, description: string): OpenFailure {
  return { reason: NAMES.has(reason) ? reason : OPEN_FAILURE.CONNECT_FAILED, description: oneLine(description) }
}

export function reasonName(reason: number): string {
  return NAMES.get(reason) ?? 'connect-failed'
}

function oneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .toWellFormed()
    .slice(0, LONGEST_DESCRIPTION)
}
