/**
 * One end of one channel: how far it is open on both sides, and its two windows. RFC 4254, section 5.
 *
 * Everything leaves in the order in which it was written, whichever stream it belongs to. What the peer sends is handed on at
 * once; its window is given back by `credit`, when whoever takes it has really taken it, so that what waits inside Sidegate is
 * never more than one window.
 */
import { ChannelViolation, encodeRequest, fields, MESSAGE, type Request } from './messages.ts'
import { Outgoing, type Stream, type Taking } from './outgoing.ts'
import type { Transport } from './transport.ts'

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
export interface Opening extends Taking {
  readonly local: number
}

/** The window is given back in parts of this much of it: few messages, and never an idle peer. */
const CREDIT_PARTS = 4

export class Channel {
  readonly id: number
  /** Who hears of it from now on. */
  events: ChannelEvents
  readonly #transport: Transport
  readonly #remote: number
  readonly #outgoing: Outgoing
  readonly #released: () => void
  /** What the peer may still send. */
  #receivable: number
  readonly #window: number
  #owed = 0
  #replies: ((succeeded: boolean) => void)[] = []
  #wasFull = false
  #sent: 'open' | 'eof' | 'close' = 'open'
  #received: 'open' | 'eof' | 'close' = 'open'
  #closeSent = false
  #over = false

  /** `window` is what the peer was told that it may send. */
  constructor(transport: Transport, opening: Opening, window: number, released: () => void, events: ChannelEvents) {
    this.id = opening.local
    this.events = events
    this.#transport = transport
    this.#remote = opening.remote
    this.#outgoing = new Outgoing(transport, opening)
    this.#window = this.#receivable = window
    this.#released = released
  }

  /** Nothing should be written now: it would wait here. `writable` tells when that is over. */
  get full(): boolean {
    const full = this.#outgoing.waits || this.#transport.congested
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
    this.#outgoing.data(bytes, stream)
  }

  /** Sends a request; its answer, where one is wanted, is told to `replied`. */
  request(name: string, body: Buffer, replied?: (succeeded: boolean) => void): void {
    if (this.closing) return replied?.(false)
    if (replied !== undefined) this.#replies.push(replied)
    this.#outgoing.message(() =>
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
    this.#outgoing.message(() => this.#control(MESSAGE.EOF))
  }

  /** Ends the channel when all that was written has gone. */
  close(): void {
    if (this.closing) return
    this.#sent = 'close'
    this.#outgoing.message(() => this.#closeNow())
  }

  /** Ends the channel at once; what waits is dropped. */
  abort(): void {
    if (this.#over) return
    this.#outgoing.drop()
    if (!this.#closeSent) this.#closeNow()
    this.#sent = 'close'
  }

  /** The peer reads no more of the output. */
  unread(): void {
    this.#outgoing.unread()
    this.drained()
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
      this.#outgoing.adjust(bytes)
      this.drained()
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
      this.#outgoing.overtake()
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
    this.#outgoing.drop()
    this.#released()
    for (const replied of this.#replies.splice(0)) replied(false)
    this.events.closed()
  }
}
