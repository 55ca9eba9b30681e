/** One leg of a session: the agent's side or the target's, in plain TCP or TLS, read by callback. */
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { NetError } from './errors.ts'
import { Answering } from './poll.ts'
import { onread, staticReads, takeOver } from './reads.ts'

export interface Handlers {
  /** Bytes of the peer, in a buffer that other legs share: valid only during the call, unless copied. */
  chunk(bytes: Buffer): void
  /** The peer sends no more; it may still read. */
  end(): void
  /** All that waited was taken by the kernel, after `write` had said false. */
  drain(): void
  /** The leg is gone, with the reason if there was one. Once, and last. */
  close(error: Error | null): void
}

export interface LegOptions {
  /** Bytes that may wait to be written before `write` says false. */
  readonly inFlight: number
}

export class Leg {
  /** Who hears of this leg from now on. */
  handlers: Handlers
  #socket: Socket
  #error: Error | null = null
  #detach: () => void
  readonly #pauses = new Set<string>()
  readonly #peer = new Answering()

  /** Made by {@link adopt} and {@link dial}. */
  constructor(make: (sink: (bytes: Buffer) => void) => Socket, handlers: Handlers) {
    this.handlers = handlers
    this.#socket = make((bytes) => this.#chunk(bytes))
    this.#detach = this.#listen(this.#socket)
  }

  /** The socket as it is now: for addresses, counters and TLS facts, not for reading or writing. */
  get socket(): Socket {
    return this.#socket
  }

  /** Bytes that were written and not yet taken by the kernel. */
  get waiting(): number {
    return this.#socket.writableLength
  }

  get open(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  /** False when too much waits: stop producing until `drain`. The bytes must not change until they are taken. */
  write(bytes: Uint8Array): boolean {
    if (!this.#socket.writable) return true
    this.#peer.asked()
    return this.#socket.write(bytes)
  }

  /** Sends what waits, then FIN. */
  end(bytes?: Uint8Array): void {
    if (!this.#socket.writable) return
    if (bytes === undefined) this.#socket.end()
    else this.#socket.end(bytes)
  }

  destroy(error?: Error): void {
    this.#error ??= error ?? null
    this.#socket.destroy()
  }

  /** Stops reading until every reason for it is gone. */
  pause(reason: string): void {
    this.#pauses.add(reason)
    this.#socket.pause()
  }

  resume(reason: string): void {
    if (this.#pauses.delete(reason) && this.#pauses.size === 0 && !this.#socket.destroyed) this.#socket.resume()
  }

  get paused(): boolean {
    return this.#pauses.size > 0
  }

  /**
   * Goes on in TLS over this very connection. `wrap` gets the plain socket and returns the TLS one; `unread` are bytes of
   * the peer's that were read already and belong to the handshake. Where it fails the leg is gone. A peer that leaves in
   * its midst is heard, as `end`: a TLS socket that is not read from would not notice.
   */
  async secure(
    event: 'secure' | 'secureConnect',
    wrap: (plain: Socket) => TLSSocket,
    unread: Uint8Array | null = null,
  ): Promise<TLSSocket> {
    const plain = this.#socket
    this.#detach()
    plain.pause()
    if (unread !== null && unread.length > 0) plain.unshift(Buffer.from(unread))
    const secured = wrap(plain)
    this.#socket = secured
    this.#detach = this.#listen(secured)
    secured.on('data', (bytes: Buffer) => this.#chunk(bytes))
    secured.once('close', () => plain.destroy())
    try {
      await handshake(secured, event)
    } catch (error) {
      this.destroy(error as Error)
      throw error
    }
    return secured
  }

  #listen(socket: Socket): () => void {
    const end = () => this.#guard(() => this.handlers.end())
    const drain = () => this.#guard(() => this.handlers.drain())
    const error = (problem: Error) => {
      this.#error ??= problem
    }
    const close = () => this.handlers.close(this.#error)
    socket.on('end', end).on('drain', drain).on('error', error).once('close', close)
    return () => {
      // Its errors stay heard: the plain socket under TLS may still fail, and an unheard error ends the process.
      socket.off('end', end).off('drain', drain).off('close', close).removeAllListeners('data')
    }
  }

  #chunk(bytes: Buffer): void {
    if (this.#socket.destroyed) return
    this.#peer.came()
    try {
      this.handlers.chunk(bytes)
    } catch (error) {
      this.#lost(error)
    }
  }

  #guard(handle: () => void): void {
    if (this.#socket.destroyed) return
    try {
      handle()
    } catch (error) {
      this.#lost(error)
    }
  }

  /** A handler that throws has lost its place in the stream: nothing after it may be believed, so the leg ends. */
  #lost(cause: unknown): void {
    this.destroy(new NetError('net.handler', 'the session failed on what its peer sent', cause))
  }
}

async function handshake(secured: TLSSocket, event: 'secure' | 'secureConnect'): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    secured.once(event, () => resolve())
    secured.once('error', reject)
    secured.once('close', () => reject(new NetError('net.aborted', 'the connection closed during the TLS handshake')))
  })
}

const successors = new WeakMap<Socket, Leg>()

/** Begins to read an accepted connection that nobody has read from. */
export function adopt(accepted: Socket, handlers: Handlers, options: LegOptions): Leg {
  const leg = new Leg((sink) => takeOver(accepted, sink, options.inFlight) ?? plainly(accepted, sink), handlers)
  successors.set(accepted, leg)
  return leg
}

/** Ends an accepted connection, whoever reads it now. */
export function discard(accepted: Socket, error?: Error): void {
  const leg = successors.get(accepted)
  if (leg === undefined) accepted.destroy()
  else leg.destroy(error)
}

export interface Destination {
  readonly host: string
  readonly port: number
  /** Milliseconds until the attempt fails. */
  readonly timeout: number
  readonly signal?: AbortSignal
}

/** Connects to a target; fails with a {@link NetError}. */
export async function dial(destination: Destination, handlers: Handlers, options: LegOptions): Promise<Leg> {
  const { host, port, timeout, signal } = destination
  const address = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_DELAY,
    allowHalfOpen: true,
    writableHighWaterMark: options.inFlight,
  }
  const leg = new Leg((sink) => {
    const socket = connect(staticReads() ? { ...address, onread: onread(sink) } : address)
    return staticReads() ? socket : plainly(socket, sink)
  }, handlers)
  await connected(leg, timeout, signal, `${host}:${port}`)
  return leg
}

/** Idle connections are probed after this long, so that a dead peer is noticed within minutes and NAT entries live. */
export const KEEPALIVE_DELAY = 60_000

function plainly(socket: Socket, sink: (bytes: Buffer) => void): Socket {
  return socket.on('data', sink).resume()
}

async function connected(leg: Leg, timeout: number, signal: AbortSignal | undefined, where: string): Promise<void> {
  const { socket } = leg
  const handlers = leg.handlers
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NetError) => {
      settle()
      leg.handlers = SILENT
      leg.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new NetError('net.timeout', `${where} did not answer in ${timeout} ms`)),
      timeout,
    )
    const abort = () => fail(new NetError('net.aborted', `connecting to ${where} was given up`))
    const lost = (error: Error) =>
      fail(new NetError('net.unreachable', `${where} cannot be reached: ${error.message}`, error))
    const done = () => {
      settle()
      leg.handlers = handlers
      resolve()
    }
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      socket.off('error', lost).off('connect', done)
    }
    socket.once('connect', done).once('error', lost)
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

/** A leg that nobody got to know says nothing. */
const SILENT: Handlers = { chunk: () => {}, end: () => {}, drain: () => {}, close: () => {} }
