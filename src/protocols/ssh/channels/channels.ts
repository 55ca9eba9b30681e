/** The channels of one leg, those that the peer opens and those that Sidegate opens. */
import type { Client, Connection as ServerConnection } from 'ssh2'
import { Channel, type ChannelEvents } from './channel.ts'
import { ChannelViolation, decode, encodeOpen, fields, type Message, MESSAGE, OPEN_FAILURE } from './messages.ts'
import { LARGEST_PACKET } from './outgoing.ts'
import { attach, type Transport } from './transport.ts'

/** The least that a peer must take in one message: what is less only multiplies packets, and 0 would take nothing at all. */
export const LEAST_PACKET = 1024

/** A channel that the peer wants to open. To be answered once, now or later. */
export interface ChannelOpen {
  /** `session`, `direct-tcpip` …, and what belongs to it. */
  readonly type: string
  readonly body: Buffer
  /** Its events are to be listened to at once. */
  accept(): Channel
  refuse(reason: number, description: string): void
}

export interface ChannelsOptions {
  /** Bytes that the peer may send on a channel before they are taken. */
  readonly window: number
  /** Channels at once that the peer may open. */
  readonly most: number
  /** The peer wants to open a channel. False leaves it to ssh2, which refuses what nobody listens for. */
  readonly open: (open: ChannelOpen) => boolean
  /** The peer broke the protocol, and the connection is ending. */
  readonly violated: (violation: ChannelViolation) => void
}

/** The peer would not open a channel, for a reason and with a description of its own. */
export class OpenFailed extends Error {
  override readonly name = 'OpenFailed'
  readonly reason: number

  constructor(reason: number, description: string) {
    super(description)
    this.reason = reason
  }
}

type Opening = PromiseWithResolvers<Channel> & { readonly opened: ((channel: Channel) => void) | undefined }

const GONE = 'the connection is gone'
const SILENT: ChannelEvents = { data() {}, eof() {}, request() {}, writable() {}, closed() {} }

export class Channels {
  /** Messages of channels so far: a leg on which it stands still is idle. */
  activity = 0
  readonly #options: ChannelsOptions
  readonly #transport: Transport
  readonly #channels = new Map<number, Channel>()
  readonly #opening = new Map<number, Opening>()
  /** Channels of the peer's that are open or asked for. */
  #theirs = 0
  #lost = false

