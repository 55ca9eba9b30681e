/**
 * The streams of exec and attach inside of messages: the first byte says whose the rest is (`v4.channel.k8s.io`, and `v5`, which
 * can also end one of them). Streams of bytes are handed on in pieces as they come; what must be read whole is short.
 */
import { FrameViolation } from './frames.ts'

export const CHANNEL = { STDIN: 0, STDOUT: 1, STDERR: 2, ERROR: 3, RESIZE: 4, CLOSE: 255 } as const

export type Version = 'v5.channel.k8s.io' | 'v4.channel.k8s.io'

/** A resize is `{"Width":80,"Height":24}`, and the end of a stream one byte. */
const LARGEST_SHORT = 256
const EMPTY = Buffer.alloc(0)

/** Of messages in pieces: which channel each is of. */
class Channels {
  #channel: number | null = null

  /** Null for a message without a byte, which says nothing. */
  next(bytes: Buffer, last: boolean): { readonly channel: number; readonly bytes: Buffer } | null {
    let rest = bytes
    if (this.#channel === null && bytes.length > 0) {
      this.#channel = bytes[0] as number
      rest = bytes.subarray(1)
    }
    const channel = this.#channel
    if (last) this.#channel = null
    return channel === null ? null : { channel, bytes: rest }
  }
}

export interface AgentStreams {
  input(bytes: Buffer): void
  inputEnds(): void
  resized(columns: number, rows: number): void
}

/** What an agent sends. */
export class AgentChannels {
  readonly #channels = new Channels()
  readonly #version: Version
  readonly #streams: AgentStreams
  #short = EMPTY

  constructor(version: Version, streams: AgentStreams) {
    this.#version = version
    this.#streams = streams
  }

  /** Throws {@link FrameViolation}. */
  push(piece: Buffer, last: boolean): void {
    const next = this.#channels.next(piece, last)
    if (next === null) return
    const { channel, bytes } = next
    if (channel === CHANNEL.STDIN) {
      if (bytes.length > 0) this.#streams.input(bytes)
    } else if (channel === CHANNEL.RESIZE || (channel === CHANNEL.CLOSE && this.#version === 'v5.channel.k8s.io')) {
      this.#gather(channel, bytes, last)
    } else throw new FrameViolation(`a client has nothing to send on the channel ${channel}`)
  }

  #gather(channel: number, bytes: Buffer, last: boolean): void {
    this.#short = Buffer.concat([this.#short, bytes])
    if (this.#short.length > LARGEST_SHORT) throw new FrameViolation(`a message on the channel ${channel} is too long`)
    if (!last) return
    const whole = this.#short
    this.#short = EMPTY
    if (channel === CHANNEL.RESIZE) this.#resize(whole)
    else if (whole.length === 1 && whole[0] === CHANNEL.STDIN) this.#streams.inputEnds()
    else throw new FrameViolation('a client ends its input, and nothing else')
  }

  #resize(bytes: Buffer): void {
    const size = sizeOf(bytes)
    if (size === null) throw new FrameViolation('the size of a terminal could not be read')
    this.#streams.resized(size.columns, size.rows)
  }
}

export interface UpstreamStreams {
  /** Empty where the message was: some clients wait for a first one. */
  output(bytes: Buffer): void
  error(bytes: Buffer): void
  /** A piece of the Status with which it ends. */
  status(bytes: Buffer, last: boolean): void
}

/** What an API server sends. */
export class UpstreamChannels {
  readonly #channels = new Channels()
  readonly #streams: UpstreamStreams

  constructor(streams: UpstreamStreams) {
    this.#streams = streams
  }

  /** Throws {@link FrameViolation}. */
  push(piece: Buffer, last: boolean): void {
    const next = this.#channels.next(piece, last)
    if (next === null) return
    const { channel, bytes } = next
    if (channel === CHANNEL.STDOUT) this.#streams.output(bytes)
    else if (channel === CHANNEL.STDERR) this.#streams.error(bytes)
    else if (channel === CHANNEL.ERROR) this.#streams.status(bytes, last)
    else throw new FrameViolation(`a server has nothing to send on the channel ${channel}`)
  }
}

const LARGEST_SIZE = 0xffff

function sizeOf(bytes: Buffer): { readonly columns: number; readonly rows: number } | null {
  try {
    const { Width: columns, Height: rows } = JSON.parse(bytes.toString()) as Record<string, unknown>
    return isSize(columns) && isSize(rows) ? { columns, rows } : null
  } catch {
    return null
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LARGEST_SIZE
}

/** A resize as client-go writes it. */
export function writeSize(columns: number, rows: number): Buffer {
  return Buffer.from(`${JSON.stringify({ Width: columns, Height: rows })}\n`)
}
