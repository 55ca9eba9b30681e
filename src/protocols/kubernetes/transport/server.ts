/** The agent's side of HTTP: TLS with a certificate of the sidecar's own, and Node's strict parser of HTTP/1.1. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Connection } from '../../../net/connection.ts'
import type { Authority } from '../../../net/authority.ts'

/** A server's certificate is replaced when less than this is left of it. */
const RENEW_MS = 24 * 3_600_000
/** A body that trickles in keeps a place; the API server's own limit for a request is a minute. */
const REQUEST_MS = 60_000

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

export interface Handlers {
  request(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
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
      keepAliveTimeout: limits.idle,
      requireHostHeader: true,
      insecureHTTPParser: false,
      noDelay: true,
    })
    this.#http.on('request', handlers.request)
    this.#http.on('upgrade', handlers.upgrade)
    // What is no HTTP gets the parser's own answer, 400, and the connection ends.
    this.#http.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      else socket.destroy()
    })
  }

  /** Resolves when the connection is over. `accepted` gets the socket that requests will come by. */
  async serve({ socket, signal }: Connection, accepted: (secured: TLSSocket) => void): Promise<void> {
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
    const abort = () => socket.destroy()
    signal.addEventListener('abort', abort, { once: true })
    secured.once('secure', () => {
      clearTimeout(timer)
      accepted(secured)
      this.#http.emit('connection', secured)
    })
    socket.resume()
    await closed
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }

  close(): void {
    this.#http.closeAllConnections()
  }

  #secureContext(): SecureContext {
    if (this.#context === null || this.#context.expiresAt - Date.now() < RENEW_MS) {
      const { cert, key, expiresAt } = this.#authority.issue(this.#names)
      this.#context = { secure: createSecureContext({ cert, key, minVersion: 'TLSv1.2' }), expiresAt }
    }
    return this.#context.secure
  }
}
