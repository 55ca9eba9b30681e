/**
 * What ssh2's server half lacks for this leg, given to each connection at run time: it tells nobody why it ends a connection
 * or refuses a login, drops what comes before anybody listens and what comes beyond a window, loops for ever on packets of no
 * size, buffers without end for a peer with an endless window, loses a greeting that comes in three pieces, and
 * is too strict when keys are made anew. All of it needs the inside of ssh2, named here as it is there.
 */
import type { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { Connection } from 'ssh2'
import { fields } from '../channels/messages.ts'

/** Another version is another inside. `test/protocols/ssh/agent/ssh2.test.ts` holds the files' hashes. */
export const SSH2_VERSION = '1.17.0'

/** RFC 4253, section 12, and RFC 4252, section 6: messages that ssh2 writes without the text, or not at all. */
const MESSAGE = {
  DISCONNECT: 1,
  IGNORE: 2,
  DEBUG: 4,
  KEXINIT: 20,
  USERAUTH_BANNER: 53,
  GLOBAL_REQUEST: 80,
  CHANNEL_OPEN: 90,
  CHANNEL_FAILURE: 100,
} as const

/** RFC 4253, section 11.1. */
export const DISCONNECT = {
  notAllowed: 1,
  protocolError: 2,
  byApplication: 11,
  noMoreMethods: 14,
} as const

/** The least packet that is sent: of one byte each, a write would never come to its end. OpenSSH asks for 32 KiB. */
const LEAST_PACKET = 1024
/** The longest greeting is 255 bytes (RFC 4253, section 4.2). */
const GREETING_BYTES = 255
/** What an agent may send ahead before its session begins: far more than a client that opens all its forwards at once. */
const AHEAD_BYTES = 256 * 1024

interface Protocol {
  readonly _server: boolean
  readonly _kexinit: unknown
  /** Made anew with each key; its listener changes while keys are exchanged. */
  readonly _decipher: { _onPayload: (payload: Buffer) => unknown }
  readonly _destruct: unknown
  readonly _remoteIdentRaw: Buffer | undefined
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number
      readonly allocStartKEX: number
      alloc(size: number, force?: boolean): Buffer
      finalize(packet: Buffer, force?: boolean): Buffer
    }
  }
  readonly _handlers: Handlers
  channelOpenFail(recipient: number, reason: number, description: string): void
  rekey(): void
}

/** lib/server.js: the `messageHandlers` of its Protocol, looked up at each message. */
interface Handlers {
  CHANNEL_OPEN(self: Protocol, info: { readonly sender: number; readonly packetSize: number }): void
  CHANNEL_OPEN_CONFIRMATION(self: Protocol, info: { readonly packetSize: number }): void
  CHANNEL_DATA(self: Protocol, recipient: number, data: Buffer): void
}

interface OpenChannel {
  readonly incoming?: { readonly window: number }
  readonly _channel?: { readonly incoming: { readonly window: number } }
}

interface Inside {
  readonly _sock: Socket
  readonly _protocol: Protocol
  readonly _chanMgr: { get(id: number): unknown }
}

type Handler = (protocol: Protocol, payload: Buffer) => unknown

interface Inherited {
  readonly Protocol: { readonly prototype: { parse(chunk: Buffer, at: number, length: number): void } }
  readonly Channel: new (client: object, info: object, options: object) => Duplex & { readonly stderr: Writable }
}

const load = createRequire(import.meta.url)
const HANDLERS = load('ssh2/lib/protocol/handlers.js') as (Handler | undefined)[]
const { sendPacket } = load('ssh2/lib/protocol/utils.js') as {
  sendPacket(protocol: Protocol, packet: Buffer, bypass?: boolean): void
}

/** Fails where ssh2 is not the version whose inside is known. */
export function checkSsh2({ version } = load('ssh2/package.json') as { readonly version: string }): void {
  if (version === SSH2_VERSION) return
  throw Object.assign(new Error(`ssh2 is ${version}, and its inside is known of ${SSH2_VERSION} only`), {
    code: 'ssh.library',
  })
}

const inside = (client: Connection): Inside => client as unknown as Inside

export function socketOf(client: Connection): Socket {
  return inside(client)._sock
}

