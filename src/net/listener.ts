/** Accepts a target's connections, up to its cap, and ends them in order. */
import { type AddressInfo, createServer, isIPv4, type Server, type Socket } from 'node:net'
import type { Connection } from './connection.ts'
import { NetError } from './errors.ts'
import { discard, KEEPALIVE_DELAY } from './leg.ts'

/** How long a connection over the cap waits for a place: long enough for a pool that replaces one by one. */
export const WAIT_FOR_PLACE = 1_000

/** Connections that may wait for a place at once; each holds a descriptor and nothing else. */
export const WAITING_ROOM = 64

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  /** Connections served at once. */
  readonly connections: number
  /** Serves one connection; must not reject. The connection is over, and destroyed, when it settles. */
  readonly serve: (connection: Connection) => Promise<void>
  /** Something went wrong with accepting, or with a `serve` that rejected: to be logged. */
  readonly failed: (error: Error) => void
}

/** Growing counts, and what is there now. */
export interface ListenerCounts {
  accepted: number
  /** Closed unserved, because the cap was reached. */
  refused: number
  active: number
  waiting: number
}

interface Waiting {
  readonly socket: Socket
  readonly timer: NodeJS.Timeout
}

export class Listener {
  readonly counts: ListenerCounts = { accepted: 0, refused: 0, active: 0, waiting: 0 }
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #active = new Map<Socket, Promise<void>>()
  readonly #waiting: Waiting[] = []
  readonly #ending = new AbortController()

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#server = createServer(
      {
        // Nothing is read before the session reads it.
        pauseOnConnect: true,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEPALIVE_DELAY,
      },
      (socket) => this.#accept(socket),
    )
  }

  /** Begins to accept; resolves with the port. Fails with a {@link NetError}. */
  async listen(): Promise<number> {
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) =>
        reject(new NetError('net.listen', `cannot listen on ${host}:${port}: ${error.message}`, error))
      this.#server.once('error', failed).listen({ host, port }, () => {
        this.#server.off('error', failed)
        // Out of descriptors (EMFILE) and its like: libuv sheds the connection, and accepting goes on.
        this.#server.on('error', (error) => this.#options.failed(error))
        resolve()
      })
    })
    return (this.#server.address() as AddressInfo).port
  }

  /** Stops accepting; what is served goes on. */
  stop(): void {
    if (this.#server.listening) this.#server.close()
    for (const { socket, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      this.#turnAway(socket)
    }
    this.counts.waiting = 0
  }

  /** Stops accepting, asks all sessions to end, and after `patience` milliseconds ends them. */
  async close(patience: number): Promise<void> {
    this.stop()
    this.#ending.abort()
    const timer = setTimeout(() => {
      for (const socket of this.#active.keys())
        discard(socket, new NetError('net.aborted', 'the sidecar is shutting down'))
    }, patience)
    while (this.#active.size > 0) await Promise.all(this.#active.values())
    clearTimeout(timer)
  }

  #accept(socket: Socket): void {
    // Until a session listens, an error of the socket would end the process.
    socket.on('error', () => {})
    if (this.#ending.signal.aborted) return this.#turnAway(socket)
    if (this.#active.size < this.#options.connections) return this.#begin(socket)
    if (this.#waiting.length >= WAITING_ROOM) return this.#turnAway(socket)
    const timer = setTimeout(() => {
      this.#waiting.shift()
      this.counts.waiting = this.#waiting.length
      this.#turnAway(socket)
    }, WAIT_FOR_PLACE)
    this.#waiting.push({ socket, timer })
    this.counts.waiting = this.#waiting.length
  }

  #turnAway(socket: Socket): void {
    this.counts.refused++
    socket.destroy()
  }

  #begin(socket: Socket): void {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket
    // A connection that was reset before it was accepted has no peer any more.
    if (remoteAddress === '') return void socket.destroy()
    this.counts.accepted++
    const connection: Connection = {
      socket,
      destination: { address: localAddress, port: localPort },
      peer: { address: remoteAddress, port: remotePort },
      local: isLoopback(remoteAddress),
      signal: this.#ending.signal,
    }
    this.#active.set(socket, this.#serve(connection))
    this.counts.active = this.#active.size
  }

  async #serve(connection: Connection): Promise<void> {
    try {
      // In a turn of its own, so that many connections at once are all accepted before the first is served.
      await new Promise(setImmediate)
      await this.#options.serve(connection)
    } catch (error) {
      this.#options.failed(error instanceof Error ? error : new Error(String(error)))
    } finally {
      discard(connection.socket)
      this.#active.delete(connection.socket)
      this.counts.active = this.#active.size
      const next = this.#waiting.shift()
      this.counts.waiting = this.#waiting.length
      if (next !== undefined) {
        clearTimeout(next.timer)
        this.#begin(next.socket)
      }
    }
  }
}

/** 127.0.0.0/8 and ::1, also as an IPv4-mapped IPv6 address, or the name for them. */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')
  return bare === '::1' || bare === 'localhost' || (isIPv4(bare) && bare.startsWith('127.'))
}
