/** An HTTP/1.1 client over TLS that sends the very bytes it is given, and waits for as many answers as it is told. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'

/** An answer that has not come by then does not come. */
const ANSWER_MS = 10_000

export interface RawAnswer {
  readonly status: number
  /** Lower-case names; of what came twice, the last. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface RawAddress {
  readonly port: number
  readonly caFile: string
}

/** A request as bytes: its head with the given lines, then the body. */
export function rawRequest(
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[] = [],
  body = '',
): Buffer {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'Host: localhost',
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ]
  // Bytes of a target are bytes, and no characters.
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)])
}

export class RawHttp {
  readonly socket: TLSSocket
  #came: Buffer = Buffer.alloc(0)
  #ended = false
  readonly #waiting = new Set<() => void>()

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#came = Buffer.concat([this.#came, chunk])
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    socket.on('error', end).on('end', end).on('close', end)
  }

  static async connect({ port, caFile }: RawAddress): Promise<RawHttp> {
    const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(caFile), ALPNProtocols: ['http/1.1'] })
    await once(socket, 'secureConnect')
    socket.setNoDelay(true)
    return new RawHttp(socket)
  }

  get ended(): boolean {
    return this.#ended
  }

  send(bytes: Uint8Array): void {
    if (!this.#ended) this.socket.write(bytes)
  }

  /** What came and was not taken as an answer. */
  get rest(): Buffer {
    return this.#came
  }

  /** The next answer, or null when the connection ends before it is whole. */
  async answer(method = 'GET', ms = ANSWER_MS): Promise<RawAnswer | null> {
    const deadline = Date.now() + ms
    for (;;) {
      const whole = takeAnswer(this.#came, method, this.#ended)
      if (whole !== null) {
        this.#came = this.#came.subarray(whole.length)
        return whole.answer
      }
      if (this.#ended || Date.now() > deadline) return null
      await this.#more(deadline - Date.now())
    }
  }

  /** Waits until `ms` have passed, or what came matches. */
  async until(pattern: RegExp, ms = ANSWER_MS): Promise<boolean> {
    const deadline = Date.now() + ms
    while (!pattern.test(this.#came.toString('latin1'))) {
      if (this.#ended || Date.now() > deadline) return false
      await this.#more(deadline - Date.now())
    }
    return true
  }

  close(): void {
    this.socket.destroy()
  }

  async #more(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, ms)
      const waiting = this.#waiting
      function done(): void {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
      waiting.add(done)
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

function takeAnswer(bytes: Buffer, method: string, ended: boolean): { answer: RawAnswer; length: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = new Map<string, string>()
  for (const header of lines) {
    const colon = header.indexOf(':')
    headers.set(header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim())
  }
  const status = Number(line.split(' ')[1])
  const start = end + 4
  const body = bodyOf(bytes, start, { status, headers, method, ended })
  if (body === null) return null
  return { answer: { status, headers, body: body.text }, length: body.end }
}

function bodyOf(
  bytes: Buffer,
  start: number,
  {
    status,
    headers,
    method,
    ended,
  }: { status: number; headers: ReadonlyMap<string, string>; method: string; ended: boolean },
): { text: string; end: number } | null {
  if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return { text: '', end: start }
  if (headers.get('transfer-encoding') === 'chunked') return dechunked(bytes, start)
  const length = headers.get('content-length')
  if (length === undefined) return ended ? { text: bytes.toString('utf8', start), end: bytes.length } : null
  const end = start + Number(length)
  return bytes.length < end ? null : { text: bytes.toString('utf8', start, end), end }
}

function dechunked(bytes: Buffer, start: number): { text: string; end: number } | null {
  const parts: Buffer[] = []
  for (let at = start; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return null
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    const next = line + 2 + size + 2
    if (bytes.length < next) return null
    if (size === 0) return { text: Buffer.concat(parts).toString(), end: next }
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}
