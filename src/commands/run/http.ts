/** The little HTTP that probes, status and control need: GET of fixed paths, POST of few, bounded in every way. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { NetError } from '../../net/errors.ts'

export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Page = (request: IncomingMessage) => Reply | Promise<Reply>

/** What a POST does. The path's groups are what it is done to, and the body says how. */
export interface Action {
  readonly path: RegExp
  act(request: IncomingMessage, groups: readonly string[], body: () => Promise<string>): Reply | Promise<Reply>
}

/** A kubelet, a scraper or two and an operator come here, for milliseconds each. */
export const MAX_CONNECTIONS = 64
const REQUEST_TIMEOUT = 5_000
/** How often it is looked which requests take too long. */
const LOOK = 1_000
const MAX_HEADERS = 8 * 1024
/** Actions take a sentence. */
const MAX_BODY = 4 * 1024

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

/** Serves pages by their exact path, and actions; resolves once it listens. */
export async function servePages(
  { host, port }: { readonly host: string; readonly port: number },
  pages: ReadonlyMap<string, Page>,
  actions: readonly Action[] = [],
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const visitors = new Visitors()
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT,
      headersTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: LOOK,
      maxHeaderSize: MAX_HEADERS,
      noDelay: true,
    },
    (request, response) => {
      visitors.asked(request.socket)
      void answer(request, response, { pages, actions })
    },
  )
  server.on('connection', (socket: Socket) => visitors.came(socket))
  // Of a connection that never says a word, Node itself takes no notice.
  server.setTimeout(REQUEST_TIMEOUT)
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

/**
 * Everybody on the loopback can open connections, the agent too. Whoever only holds places loses them to those who come later: else an
 * agent could keep the kubelet from its probes and an operator from the kill switch.
 */
class Visitors {
  /** Those that have not asked yet, oldest first. */
  readonly #waiting = new Set<Socket>()
  #count = 0

  came(socket: Socket): void {
    this.#count++
    this.#waiting.add(socket)
    socket.once('close', () => {
      this.#count--
      this.#waiting.delete(socket)
    })
    if (this.#count <= MAX_CONNECTIONS) return
    const [oldest = socket] = this.#waiting
    this.#waiting.delete(oldest)
    oldest.destroy()
  }

  /** It is answered at once, and closed then. */
  asked(socket: Socket): void {
    this.#waiting.delete(socket)
  }
}

interface Site {
  readonly pages: ReadonlyMap<string, Page>
  readonly actions: readonly Action[]
}

async function answer(request: IncomingMessage, response: ServerResponse, site: Site): Promise<void> {
  const reply = await replyTo(request, site)
  // What of a body nobody asked for is thrown away.
  request.resume()
  const headers = {
    'content-type': reply.type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  }
  response.writeHead(reply.status, { ...headers, ...reply.headers })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
}

async function replyTo(request: IncomingMessage, { pages, actions }: Site): Promise<Reply> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const page = pages.get(path)
  const action = actions.find((one) => one.path.test(path))
  if (page === undefined && action === undefined) return text(404, 'there is no such page')
  try {
    if (page !== undefined && (request.method === 'GET' || request.method === 'HEAD')) return await page(request)
    if (action !== undefined && request.method === 'POST') {
      return await action.act(request, action.path.exec(path)?.slice(1) ?? [], () => bodyOf(request))
    }
    return text(405, page === undefined ? 'only POST' : 'only GET')
  } catch (error) {
    return error instanceof BodyError ? text(413, error.message) : text(500, 'this failed')
  }
}

class BodyError extends Error {
  override readonly name = 'BodyError'
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  // Left early, the connection must stay for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw new BodyError(`the body is larger than ${MAX_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
