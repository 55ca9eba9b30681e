/** What an agent is answered whose connection does not become another protocol's. */
import type { Duplex } from 'node:stream'
import { STATUS_CODES } from 'node:http'
import { endWith } from '../transport/answer.ts'
import { returnedHeaders } from '../transport/headers.ts'
import type { Answered } from './dial.ts'

/** The API server's own answer, after which the connection ends. */
export function relayAnswer(socket: Duplex, { status, headers, body }: Answered): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`]
  for (const [name, value] of Object.entries(returnedHeaders(headers))) {
    // Where it would send the agent to is none of the agent's business: redirects are not followed.
    if (name === 'location') continue
    for (const one of typeof value === 'string' ? [value] : value) lines.push(`${name}: ${one}`)
  }
  lines.push(`content-length: ${body.length}`, 'connection: close')
  endWith(socket, Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
}
