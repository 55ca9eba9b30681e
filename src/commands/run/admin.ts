/** Status for whoever holds the token. On the loopback, which the agent shares: hence the token. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { json, type Page, type Reply, servePages } from './http.ts'

export interface AdminSources {
  /** Reads the token anew, so that a rotated one holds at once. */
  token(): Promise<string>
  status(): Reply
}

const CHALLENGE = { 'www-authenticate': 'Bearer realm="sidegate"' }

export function serveAdmin(listen: { readonly host: string; readonly port: number }, sources: AdminSources) {
  const guarded =
    (page: () => Reply): Page =>
    async (request) =>
      (await holdsToken(request, sources))
        ? page()
        : { ...json(401, { error: 'a bearer token is needed' }), headers: CHALLENGE }
  return servePages(listen, new Map([['/status', guarded(() => sources.status())]]))
}

/** Digests are compared, so that neither the token's content nor its length shows in the time it takes. */
async function holdsToken(request: IncomingMessage, sources: AdminSources): Promise<boolean> {
  const [, presented] = /^Bearer ([\x21-\x7e]+)$/.exec(request.headers.authorization ?? '') ?? []
  if (presented === undefined) return false
  const digest = (token: string) => createHash('sha256').update(token).digest()
  return timingSafeEqual(digest(presented), digest(await sources.token()))
}
