/** The messages of channels: RFC 4254, section 5. Decoding copies nothing: what comes out are views of the payload. */

export const MESSAGE = {
  OPEN: 90,
  OPEN_CONFIRMATION: 91,
  OPEN_FAILURE: 92,
  WINDOW_ADJUST: 93,
  DATA: 94,
  EXTENDED_DATA: 95,
  EOF: 96,
  CLOSE: 97,
  REQUEST: 98,
  SUCCESS: 99,
  FAILURE: 100,
} as const

/** RFC 4254, section 5.1. */
export const OPEN_FAILURE = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const

/** The one kind of extended data that there is: standard error. */
export const STDERR = 1

/** The peer's bytes are no message of this protocol, or none that it may send now. The connection ends. */
export class ChannelViolation extends Error {
  override readonly name = 'ChannelViolation'
  readonly code = 'protocol.violation'
}

/** Reads a payload from its front. Whatever it lacks is a violation. */
export class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  uint32(): number {
    const at = this.#at
    if (at + 4 > this.#bytes.length) throw new ChannelViolation('a message ends in the middle of a number')
    this.#at = at + 4
    return this.#bytes.readUInt32BE(at)
  }

  boolean(): boolean {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new ChannelViolation('a message ends where a boolean is due')
    return byte !== 0
  }

  string(): Buffer {
    const length = this.uint32()
    const at = this.#at
    if (at + length > this.#bytes.length) throw new ChannelViolation('a message ends in the middle of a string')
    this.#at = at + length
    return this.#bytes.subarray(at, at + length)
  }

  /** A name of the protocol's own: short, and printable US-ASCII. */
  name(): string {
    const bytes = this.string()
    if (bytes.length > LONGEST_NAME) throw new ChannelViolation('a name is longer than names are')
    return bytes.toString('latin1')
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#at)
  }
}

/** RFC 4251, section 6: names are at most 64 characters. Clients do make longer ones up for themselves. */
const LONGEST_NAME = 256

export type Message =
  | {
      readonly type: typeof MESSAGE.OPEN
      readonly channelType: string
      readonly sender: number
      readonly window: number
      readonly packet: number
      /** What belongs to the channel's type. */
      readonly body: Buffer
    }
  | {
      readonly type: typeof MESSAGE.OPEN_CONFIRMATION
      readonly recipient: number
      readonly sender: number
      readonly window: number
      readonly packet: number
    }
  | {
      readonly type: typeof MESSAGE.OPEN_FAILURE
      readonly recipient: number
      readonly reason: number
      readonly description: string
    }
  | { readonly type: typeof MESSAGE.WINDOW_ADJUST; readonly recipient: number; readonly bytes: number }
  | { readonly type: typeof MESSAGE.DATA; readonly recipient: number; readonly data: Buffer }
  | {
      readonly type: typeof MESSAGE.EXTENDED_DATA
      readonly recipient: number
      readonly code: number
      readonly data: Buffer
    }
  | { readonly type: typeof MESSAGE.REQUEST; readonly recipient: number; readonly request: Request }
  | {
      readonly type: typeof MESSAGE.EOF | typeof MESSAGE.CLOSE | typeof MESSAGE.SUCCESS | typeof MESSAGE.FAILURE
      readonly recipient: number
    }

/** A request on a channel, `pty-req` and its like; what belongs to its name is left as it is. */
export interface Request {
  readonly name: string
  readonly wantReply: boolean
  readonly body: Buffer
}

/** Reads one of the messages of {@link MESSAGE}. */
export function decode(payload: Buffer): Message {
  const reader = new Reader(payload, 1)
  const type = payload[0]
  switch (type) {
    case MESSAGE.OPEN:
      return {
        type,
        channelType: reader.name(),
        sender: reader.uint32(),
        window: reader.uint32(),
        packet: reader.uint32(),
        body: reader.rest(),
      }
    case MESSAGE.OPEN_CONFIRMATION:
      return {
        type,
        recipient: reader.uint32(),
        sender: reader.uint32(),
        window: reader.uint32(),
        packet: reader.uint32(),
      }
    case MESSAGE.OPEN_FAILURE:
      return { type, recipient: reader.uint32(), reason: reader.uint32(), description: reader.string().toString() }
    case MESSAGE.WINDOW_ADJUST:
      return { type, recipient: reader.uint32(), bytes: reader.uint32() }
    case MESSAGE.DATA:
      return { type, recipient: reader.uint32(), data: reader.string() }
    case MESSAGE.EXTENDED_DATA:
      return { type, recipient: reader.uint32(), code: reader.uint32(), data: reader.string() }
    case MESSAGE.REQUEST: {
      const recipient = reader.uint32()
      return { type, recipient, request: { name: reader.name(), wantReply: reader.boolean(), body: reader.rest() } }
    }
    case MESSAGE.EOF:
    case MESSAGE.CLOSE:
    case MESSAGE.SUCCESS:
    case MESSAGE.FAILURE:
      return { type, recipient: reader.uint32() }
    default:
      throw new ChannelViolation(`${type} is no message of a channel`)
  }
}

/** Strings, numbers and booleans, as RFC 4251, section 5, writes them. */
export function fields(...values: readonly (string | Uint8Array | number | boolean)[]): Buffer {
  const parts = values.map((value) => {
    if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0)
    if (typeof value === 'number') return uint32(value)
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    return Buffer.concat([uint32(bytes.length), bytes])
  })
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A request for the peer's channel `recipient`. */
export function encodeRequest(recipient: number, { name, wantReply, body }: Request): Buffer {
  return Buffer.concat([Buffer.of(MESSAGE.REQUEST), fields(recipient, name, wantReply), body])
}

/** Asks the peer for a channel; what belongs to its type is left as it is. */
export function encodeOpen(type: string, sender: number, window: number, packet: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(MESSAGE.OPEN), fields(type, sender, window, packet), body])
}

/** The same bytes, as ssh2 knows them. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
