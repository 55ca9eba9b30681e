/** Refusals as the API server's own `Status` (meta/v1), which kubectl and client libraries print well. */
import { journalRefusal, type Refusal, refusal } from '../../gate/refusal.ts'
import type { RequestFacts } from './request/facts.ts'

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Record<string, never>
  readonly status: 'Failure'
  readonly reason: string
  readonly code: number
  readonly message: string
  readonly details: {
    readonly name?: string
    readonly group?: string
    /** The plural resource, as the API server has it in its own refusals. */
    readonly kind?: string
    readonly causes: readonly { readonly reason: string; readonly message: string }[]
  }
}

/**
 * By a code's beginning, the longest that fits. Nothing here is 429 or has a Retry-After: client-go would ask ten times more
 * by itself. 401 is for identity alone: kubectl says of it that one must log in.
 */
const HTTP: readonly (readonly [string, number, string])[] = [
  ['command.unparsable', 400, 'BadRequest'],
  ['command.too-large', 413, 'RequestEntityTooLarge'],
  ['command.media-type', 415, 'UnsupportedMediaType'],
  ['obligation.write-back', 422, 'Invalid'],
  ['protocol.violation', 400, 'BadRequest'],
  ['record.', 503, 'ServiceUnavailable'],
  ['policy.unavailable', 503, 'ServiceUnavailable'],
  ['upstream.', 503, 'ServiceUnavailable'],
  ['identity.', 401, 'Unauthorized'],
]
const FORBIDDEN = [403, 'Forbidden'] as const

export function httpOf(code: string): readonly [number, string] {
  for (const [beginning, status, reason] of HTTP) if (code.startsWith(beginning)) return [status, reason]
  return FORBIDDEN
}

/** kubectl prints the message and none of the causes, so the code stands in both. */
export function statusOf({ code, message, remedy }: Refusal, facts: RequestFacts | null = null): Status {
  const [http, reason] = httpOf(code)
  const told = `${subjectOf(facts, http)}[${code}] ${message}${remedy === '' ? '' : `; ${remedy}`}`
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason,
    code: http,
    message: told,
    details: {
      ...(facts?.resourceRequest === true ? { name: facts.name, group: facts.group, kind: facts.resource } : {}),
      causes: [{ reason: http === 403 ? 'PolicyDenied' : reason, message: code }],
    },
  }
}

/** The API server's own words: `secrets "db" is forbidden: `. */
function subjectOf(facts: RequestFacts | null, http: number): string {
  if (http !== 403 || facts === null || !facts.resourceRequest) return ''
  const { resource, group, name } = facts
  return `${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` "${name}"`} is forbidden: `
}

/** A journal that failed is told as that: clients may ask again once it is mended. */
export function failureOf(error: unknown): Refusal {
  const failed = refusal('policy.error', 'the request could not be judged', 'tell whoever runs the sidecar')
  return journalRefusal(error) ?? failed
}
