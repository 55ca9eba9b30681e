/**
 * Headers, by allow-list in both directions. What an agent calls itself, or claims to be on behalf of whom, never reaches the
 * API server; what it sent twice is refused, since two readers would take different ones.
 */
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** Lower-case names to values, in the order in which they came. */
export type Headers = ReadonlyMap<string, string>

/** May come more than once, joined by commas (RFC 9110, section 5.3). */
const LISTS: ReadonlySet<string> = new Set([
  'accept',
  'connection',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'x-stream-protocol-version',
])
/** What goes on to the API server as it is. */
const FORWARDED = ['user-agent', 'if-match', 'if-none-match', 'if-modified-since'] as const
/** What comes back from it. Lengths are the transport's. */
const RETURNED: ReadonlySet<string> = new Set([
  'content-type',
  // None is asked for; what stands behind a proxy may send one all the same.
  'content-encoding',
  'audit-id',
  'warning',
  'retry-after',
  'etag',
  'last-modified',
  'cache-control',
  'vary',
  'date',
  'location',
  'x-kubernetes-pf-flowschema-uid',
  'x-kubernetes-pf-prioritylevel-uid',
])
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** From what Node read (`rawHeaders`: names and values in turn). */
export function readHeaders(raw: readonly string[]): Headers | Refusal {
  const headers = new Map<string, string>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase()
    const value = raw[at + 1] as string
    const known = headers.get(name)
    // Proxies and servers differ in whether `X_Remote_User` is `X-Remote-User`.
    if (!TOKEN.test(name) || name.includes('_')) return malformed(`the header ${JSON.stringify(name)} is ambiguous`)
    if (known !== undefined && !LISTS.has(name)) return malformed(`the header ${name} is there more than once`)
    headers.set(name, known === undefined ? value : `${known}, ${value}`)
  }
  if (!headers.has('host')) return malformed('the request has no Host')
  if (headers.has('transfer-encoding') && headers.has('content-length')) {
    return malformed('the request has two lengths')
  }
  const coding = headers.get('transfer-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return malformed('the transfer coding is not chunked')
  if (headers.has('trailer') || headers.has('te')) return malformed('trailers are not offered')
  return headers
}

/** Impersonation and front-proxy headers: whoever sends them wants to be somebody else, and is told that it did not work. */
export function checkClaims(headers: Headers): Refusal | null {
  for (const name of headers.keys()) {
    if (name.startsWith('impersonate-') || name.startsWith('x-remote-')) {
      return refusal(
        'command.unsupported',
        `the header ${name} is not offered: agents act as themselves`,
        'leave it out',
      )
    }
  }
  return null
}

/** The bearer token; null where there is none. */
export function bearerOf(headers: Headers): string | null {
  const match = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(headers.get('authorization')?.trim() ?? '')
  return match?.[1] ?? null
}

/** What goes upstream of the agent's own headers, with a representation that can be inspected. */
export function forwardedHeaders(headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {
    accept: acceptOf(headers.get('accept') ?? ''),
    'accept-encoding': 'identity',
  }
  for (const name of FORWARDED) {
    const value = headers.get(name)
    if (value !== undefined) forwarded[name] = value
  }
  return forwarded
}

/**
 * JSON, plain text for logs and health, and OpenAPI documents in protobuf: those describe the API and hold no object, and
 * kubectl reads `/openapi/v2` in no other form.
 */
const INSPECTED =
  /^(application\/json|text\/plain|application\/com\.github\.proto-openapi\.spec\.v[23]@v1\.0\+protobuf)\s*(;|$)/i

/** Those clauses of an Accept, with what they ask of it (`as=Table`, `stream=watch`). */
export function acceptOf(accept: string): string {
  const kept = accept
    .split(',')
    .map((clause) => clause.trim())
    .filter((clause) => INSPECTED.test(clause))
  const any = accept === '' || accept.split(',').some((clause) => clause.trim().startsWith('*/*'))
  if (kept.length === 0) return any ? 'application/json, */*' : 'application/json'
  return any ? [...kept, '*/*'].join(', ') : kept.join(', ')
}

/** Webhooks warn in words of their own; 299 is a miscellaneous warning. */
const WITHHELD = '299 - "what the API server warns of may quote masked values, and is withheld"'

/** From what undici read. `quotes`: what is said beside the answer may quote what was masked in it. */
export function returnedHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  quotes = false,
): Record<string, string | string[]> {
  const returned: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && RETURNED.has(name.toLowerCase())) returned[name.toLowerCase()] = value
  }
  if (quotes && returned['warning'] !== undefined) returned['warning'] = WITHHELD
  return returned
}

function malformed(message: string): Refusal {
  return refusal('command.unparsable', message, 'send the request as HTTP libraries do')
}
