/**
 * One end of one channel: its two windows, and what waits for the peer's. RFC 4254, section 5.
 *
 * Everything leaves in the order in which it was written, whichever stream it belongs to: an exit status can overtake no
 * output, and an EOF no data. What the peer sends is handed on at once; its window is given back by `credit`, when whoever
 * takes it has really taken it, so that what waits inside Sidegate is never more than one window.
 */
import { ChannelViolation, encodeRequest, fields, MESSAGE, type Request, STDERR } from './messages.ts'
import type { Transport } from './transport.ts'

export type Stream = 'data' | 'error'

export interface ChannelEvents {
  /** Bytes of the peer that nobody writes to any more. To be given back by `credit`. */
  data(bytes: Buffer, stream: Stream): void
  /** The peer sends no more data. */
  eof(): void
  request(request: Request): void
  /** What was written has gone, after `full` was true. */
  writable(): void
  /**
   * The peer has closed its side: it takes no more data, and may still hear how a program ended. To be answered by `close`;
   * where nobody listens, it is answered at once.
   */
  leaving?(): void
  /** The channel is over, on both sides or because its leg is gone. Once, and last. */
  closed(): void
}

/** The numbers of a channel, as its opening told them. */
export interface Opening {
  readonly local: number
  readonly remote: number
  /** What the peer lets us send, and the most of it in one message. */
  readonly window: number
  readonly packet: number
}

/** Never more in one message, whatever the peer would take: what ssh2 takes itself. */
export const LARGEST_PACKET = 32 * 1024
/** RFC 4254, section 5.2: a window grows no further. */
const LARGEST_WINDOW = 0xffff_ffff
/** The window is given back in parts of this much of it: few messages, and never an idle peer. */
const CREDIT_PARTS = 4

type Item = { readonly stream: Stream; bytes: Buffer } | { readonly message: () => void }

export class Channel {
  readonly id: number
  /** Who hears of it from now on. */
  events: ChannelEvents
  readonly #transport: Transport
  readonly #remote: number
  readonly #packet: number
  readonly #released: () => void
  /** What we may still send, and what the peer may. */
  #sendable: number
  #receivable: number
  readonly #window: number
  #owed = 0
  #queue: Item[] = []
  #replies: ((succeeded: boolean) => void)[] = []
  #wasFull = false
  #sent: 'open' | 'eof' | 'close' = 'open'
  #received: 'open' | 'eof' | 'close' = 'open'
  #closeSent = false
  /** The peer reads no more of the output. */
  #deaf = false
  #over = false

  /** `window` is what the peer was told that it may send. */
  constructor(transport: Transport, opening: Opening, window: number, released: () => void, events: ChannelEvents) {
    this.id = opening.local
    this.events = events
    this.#transport = transport
    this.#remote = opening.remote
    this.#sendable = opening.window
    this.#packet = Math.min(opening.packet, LARGEST_PACKET)
    this.#window = this.#receivable = window
    this.#released = released
  }

  /** Nothing should be written now: it would wait here. `writable` tells when that is over. */
  get full(): boolean {
    const full = this.#queue.length > 0 || this.#transport.congested
    this.#wasFull ||= full
    return full
  }

  /** Nothing can be sent any more. */
  get closing(): boolean {
    return this.#sent === 'close' || this.#over
  }

  /** It ended without the peer's word: the connection was lost. */
  get lost(): boolean {
    return this.#over && this.#received !== 'close'
  }

