/** What is mended in ssh2 for all connections, once, when this is loaded. */
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { awaitGreetings } from './greeting.ts'
import { Channel, checkSsh2, type Handler, HANDLERS, type Inside, MESSAGE, PROTOCOL } from './inside.ts'

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

checkSsh2()
const sample = new Channel({}, { incoming: {}, outgoing: {} }, { server: true })
waitForSocket(sample)
waitForSocket(sample.stderr)
awaitGreetings(PROTOCOL)
