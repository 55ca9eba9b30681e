/** Status and control for whoever holds the token. On the loopback, which the agent shares: hence the token. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Action, json, type Page, type Reply, servePages } from './http.ts'
import { NONCE, proofOf } from './proof.ts'

export interface AdminSources {
  /** Reads the token anew, so that a rotated one holds at once. */
  token(): Promise<string>
  status(): Reply
  sessions(): Reply
  /** Ends one session; the reason is for the record. */
  end(session: string, reason: string): Reply
}

const CHALLENGE = { 'www-authenticate': 'Bearer realm="sidegate"' }

export function serveAdmin(listen: { readonly host: string; readonly port: number }, sources: AdminSources) {
  const guarded = async (request: IncomingMessage, page: () => Reply | Promise<Reply>): Promise<Reply> =>
    (await holdsToken(request, sources))
      ? await page()
      : { ...json(401, { error: 'a bearer token is needed' }), headers: CHALLENGE }
  const prove = async ({ url = '' }: IncomingMessage): Promise<Reply> => {
    const [, nonce = ''] = /\?nonce=(\w+)$/.exec(url) ?? []
    if (!NONCE.test(nonce)) return json(400, { error: 'a nonce of 64 hexadecimal digits is needed' })
    return json(200, { proof: proofOf(await sources.token(), nonce) })
  }
  const pages = new Map<string, Page>([
    ['/proof', prove],
    ['/status', (request) => guarded(request, () => sources.status())],
    ['/sessions', (request) => guarded(request, () => sources.sessions())],
  ])
  const end: Action = {
    path: /^\/sessions\/([0-9a-f-]{1,64})\/end$/,
    act: (request, [session = ''], body) =>
      guarded(request, async () => {
        const reason = reasonIn(await body())
        if (reason === null) return json(400, { error: REASON })
        return sources.end(session, reason)
      }),
  }
  return servePages(listen, pages, [end])
}

/** A sentence for the record. */
const LONGEST_REASON = 500
const REASON = `the body must be {"reason": "…"}: a text of 1 to ${LONGEST_REASON} characters, without line ends`

/** Null where the body gives none. */
function reasonIn(body: string): string | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return null
  }
  if (typeof parsed !== 'object' || parsed === null || !('reason' in parsed)) return null
  const { reason } = parsed
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > LONGEST_REASON) return null
  return /\p{Cc}/u.test(reason) || !reason.isWellFormed() ? null : reason
}

/** Digests are compared, so that neither the token's content nor its length shows in the time it takes. */
async function holdsToken(request: IncomingMessage, sources: AdminSources): Promise<boolean> {
  const [, presented] = /^Bearer ([\x21-\x7e]+)$/.exec(request.headers.authorization ?? '') ?? []
  if (presented === undefined) return false
  const digest = (token: string) => createHash('sha256').update(token).digest()
  return timingSafeEqual(digest(presented), digest(await sources.token()))
}