/** Shown by every client before the login goes on. Each line ends the line. */
export function sendBanner(client: Connection, text: string): void {
  const { _protocol: protocol } = inside(client)
  if (protocol._destruct === undefined) return
  const { write } = protocol._packetRW
  const message = Buffer.concat([Buffer.of(MESSAGE.USERAUTH_BANNER), fields(`${text}\r\n`, '')])
  const packet = write.alloc(message.length)
  packet.set(message, write.allocStart)
  sendPacket(protocol, write.finalize(packet))
}

/** Ends the connection and tells the agent why; also in the middle of a key exchange. */
export function disconnect(client: Connection, reason: number, text: string): void {
  const { _protocol: protocol, _sock: socket } = inside(client)
  if (protocol._destruct === undefined || !socket.writable) return
  const { write } = protocol._packetRW
  const message = Buffer.concat([Buffer.of(MESSAGE.DISCONNECT), fields(reason, text, '')])
  const packet = write.alloc(message.length, true)
  packet.set(message, write.allocStartKEX)
  sendPacket(protocol, write.finalize(packet, true), true)
  socket.end()
}

/** Makes new keys each time that `bytes` went both ways. Whoever only receives makes room for more, which is heard. */
export function rekeyAfter(client: Connection, bytes: number): void {
  const { _protocol: protocol, _sock: socket } = inside(client)
  let at = 0
  socket.on('data', () => {
    const now = socket.bytesRead + socket.bytesWritten
    if (now - at < bytes || !socket.writable || protocol._destruct === undefined) return
    at = now
    protocol.rekey()
  })
}

/** Ends the connection where ssh2 would loop, or lose what the agent sent without a word. */
export function guardChannels(client: Connection): void {
  const { _protocol: protocol, _chanMgr: channels } = inside(client)
  const handlers = protocol._handlers
  const { CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_DATA } = handlers
  const violation = (what: string) =>
    disconnect(client, DISCONNECT.protocolError, `sidegate: ${what} [protocol.violation]`)
  Object.assign(handlers, {
    CHANNEL_OPEN: (self, info) => {
      if (info.packetSize >= LEAST_PACKET) return CHANNEL_OPEN(self, info)
      self.channelOpenFail(info.sender, 2, `packets of less than ${LEAST_PACKET} bytes are not sent`)
    },
    CHANNEL_OPEN_CONFIRMATION: (self, info) => {
      if (info.packetSize >= LEAST_PACKET) return CHANNEL_OPEN_CONFIRMATION(self, info)
      violation(`packets of less than ${LEAST_PACKET} bytes are not sent`)
    },
    CHANNEL_DATA: (self, recipient, data) => {
      const found = channels.get(recipient) as OpenChannel | undefined
      const incoming = found?.incoming ?? found?._channel?.incoming
      if (incoming === undefined || data.length <= incoming.window) return CHANNEL_DATA(self, recipient, data)
      violation('more data than there is room for')
    },
  } satisfies Handlers)
}

interface Ahead {
  readonly payloads: Buffer[]
  bytes: number
}

const ahead = new WeakMap<Protocol, Ahead>()

/** Who listens to one of these serves the agent: ssh2's events, or its messages, whose listeners hear of new keys. */
const BEGINNINGS: ReadonlySet<string | symbol> = new Set([
  'session',
  'tcpip',
  'openssh.streamlocal',
  'request',
  'handshake',
])

/**
 * Keeps what the agent opens and asks for until somebody listens: one turn later all of it is handed out in order. Without
 * this it would be refused.
 */
export function holdAhead(client: Connection): void {
  const { _protocol: protocol, _sock: socket } = inside(client)
  const held: Ahead = { payloads: [], bytes: 0 }
  ahead.set(protocol, held)
  const events: EventEmitter = client
  events.on('newListener', listening)

  function listening(event: string | symbol): void {
    if (!BEGINNINGS.has(event)) return
    events.off('newListener', listening)
    // All listeners are attached in one go; nothing is read from the socket before this turn is over.
    process.nextTick(release)
  }

  function release(): void {
    ahead.delete(protocol)
    try {
      for (const payload of held.payloads) {
        if (protocol._destruct === undefined) return
        HANDLERS[payload[0] ?? 0]?.(protocol, payload)
      }
    } catch (error) {
      // As ssh2 treats whatever its handlers throw.
      client.emit('error', error)
      socket.end()
    }
  }
}

