/**
 * What ssh2's server half lacks for this leg, given to each connection at run time: it tells nobody why it ends a connection
 * or refuses a login, drops what comes before anybody listens and what comes beyond a window, loops for ever on packets of no
 * size, buffers without end for a peer with an endless window, and loses a greeting that comes in three pieces. All of it needs
 * the inside of ssh2, which is described in `ssh2/inside.ts`.
 */
import './ssh2/patches.ts'
import type { Socket } from 'node:net'
import type { Connection, PublicKeyAuthContext } from 'ssh2'
import { SIGNATURES } from '../algorithms.ts'
import { fields } from '../channels/messages.ts'
import { isOverfull } from '../channels/transport.ts'
import {
  type Handlers,
  insideOf,
  MESSAGE,
  type OpenChannel,
  type Protocol,
  sendPacket,
  violation as violationOf,
} from './ssh2/inside.ts'

/** RFC 4253, section 11.1. */
export const DISCONNECT = {
  notAllowed: 1,
  protocolError: 2,
  byApplication: 11,
  noMoreMethods: 14,
} as const

/** The least packet that is sent: of one byte each, a write would never come to its end. OpenSSH asks for 32 KiB. */
const LEAST_PACKET = 1024
/** Global requests are answered in order, so that one which people are asked about holds all that follow: clients send few. */
const MOST_UNANSWERED = 1024

export function socketOf(client: Connection): Socket {
  return insideOf(client)._sock
}

/** Shown by every client before the login goes on. */
export function sendBanner(client: Connection, text: string): void {
  send(insideOf(client)._protocol, Buffer.concat([Buffer.of(MESSAGE.USERAUTH_BANNER), fields(`${text}\r\n`, '')]))
}

/**
 * Says which signatures are taken (RFC 8308, section 3.1), right after the first key exchange. ssh2's own list offers SHA-1 and
 * DSA, and lacks a comma before rsa-sha2-512, which no client can then choose.
 */
export function announceSignatures(client: Connection): void {
  const { _protocol: protocol } = insideOf(client)
  const { _onHandshakeComplete: complete } = protocol
  protocol._onHandshakeComplete = (...args) => {
    protocol._onHandshakeComplete = complete
    const wanted = protocol._kex.remoteExtInfoEnabled
    protocol._kex.remoteExtInfoEnabled = false
    complete(...args)
    if (wanted)
      send(protocol, Buffer.concat([Buffer.of(MESSAGE.EXT_INFO), fields(1, 'server-sig-algs', SIGNATURES.join(','))]))
  }
}

function send(protocol: Protocol, message: Buffer): void {
  if (protocol._destruct === undefined) return
  const { write } = protocol._packetRW
  const packet = write.alloc(message.length)
  packet.set(message, write.allocStart)
  sendPacket(protocol, write.finalize(packet))
}

/** Ends the connection and tells the agent why; also in the middle of a key exchange. */
export function disconnect(client: Connection, reason: number, text: string): void {
  const { _protocol: protocol, _sock: socket } = insideOf(client)
  if (protocol._destruct === undefined || !socket.writable) return
  const { write } = protocol._packetRW
  const message = Buffer.concat([Buffer.of(MESSAGE.DISCONNECT), fields(reason, text, '')])
  const packet = write.alloc(message.length, true)
  packet.set(message, write.allocStartKEX)
  sendPacket(protocol, write.finalize(packet, true), true)
  socket.end()
}

/** Answers whether a key would do, under the name that was asked for: ssh2 forgets which of RSA's that was (RFC 4252, section 7). */
export function acceptQuestion(context: PublicKeyAuthContext): void {
  const { key, hashAlgo } = context
  if (key.algo === 'ssh-rsa' && hashAlgo !== undefined) {
    Object.assign(key, { algo: hashAlgo === 'sha256' ? 'rsa-sha2-256' : 'rsa-sha2-512' })
  }
  context.accept()
}

/** Makes new keys each time that `bytes` went both ways. Whoever only receives makes room for more, which is heard. */
export function rekeyAfter(client: Connection, bytes: number): void {
  const { _protocol: protocol, _sock: socket } = insideOf(client)
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
  const { _protocol: protocol, _chanMgr: channels } = insideOf(client)
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
  } satisfies Partial<Handlers>)
}

/** Ends the connection of an agent that asks on and on while its first request is not answered, or keys are exchanged. */
export function guardRequests(client: Connection): void {
  const { _protocol: protocol } = insideOf(client)
  const { GLOBAL_REQUEST } = protocol._handlers
  const { requestSuccess, requestFailure } = protocol
  let unanswered = 0
  protocol._handlers.GLOBAL_REQUEST = (self, name, wantReply, data) => {
    if (unanswered >= MOST_UNANSWERED || isOverfull(self)) throw violationOf('too many requests wait for their answer')
    if (wantReply) unanswered++
    GLOBAL_REQUEST(self, name, wantReply, data)
  }
  Object.assign(protocol, {
    requestSuccess: (data) => {
      unanswered--
      requestSuccess.call(protocol, data)
    },
    requestFailure: () => {
      unanswered--
      requestFailure.call(protocol)
    },
  } satisfies Pick<Protocol, 'requestSuccess' | 'requestFailure'>)
}
