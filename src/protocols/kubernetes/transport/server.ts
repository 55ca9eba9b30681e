/** The agent's side of HTTP: TLS with a certificate of the sidecar's own, and Node's strict parser of HTTP/1.1. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Connection } from '../../../net/connection.ts'
import type { Authority } from '../../../net/authority.ts'
import { endWith } from './answer.ts'

/** A server's certificate is replaced when less than this is left of it. */
const RENEW_MS = 24 * 3_600_000
/** A body that trickles in keeps a place; the API server's own limit for a request is a minute. */
const REQUEST_MS = 60_000
/** How often it is looked which heads and bodies take too long. */
const CHECK_MS = 1_000
/** A parser's own words for what it cannot read; all else is 400. */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
  ['HPE_HEADER_OVERFLOW', 431],
])

/** What an API server is called inside its cluster, and by whoever stands beside the sidecar. */
const NAMES = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'localhost',
  '127.0.0.1',
  '::1',
]

export interface ServerLimits {
  readonly headers: number
  readonly handshake: number
  readonly idle: number
}

/** What the requests of a connection have come to: none is under way, the first is not answered yet, or partly. */
export type Progress = 'idle' | 'asked' | 'answering'

export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  progress(socket: object): Progress
}

export class ApiServer {
  readonly #http: Server
  readonly #authority: Authority
  readonly #names: readonly string[]
  readonly #handshake: number
  #context: { readonly secure: SecureContext; readonly expiresAt: number } | null = null

  constructor(authority: Authority, names: readonly string[], limits: ServerLimits, handlers: Handlers) {
    this.#authority = authority
    this.#names = [...new Set([...NAMES, ...names])]
    this.#handshake = limits.handshake
    this.#http = createServer({
      maxHeaderSize: limits.headers,
      headersTimeout: limits.handshake,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout: limits.idle,
      requireHostHeader: true,
      insecureHTTPParser: false,
      noDelay: true,
      // The answers to what came before would end up in the other protocol: such a request is one like any other.
      shouldUpgradeCallback: ({ socket }) => handlers.progress(socket) === 'idle',
    })
    // Node would leave out those beyond the first thousand without a word; their size is limited anyway.
    this.#http.maxHeadersCount = 0
    this.#http.on('request', handlers.request)
    this.#http.on('upgrade', handlers.upgrade)
    this.#http.on('clientError', (error, socket) => refuseBytes(error, socket, handlers.progress(socket)))
    // That is when Node begins to look for what takes too long; this one never listens by itself.
    this.#http.emit('listening')
  }

  /** Resolves when the connection is over. `accepted` gets the socket that requests will come by; `leave` is told of a shutdown. */
  async serve(
    { socket, signal }: Connection,
    { accepted, leave }: { accepted(secured: TLSSocket): void; leave(): void },
  ): Promise<void> {
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#secureContext(),
      ALPNProtocols: ['http/1.1'],
    })
    const closed = new Promise<void>((resolve) => {
      secured.once('close', () => resolve())
      socket.once('close', () => {
        secured.destroy()
        resolve()
      })
    })
    secured.on('error', () => secured.destroy())
    socket.on('error', () => socket.destroy())
    const timer = setTimeout(() => socket.destroy(), this.#handshake)
    let abort = (): void => void socket.destroy()
    const aborted = () => abort()
    signal.addEventListener('abort', aborted, { once: true })
    secured.once('secure', () => {
      clearTimeout(timer)
      accepted(secured)
      this.#http.emit('connection', secured)
      abort = leave
      if (signal.aborted) leave()
    })
    socket.resume()
    await closed
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
  }

  close(): void {
    this.#http.closeAllConnections()
    this.#http.close()
  }

  #secureContext(): SecureContext {
    if (this.#context === null || this.#context.expiresAt - Date.now() < RENEW_MS) {
      const { cert, key, expiresAt } = this.#authority.issue(this.#names)
      this.#context = { secure: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }), expiresAt }
    }
    return this.#context.secure
  }
}

/** What is no HTTP, or does not come, gets an answer without words, and the connection ends. */
function refuseBytes(error: Error, socket: Duplex, progress: Progress): void {
  const status = STATUS.get('code' in error ? String(error.code) : '') ?? 400
  // Of a request that is carried out, nobody else's answer may be told.
  const told = progress === 'idle' || (progress === 'asked' && status === 408)
  if (!told || !socket.writable) return void socket.destroy()
  endWith(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
