/** A wire between an agent and Sidegate that can send each of the agent's bytes by itself. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class Stammer {
  readonly port: number
  /** From now on each byte is a packet of its own. */
  split = false
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server
    this.#sockets = sockets
    this.port = (server.address() as AddressInfo).port
  }

  static async before(port: number): Promise<Stammer> {
    const sockets = new Set<Socket>()
    const server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: '127.0.0.1', port, noDelay: true })
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
      }
      far.pipe(near)
      void stammer.#forward(near, far)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const stammer = new Stammer(server, sockets)
    return stammer
  }

  async #forward(near: Socket, far: Socket): Promise<void> {
    try {
      for await (const chunk of near as AsyncIterable<Buffer>) {
        if (!this.split) far.write(chunk)
        else {
          for (const byte of chunk) {
            far.write(Buffer.of(byte))
            await new Promise(setImmediate)
          }
        }
      }
      far.end()
    } catch {
      far.destroy()
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