function hold(held: Ahead, protocol: Protocol, payload: Buffer): void {
  held.bytes += payload.length
  if (held.bytes > AHEAD_BYTES) throw new Error('the agent sent too much before its session began')
  // The memory of a payload is the reader's.
  held.payloads.push(Buffer.from(payload))
}

for (let type: number = MESSAGE.GLOBAL_REQUEST; type <= MESSAGE.CHANNEL_FAILURE; type++) {
  const theirs = HANDLERS[type]
  if (theirs === undefined) continue
  HANDLERS[type] = (protocol, payload) => {
    const held = ahead.get(protocol)
    return held === undefined ? theirs(protocol, payload) : hold(held, protocol, payload)
  }
}

/**
 * Strict key exchange is strict about the first one only (OpenSSH's PROTOCOL, section 1.10); ssh2 ends the connection on an
 * IGNORE or DEBUG in any. asyncssh sends an IGNORE before each of its packets, and, like other clients that sshd puts up with,
 * data after its KEXINIT, which is still under the old keys.
 */
function renewPatiently(begin: Handler): Handler {
  return (protocol, payload) => {
    const begun = begin(protocol, payload)
    const decipher = protocol._decipher
    const exchange = decipher._onPayload
    decipher._onPayload = (message) => {
      const type = message[0] ?? 0
      const late = type >= MESSAGE.GLOBAL_REQUEST || (type >= MESSAGE.IGNORE && type <= MESSAGE.DEBUG)
      const handle = late ? HANDLERS[type] : undefined
      return handle === undefined ? exchange(message) : handle(protocol, message)
    }
    return begun
  }
}

const renewal = HANDLERS[MESSAGE.KEXINIT]
if (renewal !== undefined) HANDLERS[MESSAGE.KEXINIT] = renewPatiently(renewal)

/** ssh2 forgets the second piece of a greeting that comes in three or more: it gets whole lines. */
function joinGreetings({ prototype }: Inherited['Protocol']): void {
  const { parse } = prototype
  const begun = new WeakMap<object, Buffer>()
  prototype.parse = function (this: Protocol, chunk, at, length) {
    if (!this._server || this._remoteIdentRaw !== undefined) return parse.call(this, chunk, at, length)
    const before = begun.get(this)
    // Copied: what is read is in memory that the next read may use.
    const joined = Buffer.concat([before ?? Buffer.alloc(0), chunk.subarray(at, length)])
    const line = joined.indexOf('\n')
    if ((line === -1 ? joined.length : line) > GREETING_BYTES) throw new Error('the greeting is too long')
    if (line === -1) return void begun.set(this, joined)
    begun.delete(this)
    parse.call(this, joined, 0, joined.length)
  }
}

const waiting = new WeakMap<Socket, (() => void)[]>()

/** One listener for all the channels of a connection. Nobody is told when the connection ends instead: its channels are. */
function whenDrained(socket: Socket, go: () => void): void {
  const others = waiting.get(socket)
  if (others !== undefined) return void others.push(go)
  const all = [go]
  waiting.set(socket, all)
  socket.once('drain', () => {
    waiting.delete(socket)
    for (const each of all) each()
  })
}

/** A write is over when the socket has room again, not when it is in the socket's queue; and never on one that is gone. */
function waitForSocket(stream: Writable): void {
  const prototype = Object.getPrototypeOf(stream) as Writable & { _client?: Inside; _channel?: { _client: Inside } }
  const { _write: write } = prototype
  prototype._write = function (this: typeof prototype, data, encoding, done) {
    const socket = (this._client ?? this._channel?._client)?._sock
    write.call(this, data, encoding, (error) => {
      if (socket === undefined) return done(error)
      if (socket.destroyed) return
      if (socket.writableNeedDrain) whenDrained(socket, () => done(error))
      else done(error)
    })
  }
}

const { Channel } = load('ssh2/lib/Channel.js') as Pick<Inherited, 'Channel'>
const sample = new Channel({}, { incoming: {}, outgoing: {} }, { server: true })
waitForSocket(sample)
waitForSocket(sample.stderr)
joinGreetings(load('ssh2/lib/protocol/Protocol.js') as Inherited['Protocol'])
checkSsh2()
