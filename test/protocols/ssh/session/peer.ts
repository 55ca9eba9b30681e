/** The other end of a channel, played by the test: it keeps RFC 4254's windows, and sees to it that ours are kept too. */
import { Channel } from '../../../../src/protocols/ssh/channels/channel.ts'
import { decode, MESSAGE } from '../../../../src/protocols/ssh/channels/messages.ts'
import type { Stream } from '../../../../src/protocols/ssh/channels/outgoing.ts'
import type { Transport } from '../../../../src/protocols/ssh/channels/transport.ts'

export interface PeerOptions {
  /** What the peer takes before it says that it takes more, and in one message. */
  readonly window: number
  readonly packet: number
  /** What we take. */
  readonly ours: number
}

export class Peer {
  readonly channel: Channel
  /** All that it was sent, in order: `data`, `error`, `eof`, `close`, and requests by their name. */
  readonly heard: { readonly what: string; readonly bytes: Buffer }[] = []
  /** Our replies to its requests. */
  readonly replies: boolean[] = []
  congested = false
  /** What it answers to requests. */
  grants = true
  /** Bytes that we may still send it. */
  room: number
  /** Bytes that it may still send. */
  sendable: number
  released = 0
  #ended = false
  #closed = false

  constructor(options: PeerOptions) {
    this.room = options.window
    this.sendable = options.ours
    const congested = () => this.congested
    const transport: Transport = {
      send: (message) => this.#message(message),
      data: (_, bytes) => this.#data('data', bytes, options.packet),
      extendedData: (_, __, bytes) => this.#data('error', bytes, options.packet),
      get congested() {
        return congested()
      },
      reserve: () => 0,
      release() {},
      noMoreSessions: false,
      disconnect() {},
      destroy() {},
      closed: false,
    }
    const silent = { data() {}, eof() {}, request() {}, writable() {}, closed() {} }
    const opening = { local: 0, remote: 7, window: options.window, packet: options.packet }
    this.channel = new Channel(transport, opening, options.ours, () => void this.released++, silent)
  }

  /** Sends as much of it as our window lets it. Returns what was sent. */
  send(bytes: Buffer, stream: Stream = 'data'): Buffer {
    if (this.#ended || this.#closed) return Buffer.alloc(0)
    const part = bytes.subarray(0, Math.min(bytes.length, this.sendable))
    this.sendable -= part.length
    this.channel.received.data(Buffer.from(part), stream)
    return part
  }

  eof(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.channel.received.eof()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.channel.received.close()
  }

  request(name: string, body: Buffer = Buffer.alloc(0), wantReply = false): void {
    if (!this.#closed) this.channel.received.request({ name, body, wantReply })
  }

  /** Takes as many bytes more. */
  reads(bytes: number): void {
    this.room += bytes
    if (!this.#closed) this.channel.received.adjust(bytes)
  }

  flows(): void {
    this.congested = false
    this.channel.drained()
  }

  get closed(): boolean {
    return this.#closed
  }

  text(what: string): string {
    return Buffer.concat(this.heard.filter((one) => one.what === what).map(({ bytes }) => bytes)).toString('latin1')
  }

  has(what: string): boolean {
    return this.heard.some((one) => one.what === what)
  }

  #data(what: Stream, bytes: Buffer, packet: number): void {
    if (bytes.length > this.room) throw new Error('more was sent than the window holds')
    if (bytes.length > packet) throw new Error('more was sent than fits into a packet')
    if (this.has('eof') || this.has('close')) throw new Error('data was sent after the end')
    this.room -= bytes.length
    this.heard.push({ what, bytes: Buffer.from(bytes) })
  }

  #message(payload: Buffer): void {
    const message = decode(payload)
    if (this.has('close')) throw new Error('something was sent after the close')
    const none = Buffer.alloc(0)
    switch (message.type) {
      case MESSAGE.WINDOW_ADJUST:
        this.sendable += message.bytes
        return
      case MESSAGE.EOF:
        this.heard.push({ what: 'eof', bytes: none })
        return
      case MESSAGE.CLOSE:
        this.heard.push({ what: 'close', bytes: none })
        return
      case MESSAGE.REQUEST:
        this.heard.push({ what: message.request.name, bytes: Buffer.from(message.request.body) })
        if (message.request.wantReply) this.channel.received.reply(this.grants)
        return
      case MESSAGE.SUCCESS:
      case MESSAGE.FAILURE:
        this.replies.push(message.type === MESSAGE.SUCCESS)
        return
      default:
        throw new Error(`${message.type} was sent`)
    }
  }
}