  constructor(client: Client | ServerConnection, options: ChannelsOptions) {
    this.#options = options
    this.#transport = attach(client, {
      message: (payload) => this.#message(payload),
      drained: () => {
        for (const channel of this.#channels.values()) channel.drained()
      },
      violated: options.violated,
    })
  }

  get size(): number {
    return this.#channels.size
  }

  /**
   * Opens a channel. Fails with {@link OpenFailed}. `opened` is called in the very turn of the peer's answer: where the peer is
   * the first to speak, its data follow before the promise is heard of.
   */
  open(type: string, body: Uint8Array = Buffer.alloc(0), opened?: (channel: Channel) => void): Promise<Channel> {
    const sender = this.#lost ? -1 : this.#transport.reserve()
    if (sender === -1) return Promise.reject(new OpenFailed(OPEN_FAILURE.CONNECT_FAILED, GONE))
    const opening = Promise.withResolvers<Channel>()
    this.#opening.set(sender, { ...opening, opened })
    this.#transport.send(encodeOpen(type, sender, this.#options.window, LARGEST_PACKET, body))
    return opening.promise
  }

  disconnect(because: 'application' | 'violation'): void {
    this.#transport.disconnect(because)
  }

  destroy(): void {
    this.#transport.destroy()
  }

  /** The connection is gone, and nothing more is heard of it. */
  get closed(): boolean {
    return this.#transport.closed
  }

  /** The leg is gone: so are its channels. */
  lost(): void {
    this.#lost = true
    for (const channel of this.#channels.values()) channel.cut()
    for (const opening of this.#opening.values()) opening.reject(new OpenFailed(OPEN_FAILURE.CONNECT_FAILED, GONE))
    this.#opening.clear()
  }

  #message(payload: Buffer): boolean {
    this.activity++
    const message = decode(payload)
    switch (message.type) {
      case MESSAGE.OPEN:
        return this.#open(message)
      case MESSAGE.OPEN_CONFIRMATION:
        return this.#confirmed(message)
      case MESSAGE.OPEN_FAILURE:
        return this.#refused(message)
      default: {
        const channel = this.#channels.get(message.recipient)
        if (channel === undefined) return false
        receive(channel, message)
        return true
      }
    }
  }

  #open({ channelType: type, sender, window, packet, body }: Extract<Message, { type: typeof MESSAGE.OPEN }>): boolean {
    const { most } = this.#options
    let answered = false
    const refuse = (reason: number, description: string): true => {
      if (answered) return true
      answered = true
      this.#transport.send(Buffer.concat([Buffer.of(MESSAGE.OPEN_FAILURE), fields(sender, reason, description, '')]))
      return true
    }
    if (packet < LEAST_PACKET) {
      return refuse(OPEN_FAILURE.CONNECT_FAILED, `packets of less than ${LEAST_PACKET} bytes are not sent`)
    }
    if (this.#theirs >= most) {
      return refuse(OPEN_FAILURE.RESOURCE_SHORTAGE, `session.limit: only ${most} channels may be open at once`)
    }
    if (type === 'session' && this.#transport.noMoreSessions) {
      return refuse(OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, 'no more sessions were announced')
    }
    this.#theirs++
    const over = () => void this.#theirs--
    const accept = (): Channel => {
      if (answered) throw new Error('a channel was answered twice')
      answered = true
      const local = this.#transport.reserve()
      const confirmation = fields(sender, local, this.#options.window, LARGEST_PACKET)
      this.#transport.send(Buffer.concat([Buffer.of(MESSAGE.OPEN_CONFIRMATION), confirmation]))
      return this.#add({ local, remote: sender, window, packet }, over)
    }
    const turnAway = (reason: number, description: string) => {
      if (!answered) over()
      refuse(reason, description)
    }
    const taken = this.#options.open({ type, body, accept, refuse: turnAway })
    if (!taken) over()
    return taken
  }

  #confirmed({ recipient, sender, window, packet }: Extract<Message, { type: typeof MESSAGE.OPEN_CONFIRMATION }>) {
    // ssh2's own channels would loop for ever on it.
    if (packet < LEAST_PACKET) throw new ChannelViolation(`the largest packet that it takes is ${packet} bytes`)
    const opening = this.#opening.get(recipient)
    if (opening === undefined) return false
    this.#opening.delete(recipient)
    const channel = this.#add({ local: recipient, remote: sender, window, packet }, () => {})
    opening.opened?.(channel)
    opening.resolve(channel)
    return true
  }

  #refused({ recipient, reason, description }: Extract<Message, { type: typeof MESSAGE.OPEN_FAILURE }>): boolean {
    const opening = this.#opening.get(recipient)
    if (opening === undefined) return false
    this.#opening.delete(recipient)
    this.#transport.release(recipient)
    opening.reject(new OpenFailed(reason, description))
    return true
  }

  #add(opening: ConstructorParameters<typeof Channel>[1], over: () => void): Channel {
    const released = () => {
      this.#channels.delete(opening.local)
      this.#transport.release(opening.local)
      over()
    }
    const channel = new Channel(this.#transport, opening, this.#options.window, released, SILENT)
    this.#channels.set(opening.local, channel)
    return channel
  }
}

type OnChannel = Exclude<Message, { type: 90 | 91 | 92 }>

function receive({ received }: Channel, message: OnChannel): void {
  switch (message.type) {
    case MESSAGE.DATA:
      return received.data(message.data, 'data')
    case MESSAGE.EXTENDED_DATA:
      return received.data(message.data, 'error')
    case MESSAGE.WINDOW_ADJUST:
      return received.adjust(message.bytes)
    case MESSAGE.EOF:
      return received.eof()
    case MESSAGE.CLOSE:
      return received.close()
    case MESSAGE.REQUEST:
      return received.request(message.request)
    case MESSAGE.SUCCESS:
    case MESSAGE.FAILURE:
      return received.reply(message.type === MESSAGE.SUCCESS)
  }
}
