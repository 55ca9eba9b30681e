/**
 * Acting as the agent's principal, so that the API server authorises and audits it and not the sidecar:
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
 */
import type { Principal } from '../../../gate/principal.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** In `impersonatedUser.extra` of the audit log: who delegated to the user, nearest first, each as `SUBJECT|ISSUER`. */
export const DELEGATES = 'sidegate/delegates'
const DELEGATES_HEADER = `impersonate-extra-${encodeURIComponent(DELEGATES).toLowerCase()}`

/** The cluster's own names: an issuer of tokens that could give them out would be the cluster's administrator. */
const RESERVED = 'system:'
const SERVICE_ACCOUNT = /^system:serviceaccount:[a-z0-9]([-a-z0-9]*[a-z0-9])?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/
/** A header value of bytes that no party to HTTP changes: no controls, and no blanks at its ends (RFC 9110, section 5.5). */
// oxlint-disable-next-line no-control-regex -- these are what must not be in it
const UNSENDABLE = /^\s|\s$|[\u0000-\u001f\u007f]/

/** Why nobody may act upstream under this principal's name; null where somebody may. */
export function checkImpersonation({ subject, groups }: Principal): Refusal | null {
  if (subject === '' || !sendable(subject)) return restricted('the name of the principal cannot be impersonated')
  if (subject.startsWith(RESERVED) && !SERVICE_ACCOUNT.test(subject)) {
    return restricted(`${JSON.stringify(subject)} is a name of the cluster's own, and cannot be impersonated`)
  }
  for (const group of groups) {
    if (group === '' || !sendable(group)) return restricted('a group of the principal cannot be impersonated')
    if (group.startsWith(RESERVED)) {
      return restricted(`${JSON.stringify(group)} is a group of the cluster's own, and cannot be impersonated`)
    }
  }
  return null
}

/** Of a principal that {@link checkImpersonation} has nothing against. */
export function impersonation({ subject, groups, chain }: Principal): Record<string, string | string[]> {
  return {
    'impersonate-user': bytes(subject),
    ...(groups.length === 0 ? {} : { 'impersonate-group': groups.map(bytes) }),
    ...(chain.length === 0
      ? {}
      : { [DELEGATES_HEADER]: chain.map(({ subject: by, issuer }) => `${escaped(by)}|${escaped(issuer)}`) }),
  }
}

/** The API server reads UTF-8; HTTP libraries write each character of a header as one byte. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function sendable(text: string): boolean {
  return text.isWellFormed() && !UNSENDABLE.test(text)
}

/** Visible ASCII stays as it is, but for what divides the two and what escapes. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^!-$&-{}~]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}

function restricted(message: string): Refusal {
  return refusal('identity.restricted', message, 'present another identity')
}
