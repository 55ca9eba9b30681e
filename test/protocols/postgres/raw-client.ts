/** A client that says exactly what a test wants, and tells frames apart. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { decodeErrorResponse } from '../../../src/protocols/postgres/messages/backend.ts'

export interface Frame {
  readonly type: string
  readonly bytes: Buffer
}

export class RawClient {
  socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #closed = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.#listen()
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  send(...bytes: Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  /** TLS over this connection; rejects when it fails. */
  async secure(options: ConnectionOptions): Promise<void> {
    this.socket.removeAllListeners('data')
    const secured = connectTls({ ...options, socket: this.socket })
    await once(secured, 'secureConnect')
    this.socket = secured
    this.#listen()
  }

  async byte(): Promise<string> {
    await this.#until(() => this.#received.length > 0)
    const [byte] = this.#received
    this.#received = this.#received.subarray(1)
    return String.fromCharCode(byte ?? 0)
  }

  async frame(): Promise<Frame> {
    const length = () => (this.#received.length < 5 ? Number.POSITIVE_INFINITY : this.#received.readUInt32BE(1) + 1)
    await this.#until(() => this.#received.length >= length())
    const size = length()
    if (!Number.isFinite(size) || size > this.#received.length) throw new Error('the connection closed before a frame')
    const bytes = this.#received.subarray(0, size)
    this.#received = this.#received.subarray(size)
    return { type: String.fromCharCode(bytes[0] ?? 0), bytes }
  }

  /** The fields of the error that comes now, by letter. */
  async error(): Promise<Record<string, string>> {
    const { type, bytes } = await this.frame()
    if (type !== 'E') throw new Error(`${type} came, and no error`)
    return Object.fromEntries(decodeErrorResponse(bytes, 0, bytes.length))
  }

  /** Resolves when the other side has closed, with whatever came before that was not read. */
  async closed(): Promise<Buffer> {
    await this.#until(() => this.#closed)
    return this.#received
  }

  destroy(): void {
    this.socket.destroy()
  }

  #listen(): void {
    this.socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake()
    })
    this.socket.on('error', () => {})
    const end = () => {
      this.#closed = true
      this.#wake()
    }
    this.socket.on('end', end).on('close', end)
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
