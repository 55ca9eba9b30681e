/**
 * What carries channels: one leg's encrypted packets.
 *
 * Channels are not ssh2's own. Those send a part of the output twice when both of its streams are slow, drop what comes
 * beyond a window without a word, answer no request after the agent's EOF, lose the terminal's modes, and loop for ever on a
 * peer whose largest packet is 0. ssh2 does what is below them: transport, key exchange, authentication. Its own channels
 * remain for what is forwarded, and get the messages that are not for ours.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { Client, Connection as ServerConnection } from 'ssh2'
import { ChannelViolation, MESSAGE } from './messages.ts'
import { DataPackets } from './packets.ts'

/** The parts of ssh2 1.17 that channels stand on; none of them is in its documentation. */
interface Protocol {
  /** Not undefined while keys are exchanged: what is sent waits in memory. */
  readonly _kexinit: unknown
  /** What waits for new keys. */
  readonly _queue: readonly Buffer[] | undefined
  /** Undefined once nothing can be sent any more. */
  readonly _destruct: unknown
  readonly _cipher: object
  readonly _packetRW: {
    readonly write: { readonly allocStart: number; alloc(length: number): Buffer; finalize(packet: Buffer): Buffer }
  }
  channelData(recipient: number, data: Buffer): void
  channelExtData(recipient: number, data: Buffer, code: number): void
  disconnect(reason: number): void
}

interface Leg {
  readonly _protocol: Protocol
  readonly _sock: Socket
  readonly _chanMgr: { add(): number; remove(id: number): void }
  readonly noMoreSessions?: boolean
}

type Handler = (protocol: Protocol, payload: Buffer) => unknown

const load = createRequire(import.meta.url)
const HANDLERS = load('ssh2/lib/protocol/handlers.js') as (Handler | undefined)[]
const { sendPacket } = load('ssh2/lib/protocol/utils.js') as { sendPacket(protocol: Protocol, packet: Buffer): boolean }

/** Who gets a leg's messages before ssh2 does. True: it was for him. */
const listeners = new WeakMap<Protocol, (payload: Buffer) => boolean>()

for (const type of Object.values(MESSAGE)) {
  const theirs = HANDLERS[type]
  if (theirs === undefined) throw new Error(`ssh2 has no handler of message ${type}`)
  HANDLERS[type] = (protocol, payload) =>
    listeners.get(protocol)?.(payload) === true ? undefined : theirs(protocol, payload)
}

/** Bytes that wait in the socket before its side counts as slow: enough that the kernel never waits for us. */
const CONGESTED = 512 * 1024

/** A peer that asks and does not read the answers is not read from while as much waits; windows bound all else. */
const CLOGGED = 64 * 1024 ** 2

/**
 * Packets that wait for new keys. Data hold themselves back, and what is answered meanwhile is some thousands where every
 * channel is busy with sftp; a peer that never ends the exchange, and asks on and on, must not fill the memory. Measured with a
 * recorder in memory, which is part of it: 546,000 channels that were refused in 15 s took 1.0 GB; with this, 16,800 took 46 MB.
 */
const MOST_WAITING = 16_384

/** More waits for new keys than a peer that means to give them lets wait. */
export function isOverfull({ _queue: queue }: { readonly _queue: readonly Buffer[] | undefined }): boolean {
  return queue !== undefined && queue.length > MOST_WAITING
}

/** RFC 4253, section 11.1. */
const DISCONNECT = { violation: 2, application: 11 } as const

export interface Events {
  /** Says whether a message was for it. May throw a {@link ChannelViolation}, which ends the connection. */
  message(payload: Buffer): boolean
  /** What is sent goes out again: the transport was congested, and is not. */
  drained(): void
  violated(violation: ChannelViolation): void
}

export interface Transport {
  send(message: Buffer): void
  data(recipient: number, bytes: Buffer): void
  extendedData(recipient: number, code: number, bytes: Buffer): void
  /** What is sent now waits in memory: the peer does not read, or keys are exchanged. */
  readonly congested: boolean
  /** A number for a channel that ssh2 gives to none of its own before it is released. */
  reserve(): number
  release(id: number): void
  /** The peer has said that it will open no more sessions. */
  readonly noMoreSessions: boolean
  /** Ends the connection; the peer is told why. */
  disconnect(because: keyof typeof DISCONNECT): void
  /** Cuts it. */
  destroy(): void
  /** It is gone, and nothing more is heard of it. */
  readonly closed: boolean
}

/** Takes over the messages of channels on one leg. */
export function attach(client: Client | ServerConnection, events: Events): Transport {
  const leg = legOf(client)
  const { _protocol: protocol, _sock: socket, _chanMgr: numbers } = leg
  const packets = new DataPackets(socket)
  const head = Buffer.alloc(9)
  const dead = () => protocol._destruct === undefined || socket.destroyed
  const transport: Transport = {
    send(message) {
      if (dead()) return
      const { write } = protocol._packetRW
      const packet = write.alloc(message.length)
      packet.set(message, write.allocStart)
      sendPacket(protocol, write.finalize(packet))
    },
    data(recipient, bytes) {
      if (dead()) return
      head.writeUInt8(MESSAGE.DATA, 0)
      head.writeUInt32BE(recipient, 1)
      head.writeUInt32BE(bytes.length, 5)
      // While keys are exchanged, what is sent waits in ssh2's own queue.
      if (protocol._kexinit === undefined && packets.send(protocol._cipher, head, bytes)) return
      protocol.channelData(recipient, bytes)
    },
    extendedData(recipient, code, bytes) {
      if (!dead()) protocol.channelExtData(recipient, bytes, code)
    },
    get congested() {
      return protocol._kexinit !== undefined || socket.writableLength > CONGESTED
    },
    reserve: () => numbers.add(),
    release: (id) => numbers.remove(id),
    get noMoreSessions() {
      return leg.noMoreSessions === true
    },
    disconnect(because) {
      // Of a peer that sends no more, ssh2 has torn the protocol down, and still holds the socket.
      if (dead()) return void socket.end()
      protocol.disconnect(DISCONNECT[because])
      socket.end()
    },
    destroy: () => void socket.destroy(),
    get closed() {
      return socket.closed
    },
  }
  listeners.set(protocol, (payload) => {
    if (socket.writableLength > CLOGGED) socket.pause()
    try {
      if (isOverfull(protocol)) throw new ChannelViolation('too much is asked for while keys are exchanged')
      return events.message(payload)
    } catch (error) {
      if (!(error instanceof ChannelViolation)) throw error
      transport.disconnect('violation')
      events.violated(error)
      return true
    }
  })
  socket.on('drain', () => {
    if (!socket.destroyed) socket.resume()
    events.drained()
  })
  // Emitted again when keys were exchanged anew.
  client.on('handshake', () => events.drained())
  return transport
}

/** ssh2 is pinned to a version; this fails at once with one that is made in another way. */
function legOf(client: object): Leg {
  const leg = client as Partial<Leg>
  const { _protocol: protocol, _sock: socket, _chanMgr: numbers } = leg
  const whole =
    typeof protocol?.channelExtData === 'function' &&
    typeof protocol._packetRW.write.alloc === 'function' &&
    typeof socket?.writableLength === 'number' &&
    typeof numbers?.add === 'function'
  if (!whole) throw new Error('this version of ssh2 is made in another way')
  return leg as Leg
}
