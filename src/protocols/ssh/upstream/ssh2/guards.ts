/** What a host must not do to ssh2's client. */
import type { Socket } from 'node:net'
import type { Inside, Protocol } from './inside.ts'

/** The least packet that a host may ask for. OpenSSH asks for 32 KiB; of one byte each, a write would never come to its end. */
const LEAST_PACKET = 1024
/** What a host may send before its greeting: lines of text for people. */
const GREETING_BYTES = 64 * 1024
/** Keys that are made anew more often than that are all that is ever sent. */
const LEAST_REKEY = 64 * 1024

/** Ends the connection where ssh2 would loop, or lose what the host sent without a word. */
export function guardChannels({ protocol, channel }: Inside, socket: Socket): void {
  const violation = (what: string): never => {
    socket.destroy()
    throw Object.assign(new Error(`the host does not follow the protocol: ${what}`), { level: 'protocol' })
  }
  const handlers = protocol._handlers
  const { CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_DATA, CHANNEL_EXTENDED_DATA } = handlers
  const large = ({ packetSize }: { readonly packetSize: number }) => {
    if (packetSize < LEAST_PACKET) violation(`packets of ${packetSize} bytes`)
  }
  const expected = (recipient: number, { length }: Buffer) => {
    const incoming = channel(recipient)?.incoming
    if (incoming === undefined) return
    if (incoming.state !== 'open') violation('data after its end')
    if (length > incoming.window) violation('more data than there is room for')
  }
  Object.assign(handlers, {
    CHANNEL_OPEN: (self, info) => {
      large(info)
      CHANNEL_OPEN(self, info)
    },
    CHANNEL_OPEN_CONFIRMATION: (self, info) => {
      large(info)
      CHANNEL_OPEN_CONFIRMATION(self, info)
    },
    CHANNEL_DATA: (self, recipient, data) => {
      expected(recipient, data)
      CHANNEL_DATA(self, recipient, data)
    },
    CHANNEL_EXTENDED_DATA: (self, recipient, data, type) => {
      expected(recipient, data)
      CHANNEL_EXTENDED_DATA(self, recipient, data, type)
    },
  } satisfies Partial<typeof handlers>)
}

/** A host announces its keys (`hostkeys-00@openssh.com`), and asks whether we are still there. It learns the latter only. */
export function ignoreGlobalRequests(protocol: Protocol): void {
  protocol._handlers.GLOBAL_REQUEST = (self, _name, wantReply) => {
    if (wantReply) self.requestFailure()
  }
}

/** Counts both directions whenever something comes: whoever only sends gets room for more from time to time. */
export function watchBytes(protocol: Protocol, socket: Socket, rekey: number): void {
  const limit = Math.max(rekey, LEAST_REKEY)
  let at = 0
  socket.on('data', () => {
    const bytes = socket.bytesRead + socket.bytesWritten
    if (protocol._remoteIdentRaw === undefined && bytes > GREETING_BYTES) socket.destroy(new Error('no greeting'))
    if (bytes - at < limit || !protocol._authenticated || !socket.writable) return
    at = bytes
    protocol.rekey()
  })
}
