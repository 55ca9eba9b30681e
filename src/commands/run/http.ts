/** The little HTTP that probes and status need: GET of fixed paths, bounded in every way. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NetError } from '../../net/errors.ts'

export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Page = (request: IncomingMessage) => Reply | Promise<Reply>

/** A kubelet and a scraper or two come here; whoever opens more is turned away. */
const MAX_CONNECTIONS = 32
const REQUEST_TIMEOUT = 5_000
const MAX_HEADERS = 8 * 1024

export const text = (status: number, body: string): Reply => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})
export const json = (status: number, value: unknown): Reply => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value)}\n`,
})

/** Serves pages by their exact path; resolves once it listens. */
export async function servePages(
  { host, port }: { readonly host: string; readonly port: number },
  pages: ReadonlyMap<string, Page>,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, maxHeaderSize: MAX_HEADERS, noDelay: true },
    (request, response) => void answer(request, response, pages),
  )
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) =>
      reject(new NetError('net.listen', `cannot listen on ${host}:${port}: ${error.message}`, error))
    server.once('error', failed).listen({ host, port }, () => {
      server.off('error', failed).on('error', () => {})
      resolve()
    })
  })
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: ReadonlyMap<string, Page>,
): Promise<void> {
  // Nothing here takes a body.
  request.resume()
  const reply = await replyTo(request, pages)
  const headers = { 'content-type': reply.type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  response.writeHead(reply.status, { ...headers, ...reply.headers })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

async function replyTo(request: IncomingMessage, pages: ReadonlyMap<string, Page>): Promise<Reply> {
  const page = pages.get((request.url ?? '').split('?', 1)[0] ?? '')
  if (page === undefined) return text(404, 'there is no such page')
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET')
  try {
    return await page(request)
  } catch {
    return text(500, 'this failed')
  }
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
