/** What an agent sends between its login and the begin of its session: ssh2 would refuse it, since nobody listens yet. */
import type { EventEmitter } from 'node:events'
import type { Connection } from 'ssh2'
import { HANDLERS, insideOf, MESSAGE, type Protocol } from './inside.ts'

/** What an agent may send ahead before its session begins: far more than a client that opens all its forwards at once. */
const AHEAD_BYTES = 256 * 1024

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
  const { _protocol: protocol, _sock: socket } = insideOf(client)
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
