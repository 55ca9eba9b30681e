/** A connection of its own to the API server, which is asked to become another protocol's. Redirects are never followed. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TlsOptions } from '../credential/tls.ts'

/** An API server asks the node first, and gives that half a minute. */
const ANSWER_MS = 60_000
/** A server that is gone without a word is noticed within minutes. */
const KEEPALIVE_MS = 60_000
/** What answers in place of switching is a Status. */
const LARGEST_ANSWER = 64 * 1024

/** It has switched: 101 was read, and nothing was sent behind the request. */
export interface Switched {
  readonly kind: 'switched'
  readonly socket: Duplex
  readonly head: Buffer
  readonly headers: IncomingHttpHeaders
}

export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Gives it up. */
  readonly signal: AbortSignal
}

/** Rejects where the API server cannot be reached or trusted, with an error for `upstreamRefusal`. */
export async function dialUpgrade(
  to: TlsOptions,
  limits: { headers: number },
  asked: Asked,
): Promise<Switched | Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Switched | Answered>()
  const request = httpsRequest({
    ...to,
    method: asked.method,
    path: asked.path,
    headers: { ...asked.headers } as Record<string, string | string[]>,
    agent: false,
    maxHeaderSize: limits.headers,
  })
  const abort = () => request.destroy(new Error('nobody waits for it any more'))
  if (asked.signal.aborted) abort()
  else asked.signal.addEventListener('abort', abort, { once: true })
  const timer = setTimeout(() => request.destroy(new Error('the API server did not answer in time')), ANSWER_MS)
  request.once('upgrade', (response, socket, head) => {
    socket.on('error', () => {})
    // Frames of the agent's, which it would notice a silent peer by, end at the sidecar.
    if (socket instanceof Socket) socket.setNoDelay(true).setKeepAlive(true, KEEPALIVE_MS)
    if (response.statusCode === 101) resolve({ kind: 'switched', socket, head, headers: response.headers })
    else request.destroy(new Error('the API server switched without saying so'))
  })
  request.once('response', (response) => {
    readAnswer(response).then(resolve, reject)
  })
  request.once('error', reject)
  request.end()
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    asked.signal.removeEventListener('abort', abort)
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answered> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LARGEST_ANSWER) throw new Error('the answer of the API server is too long')
    chunks.push(chunk)
  }
  const { statusCode: status = 502, headers } = response
  return { kind: 'answered', status, headers, body: Buffer.concat(chunks, length) }
}
