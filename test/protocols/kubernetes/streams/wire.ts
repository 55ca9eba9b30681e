/** An agent that writes its own bytes, and an API server that answers with what it is told to. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { FrameDecoder } from '../../../../src/protocols/kubernetes/streams/decoder.ts'
import { encodeFrame, OPCODE, type Opcode } from '../../../../src/protocols/kubernetes/streams/frames.ts'
import { acceptOf } from '../../../../src/protocols/kubernetes/streams/handshake.ts'
import type { KubernetesTarget } from '../../../support/kubernetes-target.ts'
import { removeAtExit } from '../../../support/process.ts'
import { createAuthority } from '../../../support/tls.ts'

const WAIT_MS = 15_000
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const EXEC = '/api/v1/namespaces/shop/pods/web/exec?command=cat&stdin=true&stdout=true&stderr=true'

/** What both speak: frames, heard as they come. */
export class Peer {
  readonly messages: Buffer[] = []
  readonly pings: string[] = []
  readonly pongs: string[] = []
  closeCode: number | null | undefined
  ended = false
  readonly socket: Duplex
  readonly #mask: Buffer | null
  #pieces: Buffer[] = []

  constructor(socket: Duplex, role: 'client' | 'server', head = Buffer.alloc(0)) {
    this.socket = socket
    this.ended = socket.readableEnded || socket.destroyed
    this.#mask = role === 'client' ? Buffer.from([1, 2, 3, 4]) : null
    const decoder = new FrameDecoder(role === 'server', {
      data: (bytes, last) => {
        this.#pieces.push(bytes)
        if (last) this.messages.push(Buffer.concat(this.#pieces.splice(0)))
      },
      ping: (bytes) => this.pings.push(bytes.toString()),
      pong: (bytes) => this.pongs.push(bytes.toString()),
      close: (code) => (this.closeCode = code),
    })
    socket.on('data', (bytes: Buffer) => decoder.push(bytes))
    socket.on('error', () => {})
    socket.once('end', () => (this.ended = true)).once('close', () => (this.ended = true))
    if (head.length > 0) decoder.push(head)
  }

  send(channel: number, text: string | Buffer = ''): void {
    this.frame(OPCODE.BINARY, Buffer.concat([Buffer.of(channel), Buffer.from(text)]))
  }

  frame(opcode: Opcode, bytes: Uint8Array): void {
    this.socket.write(encodeFrame(opcode, bytes, this.#mask))
  }

  /** What came on a channel so far. */
  on(channel: number): string {
    const mine = this.messages.filter((message) => message[0] === channel)
    return Buffer.concat(mine.map((message) => message.subarray(1))).toString()
  }
}

export async function until(what: string, met: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!met()) {
    if (Date.now() > deadline) throw new Error(`it did not come to pass that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export interface Asked {
  readonly incoming: IncomingMessage
  readonly socket: Duplex
}

export interface FakeApiServer {
  readonly port: number
  readonly caFile: string
  readonly tokens: { readonly admin: string; readonly nobody: string }
  readonly asked: Asked[]
  /** What it does with the next upgrades; by default it switches to the first subprotocol. */
  answer: (asked: Asked) => void
  /** The last upgraded connection. */
  readonly peers: Peer[]
  close(): void
}

export async function startFakeApiServer(): Promise<FakeApiServer> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-fake-api-'))
  removeAtExit(directory)
  const authority = createAuthority()
  const { cert, key } = authority.issue()
  const caFile = join(directory, 'ca.pem')
  writeFileSync(caFile, authority.cert)
  const http = createServer((_request, response) => response.writeHead(400).end('no upgrade'))
  const sockets = new Set<TLSSocket>()
  const tls = createTlsServer({ cert, key, ALPNProtocols: ['http/1.1'] }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    http.emit('connection', socket)
  })
  tls.listen(0, '127.0.0.1')
  await once(tls, 'listening')
  const server: FakeApiServer = {
    port: (tls.address() as AddressInfo).port,
    caFile,
    tokens: { admin: 'real-token', nobody: 'none' },
    asked: [],
    peers: [],
    answer: (asked) => void server.peers.push(switched(asked)),
    close: () => {
      tls.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  http.on('upgrade', (incoming, socket) => {
    socket.on('error', () => {})
    const asked = { incoming, socket }
    server.asked.push(asked)
    server.answer(asked)
  })
  return server
}

/** Switches as a good API server does; `changed` are headers that it says otherwise. */
export function switched({ incoming, socket }: Asked, changed: Readonly<Record<string, string>> = {}): Peer {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Accept': acceptOf(String(incoming.headers['sec-websocket-key'])),
    'Sec-WebSocket-Protocol': String(incoming.headers['sec-websocket-protocol']).split(', ')[0] ?? '',
    ...changed,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`)
  return new Peer(socket, 'server')
}

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  /** Where it switched. */
  readonly peer: Peer | null
}

/** Sends a request to upgrade and reads what it is answered. `raw` goes behind it at once. */
export async function upgrade(
  target: Pick<KubernetesTarget, 'port' | 'caFile'>,
  path: string = EXEC,
  changed: Readonly<Record<string, string | null>> = {},
  { method = 'GET', raw = '' }: { readonly method?: string; readonly raw?: string } = {},
): Promise<Answer> {
  const headers: Record<string, string | null> = {
    Host: 'kubernetes',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
    ...changed,
  }
  const socket = await dialTarget(target)
  const lines = Object.entries(headers).map(([name, value]) => (value === null ? '' : `${name}: ${value}\r\n`))
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${raw}`)
  let read = Buffer.alloc(0)
  const take = (bytes: Buffer) => void (read = Buffer.concat([read, bytes]))
  let ended = false
  socket.on('data', take).once('close', () => (ended = true))
  await until('an answer comes', () => read.includes('\r\n\r\n') || ended)
  const end = read.indexOf('\r\n\r\n')
  const head = read.subarray(0, end).toString()
  const status = Number(head.split(' ')[1] ?? 0)
  if (status === 101) {
    socket.off('data', take)
    return { status, head, body: '', peer: new Peer(socket, 'client', read.subarray(end + 4)) }
  }
  await until('the connection ends', () => ended)
  return { status, head, body: read.subarray(end + 4).toString(), peer: null }
}

async function dialTarget({ port, caFile }: Pick<KubernetesTarget, 'port' | 'caFile'>): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(caFile), servername: 'kubernetes' })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}