  write(bytes: Buffer, stream: Stream = 'data'): void {
    if (this.#sent !== 'open' || this.#received === 'close' || this.#over || bytes.length === 0) return
    if (this.#deaf && (stream === 'data' || this.#sendable === 0)) return
    if (this.#queue.length > 0) this.#queue.push({ stream, bytes })
    else {
      const rest = this.#send(bytes, stream)
      if (rest !== null) this.#queue.push({ stream, bytes: rest })
    }
  }

  /** Sends a request; its answer, where one is wanted, is told to `replied`. */
  request(name: string, body: Buffer, replied?: (succeeded: boolean) => void): void {
    if (this.closing) return replied?.(false)
    if (replied !== undefined) this.#replies.push(replied)
    this.#inOrder(() =>
      this.#transport.send(encodeRequest(this.#remote, { name, wantReply: replied !== undefined, body })),
    )
  }

  /** Answers the peer's request: in the order of requests, at once. */
  reply(succeeded: boolean): void {
    if (!this.closing) this.#control(succeeded ? MESSAGE.SUCCESS : MESSAGE.FAILURE)
  }

  /** No more data follows; requests still may. */
  eof(): void {
    if (this.#sent !== 'open' || this.#over) return
    this.#sent = 'eof'
    this.#inOrder(() => this.#control(MESSAGE.EOF))
  }

  /** Ends the channel when all that was written has gone. */
  close(): void {
    if (this.closing) return
    this.#sent = 'close'
    this.#inOrder(() => this.#closeNow())
  }

  /** Ends the channel at once; what waits is dropped. */
  abort(): void {
    if (this.#over) return
    this.#queue = []
    if (!this.#closeSent) this.#closeNow()
    this.#sent = 'close'
  }

  /**
   * The peer reads no more of the output, and will not open its window for what waits of it: OpenSSH counts what it drops as
   * never taken. What waits is dropped, errors too where the window is shut, so that how the program ends is still told.
   */
  unread(): void {
    this.#deaf = true
    const shut = this.#sendable === 0
    this.#queue = this.#queue.filter((item) => 'message' in item || (item.stream === 'error' && !shut))
    this.#flush()
  }

  /** As many bytes of the peer's have been taken; it may send as many more. */
  credit(bytes: number): void {
    this.#owed += bytes
    if (this.#owed * CREDIT_PARTS < this.#window || this.#received !== 'open' || this.closing) return
    this.#transport.send(Buffer.concat([Buffer.of(MESSAGE.WINDOW_ADJUST), fields(this.#remote, this.#owed)]))
    this.#receivable += this.#owed
    this.#owed = 0
  }

  #closeNow(): void {
    this.#closeSent = true
    this.#control(MESSAGE.CLOSE)
    if (this.#received === 'close') this.#finish()
  }

  #control(type: number): void {
    this.#transport.send(Buffer.concat([Buffer.of(type), fields(this.#remote)]))
  }

  #inOrder(message: () => void): void {
    if (this.#queue.length === 0) message()
    else this.#queue.push({ message })
  }

  /** Sends what the peer's window holds; what it does not hold comes back. */
  #send(bytes: Buffer, stream: Stream): Buffer | null {
    let at = 0
    while (at < bytes.length && this.#sendable > 0) {
      const length = Math.min(bytes.length - at, this.#sendable, this.#packet)
      const part = length === bytes.length ? bytes : bytes.subarray(at, at + length)
      if (stream === 'data') this.#transport.data(this.#remote, part)
      else this.#transport.extendedData(this.#remote, STDERR, part)
      at += length
      this.#sendable -= length
    }
    return at === bytes.length ? null : bytes.subarray(at)
  }

  #flush(): void {
    let sent = 0
    for (const item of this.#queue) {
      if ('message' in item) item.message()
      else {
        const rest = this.#send(item.bytes, item.stream)
        if (rest !== null) {
          item.bytes = rest
          break
        }
      }
      sent++
      // The last message may have been the last of all.
      if (this.#over) return
    }
    this.#queue.splice(0, sent)
    this.drained()
  }

  /** The transport goes on, or the window has opened. */
  drained(): void {
    if (!this.#wasFull || this.#over || this.full) return
    this.#wasFull = false
    this.events.writable()
  }

  /** The peer's messages. */
  readonly received = {
    data: (bytes: Buffer, stream: Stream): void => {
      if (bytes.length > this.#receivable) throw new ChannelViolation('more data came than the window holds')
      if (this.#received !== 'open') throw new ChannelViolation('data came after the end of data')
      this.#receivable -= bytes.length
      // What was under way when we closed goes nowhere.
      if (!this.closing) this.events.data(bytes, stream)
    },
    adjust: (bytes: number): void => {
      if (this.#sendable + bytes > LARGEST_WINDOW) throw new ChannelViolation('a window grew beyond all bounds')
      this.#sendable += bytes
      if (this.#queue.length > 0) this.#flush()
    },
    eof: (): void => {
      if (this.#received !== 'open') return
      this.#received = 'eof'
      if (!this.closing) this.events.eof()
    },
    request: (request: Request): void => {
      // Also when we have closed: a program may only end then.
      if (!this.#over) this.events.request(request)
    },
    reply: (succeeded: boolean): void => {
      this.#replies.shift()?.(succeeded)
    },
    close: (): void => {
      this.#received = 'close'
      if (this.#closeSent) return this.#finish()
      // Of what still waits, nobody takes the data.
      for (const item of this.#queue.splice(0)) if ('message' in item) item.message()
      if (this.closing) return
      if (this.events.leaving === undefined) this.abort()
      else {
        this.events.leaving()
        this.drained()
      }
    },
  }

  /** The leg is gone. */
  cut(): void {
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#queue = []
    this.#released()
    for (const replied of this.#replies.splice(0)) replied(false)
    this.events.closed()
  }
}
