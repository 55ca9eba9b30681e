/**
 * What leaves on a channel, in the order in which it was written: data, within the peer's window and in messages that it takes,
 * and between them all other messages. So an exit status can overtake no output, and an EOF no data.
 */
import { ChannelViolation, STDERR } from './messages.ts'
import type { Transport } from './transport.ts'

export type Stream = 'data' | 'error'

/** What the peer takes, as the opening of its side told it. */
export interface Taking {
  /** The peer's number of the channel. */
  readonly remote: number
  /** What it lets us send, and the most of it in one message. */
  readonly window: number
  readonly packet: number
}

/** Never more in one message, whatever the peer would take: what ssh2 takes itself. */
export const LARGEST_PACKET = 32 * 1024
/** RFC 4254, section 5.2: a window grows no further. */
const LARGEST_WINDOW = 0xffff_ffff

type Item = { readonly stream: Stream; bytes: Buffer } | { readonly message: () => void }

export class Outgoing {
  readonly #transport: Transport
  readonly #remote: number
  readonly #packet: number
  /** What we may still send. */
  #window: number
  #queue: Item[] = []
  /** The peer reads no more of the output. */
  #deaf = false

  constructor(transport: Transport, { remote, window, packet }: Taking) {
    this.#transport = transport
    this.#remote = remote
    this.#window = window
    this.#packet = Math.min(packet, LARGEST_PACKET)
  }

  /** Something could not leave yet. */
  get waits(): boolean {
    return this.#queue.length > 0
  }

  data(bytes: Buffer, stream: Stream): void {
    if (this.#deaf && (stream === 'data' || this.#window === 0)) return
    const rest = this.#queue.length > 0 ? bytes : this.#send(bytes, stream)
    if (rest !== null) this.#queue.push({ stream, bytes: rest })
  }

  /** Sends a message, or has it sent behind what waits. */
  message(message: () => void): void {
    if (this.#queue.length === 0) message()
    else this.#queue.push({ message })
  }

  /** The peer lets us send so much more. */
  adjust(bytes: number): void {
    if (this.#window + bytes > LARGEST_WINDOW) throw new ChannelViolation('a window grew beyond all bounds')
    this.#window += bytes
    this.#flush()
  }

  /**
   * The peer reads no more of the output, and will not open its window for what waits of it: OpenSSH counts what it drops as
   * never taken. What waits is dropped, errors too where the window is shut, so that how the program ends is still told.
   */
  unread(): void {
    this.#deaf = true
    const shut = this.#window === 0
    this.#queue = this.#queue.filter((item) => 'message' in item || (item.stream === 'error' && !shut))
    this.#flush()
  }

  /** Nobody takes data any more: the messages that wait leave without what is before them. */
  overtake(): void {
    for (const item of this.#queue.splice(0)) if ('message' in item) item.message()
  }

  /** Nothing of what waits leaves. */
  drop(): void {
    this.#queue = []
  }

  /** Sends what the peer's window holds; what it does not hold comes back. */
  #send(bytes: Buffer, stream: Stream): Buffer | null {
    let at = 0
    while (at < bytes.length && this.#window > 0) {
      const length = Math.min(bytes.length - at, this.#window, this.#packet)
      const part = length === bytes.length ? bytes : bytes.subarray(at, at + length)
      if (stream === 'data') this.#transport.data(this.#remote, part)
      else this.#transport.extendedData(this.#remote, STDERR, part)
      at += length
      this.#window -= length
    }
    return at === bytes.length ? null : bytes.subarray(at)
  }

  #flush(): void {
    const queue = this.#queue
    let sent = 0
    for (const item of queue) {
      if ('message' in item) item.message()
      else {
        const rest = this.#send(item.bytes, item.stream)
        if (rest !== null) {
          item.bytes = rest
          break
        }
      }
      sent++
      // A message may have been the channel's last, which dropped the others.
      if (this.#queue !== queue) return
    }
    queue.splice(0, sent)
  }
}
