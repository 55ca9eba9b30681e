/** One end of a WebSocket: an agent whose server Sidegate is, or an API server whose client it is. */
import type { Duplex } from 'node:stream'
import { FrameDecoder } from './decoder.ts'
import { CLOSE, encodeFrame, FrameViolation, OPCODE } from './frames.ts'
import { Masks } from './masks.ts'

/** How long a peer may take to answer a Close and to leave. */
const CLOSING_MS = 5_000

/** Each at most until `gone`, which is the last. */
export interface EndEvents {
  /** A piece of a message; `last` where the message ends with it. */
  data(bytes: Buffer, last: boolean): void
  /** All that was written has gone, after `full` was true. */
  drained(): void
  /**
   * The peer is gone. `closed`: by a Close, ours or its own; `violation`: it broke the protocol; `lost`: without a word.
   */
  gone(how: 'closed' | 'violation' | 'lost'): void
}

export class WebSocketEnd {
  readonly #socket: Duplex
  readonly #inFlight: number
  readonly #masks: Masks | null
  readonly #decoder: FrameDecoder
  readonly #pauses = new Set<'peer' | 'self'>()
  #events: EndEvents
  #wasFull = false
  #closing = false
  #gone = false
  #timer: NodeJS.Timeout | null = null

  /** `early` was read already. Nothing is told before the call returns. */
  constructor(socket: Duplex, role: 'server' | 'client', inFlight: number, events: EndEvents, early: Buffer | null) {
    this.#socket = socket
    this.#inFlight = inFlight
    this.#events = events
    this.#masks = role === 'client' ? new Masks() : null
    this.#decoder = new FrameDecoder(role === 'server', {
      data: (bytes, last) => {
        if (!this.#closing) this.#events.data(bytes, last)
      },
      ping: (bytes) => this.#pong(bytes),
      pong: () => {},
      close: (code) => this.#closed(code),
    })
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#leave('lost'))
    socket.on('error', () => {})
    socket.once('close', () => this.#leave('lost'))
    if (early !== null && early.length > 0) socket.unshift(early)
    socket.resume()
  }

  /** Too much waits to be taken by the peer: stop writing until `drained`. */
  get full(): boolean {
    const full = this.#socket.writableNeedDrain && this.#socket.writableLength >= this.#inFlight
    this.#wasFull ||= full
    return full
  }

  /** One message. */
  send(bytes: Uint8Array, prefix: readonly number[] = []): void {
    if (!this.#closing && !this.#gone) this.#frame(OPCODE.BINARY, bytes, prefix)
  }

  /** Stops reading: what was read has nowhere to go. */
  pause(): void {
    this.#hold('peer')
  }

  resume(): void {
    this.#release('peer')
  }

  /** Says that nothing follows, behind what was written; the peer is given time to leave. */
  close(code: number = CLOSE.NORMAL): void {
    if (this.#closing || this.#gone) return
    this.#closing = true
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16BE(code)
    this.#frame(OPCODE.CLOSE, bytes)
    this.#release('peer')
    this.#end()
  }

  /** Ends it at once. */
  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  #read(bytes: Buffer): void {
    if (this.#gone) return
    try {
      this.#decoder.push(bytes)
    } catch (error) {
      if (!(error instanceof FrameViolation)) throw error
      this.close(error.close)
      this.#leave('violation')
    }
  }

  #pong(bytes: Buffer): void {
    if (this.#closing) return
    this.#frame(OPCODE.PONG, bytes)
    // A peer that only asks and never reads would fill the memory.
    if (this.full) this.#hold('self')
  }

  #closed(code: number | null): void {
    this.close(code ?? CLOSE.NORMAL)
    this.#leave('closed')
  }

  #frame(opcode: (typeof OPCODE)[keyof typeof OPCODE], bytes: Uint8Array, prefix?: readonly number[]): void {
    if (this.#socket.writable) this.#socket.write(encodeFrame(opcode, bytes, this.#masks?.next() ?? null, prefix))
  }

  #drained(): void {
    this.#release('self')
    if (!this.#wasFull || this.full) return
    this.#wasFull = false
    if (!this.#gone) this.#events.drained()
  }

  #hold(why: 'peer' | 'self'): void {
    this.#pauses.add(why)
    this.#socket.pause()
  }

  #release(why: 'peer' | 'self'): void {
    if (this.#pauses.delete(why) && this.#pauses.size === 0 && !this.#socket.destroyed) this.#socket.resume()
  }

  /** Sends what waits, then ends; a peer that does not take it or does not leave is left. */
  #end(): void {
    this.#socket.end()
    this.#timer = setTimeout(() => this.#socket.destroy(), CLOSING_MS)
    this.#timer.unref()
    this.#socket.once('close', () => {
      if (this.#timer !== null) clearTimeout(this.#timer)
    })
  }

  #leave(how: 'closed' | 'violation' | 'lost'): void {
    if (this.#gone) return
    this.#gone = true
    const told = how === 'lost' && this.#closing ? 'closed' : how
    if (how === 'lost') this.#socket.end()
    this.#events.gone(told)
  }
}
