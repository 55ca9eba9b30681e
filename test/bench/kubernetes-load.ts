/** An agent that costs little itself: bytes that were made before, over connections that are kept. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'

const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

interface To {
  readonly port: number
  readonly caFile: string
}

export function get(path: string, token: string): Buffer {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Accept: application/json',
    'User-Agent: bench',
    `Authorization: Bearer ${token}`,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

export async function open({ port, caFile }: To): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(caFile), ALPNProtocols: ['http/1.1'] })
  await once(socket, 'secureConnect')
  socket.setNoDelay(true)
  return socket
}

/** Calls back at the end of each answer, with the bytes of its body. Throws at an answer that is not 200. */
function onAnswers(socket: TLSSocket, answered: (bytes: number) => void): void {
  let head: Buffer = Buffer.alloc(0)
  /** Of a body: bytes still to come, or null while a head does, or −1 of chunks. */
  let left: number | null = null
  let bytes = 0
  /** The last of it, which may come in pieces. */
  let tail: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    if (left === null) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      const end = head.indexOf(HEAD_END)
      if (end === -1) return
      const text = head.toString('latin1', 0, end)
      if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the answer was ${head.toString()}`)
      const length = /^content-length: (\d+)$/im.exec(text)?.[1]
      left = length === undefined ? -1 : Number(length)
      bytes = 0
      tail = Buffer.alloc(0)
      chunk = head.subarray(end + HEAD_END.length)
      head = Buffer.alloc(0)
    }
    bytes += chunk.length
    if (left === -1) {
      tail = Buffer.concat([tail, chunk.subarray(-LAST_CHUNK.length)]).subarray(-LAST_CHUNK.length)
      if (!tail.equals(LAST_CHUNK)) return
    } else if (bytes < left) return
    left = null
    answered(bytes)
  })
}

interface Load {
  readonly perSecond: number
  /** Of each answer, in milliseconds, ascending. */
  readonly latencies: readonly number[]
}

/** Asks the same again and again over so many connections, each with one request at a time. */
export async function load(to: To, request: Buffer, connections: number, ms: number): Promise<Load> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(to)))
  const latencies: number[] = []
  const begin = performance.now()
  await Promise.all(
    sockets.map(async (socket) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      socket.once('close', () => reject(new Error('the connection ended')))
      let sent = performance.now()
      onAnswers(socket, () => {
        const now = performance.now()
        latencies.push(now - sent)
        if (now - begin > ms) return resolve()
        sent = now
        socket.write(request)
      })
      socket.write(request)
      await promise
    }),
  )
  const seconds = (performance.now() - begin) / 1000
  for (const socket of sockets) socket.destroy()
  return { perSecond: latencies.length / seconds, latencies: latencies.toSorted((a, b) => a - b) }
}
