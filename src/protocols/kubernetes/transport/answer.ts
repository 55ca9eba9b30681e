/** What Sidegate answers by itself. */
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Refusal } from '../../../gate/refusal.ts'
import { statusOf } from '../refusal.ts'
import type { RequestFacts } from '../request/facts.ts'

const JSON_TYPE = 'application/json'
/** How long an agent may take to read the last answer of a connection. */
const LINGER_MS = 2_000

/** A refusal; `last` where the rest of the request was not read, so that the connection cannot go on. */
export function answerRefusal(
  response: ServerResponse,
  because: Refusal,
  { facts = null, last = false }: { facts?: RequestFacts | null; last?: boolean } = {},
): void {
  if (response.headersSent || response.destroyed) return
  const status = statusOf(because, facts)
  const body = `${JSON.stringify(status)}\n`
  response.writeHead(status.code, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(body),
    ...(last ? { connection: 'close' } : {}),
  })
  response.end(body)
}

/** The same to a client that asked for another protocol on its connection, which ends. */
export function answerUpgrade(socket: Duplex, because: Refusal, facts: RequestFacts | null): void {
  const status = statusOf(because, facts)
  const body = `${JSON.stringify(status)}\n`
  const head = [
    `HTTP/1.1 ${status.code} ${status.reason}`,
    `Content-Type: ${JSON_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  endWith(socket, `${head.join('\r\n')}\r\n\r\n${body}`)
}

/** The last bytes of a connection. An agent that does not leave then keeps no place. */
export function endWith(socket: Duplex, bytes: Uint8Array | string): void {
  socket.end(bytes)
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}
