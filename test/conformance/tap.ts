/** A wire between Sidegate and a target that shows what has passed, and can be told to hold it back. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

export class Tap {
  readonly port: number
  readonly #server: Server
  readonly #sockets: Set<Socket>
  readonly #passed: Buffer[]

  private constructor(server: Server, sockets: Set<Socket>, passed: Buffer[]) {
    this.#server = server
    this.#sockets = sockets
    this.#passed = passed
    this.port = (server.address() as AddressInfo).port
  }

  static async before(port: number): Promise<Tap> {
    const sockets = new Set<Socket>()
    const passed: Buffer[] = []
    const server = createServer((near) => {
      const far = connect({ host: '127.0.0.1', port, noDelay: true })
      for (const socket of [near, far]) {
        sockets.add(socket)
        const other = socket === near ? far : near
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
      }
      near.on('data', (chunk) => passed.push(Buffer.from(chunk)))
      near.pipe(far)
      far.pipe(near)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Tap(server, sockets, passed)
  }

  /** Whether these bytes have been sent to the target, by any connection. */
  passed(bytes: string | Buffer): boolean {
    return Buffer.concat(this.#passed).includes(bytes)
  }

  /** What has been sent to the target since the last call. */
  take(): Buffer {
    return Buffer.concat(this.#passed.splice(0))
  }

  /** Cuts all connections, as a target that dies. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
