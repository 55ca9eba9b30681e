/** A leg while its connection is being set up: one message at a time, asked for and awaited, within a bound of bytes. */
import type { TLSSocket } from 'node:tls'
import { adopt, dial, type Destination, type Handlers, type Leg, type LegOptions } from '../../net/leg.ts'
import { NetError } from '../../net/errors.ts'
import type { Connection } from '../../net/connection.ts'
import { FRAME, FrameReader, NONE } from './framing.ts'
import type { FrameTable } from './messages/types.ts'
import { ProtocolViolation } from './messages/violation.ts'

/** One whole frame or packet in memory of its own. */
export interface Message {
  /** 0 for the untyped packets of the beginning. */
  readonly type: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

const OVERRUN = 'overrun'

export class Handshake implements Handlers {
  readonly reader: FrameReader
  /** Told once when the handshake cannot go on: the peer left, or the time is up. */
  ended: (because: Error) => void = () => {}
  #leg: Leg | null = null
  #received = 0
  /** Bytes that came before anything asked for frames: only the first byte tells TLS from a packet. */
  #head: Buffer | null = Buffer.alloc(0)
  #ended: Error | null = null
  #securing = false
  #wake: (() => void) | null = null
  readonly #bound: number

  /** `bound`: bytes that the peer may send before the connection is set up. */
  constructor(table: FrameTable, bound: number) {
    this.reader = new FrameReader(table)
    this.#bound = bound
  }

  adopt(connection: Connection, options: LegOptions): Leg {
    this.#leg = adopt(connection.socket, this, options)
    return this.#leg
  }

  async dial(destination: Destination, options: LegOptions): Promise<Leg> {
    this.#leg = await dial(destination, this, options)
    return this.#leg
  }

  get leg(): Leg {
    if (this.#leg === null) throw new TypeError('the handshake has no leg yet')
    return this.#leg
  }

  /** Ends everything that waits, when the time is up or the session is not wanted any more. */
  give(up: Error): void {
    const first = this.#ended === null
    this.#ended ??= up
    this.#notify()
    // TLS waits for its peer, and for nothing else.
    if (this.#securing) this.leg.destroy()
    if (first) this.ended(up)
  }

  /** Nothing that came is unread: TLS may only begin then. */
  get clean(): boolean {
    return (this.#head?.length ?? 0) === 0 && this.reader.clean
  }

  /** The bytes that have come before any frame was asked for, at least one. They stay where they are. */
  async peek(): Promise<Buffer> {
    for (;;) {
      if (this.#head !== null && this.#head.length > 0) return this.#head
      this.#check()
      await this.#more()
    }
  }

  /** Takes what `peek` saw, to give it to TLS. What comes next is looked at anew. */
  unread(): Buffer {
    const head = this.#head ?? Buffer.alloc(0)
    this.#head = Buffer.alloc(0)
    return head
  }

  async packet(cap: number): Promise<Message> {
    return await this.#next(() => this.reader.nextPacket(cap))
  }

  async message(): Promise<Message> {
    return await this.#next(() => this.reader.next())
  }

  /** Reads exactly one byte that is no message: the answer to an SSLRequest. */
  async answer(): Promise<number> {
    const head = await this.peek()
    if (head.length > 1) throw new ProtocolViolation('SSLRequest', 'more than its answer came before TLS')
    this.#head = Buffer.alloc(0)
    return head[0] as number
  }

  /** Goes on in TLS, by {@link Leg.secure}. When the handshake is given up meanwhile, this fails with the reason, and the leg is gone. */
  async secure(...how: Parameters<Leg['secure']>): Promise<TLSSocket> {
    this.#check()
    this.#securing = true
    try {
      return await this.leg.secure(...how)
    } catch (error) {
      throw this.#ended ?? error
    } finally {
      this.#securing = false
    }
  }

  write(bytes: Uint8Array): void {
    this.#check()
    this.leg.write(bytes)
  }

  /**
   * The session takes the leg over. What came and was not read is in `reader`, which the session drains first and feeds from
   * then on. Throws when the leg ended meanwhile.
   */
  handOver(handlers: Handlers): void {
    this.#check()
    this.#feed()
    this.leg.handlers = handlers
  }

  chunk(bytes: Buffer): void {
    this.#received += bytes.length
    if (this.#received > this.#bound) {
      this.give(new ProtocolViolation('the handshake', `more than ${this.#bound} bytes before it was over`))
      this.leg.pause(OVERRUN)
      return
    }
    // The memory of the chunk is shared by all legs.
    if (this.#head === null) this.reader.feed(Buffer.from(bytes))
    else this.#head = Buffer.concat([this.#head, bytes])
    this.#notify()
  }

  end(): void {
    this.give(new NetError('net.aborted', 'the peer closed the connection before it was set up'))
  }

  drain(): void {}

  close(error: Error | null): void {
    this.give(error ?? new NetError('net.aborted', 'the connection closed before it was set up'))
  }

  async #next(advance: () => number): Promise<Message> {
    this.#feed()
    for (;;) {
      const kind = advance()
      const { type, buffer, start, end } = this.reader
      if (kind === FRAME) return { type, buffer, start, end }
      if (kind !== NONE) throw new ProtocolViolation('the handshake', 'rows came before it was over')
      this.#check()
      await this.#more()
    }
  }

  #feed(): void {
    if (this.#head !== null && this.#head.length > 0) this.reader.feed(this.#head)
    this.#head = null
  }

  #check(): void {
    if (this.#ended !== null) throw this.#ended
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
