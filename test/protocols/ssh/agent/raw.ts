/** A client of SSH that does what a test wants, also what no client does: ssh2's, and its inside. */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { once } from 'node:events'
import { Client, type ConnectConfig } from 'ssh2'

/** What a client of a test sees of its connection. */
export interface RawClient {
  readonly client: Client
  readonly socket: Socket
  /** True when it logged in, false when the connection ended first. */
  readonly ready: Promise<boolean>
  readonly closed: Promise<void>
  readonly banners: string[]
  readonly errors: string[]
  /** Sends without asking ssh2's bookkeeping. */
  readonly protocol: RawProtocol
}

export interface RawProtocol {
  session(channel: number, window: number, packet: number): void
  authPassword(user: string, password: string): void
  exec(channel: number, command: string, wantReply: boolean): void
  channelData(channel: number, data: Buffer): void
  tcpipForward(address: string, port: number, wantReply: boolean): void
  /** A global request that wants an answer. */
  ping(): void
  rekey(): void
  _kexinit: unknown
  readonly _packetRW: { readonly write: { allocStart: number } }
  readonly _decipher: { _onPayload: (payload: Buffer) => void }
  readonly _handlers: Record<string, (self: unknown, ...args: never[]) => void>
}

export async function rawClient(port: number, config: ConnectConfig): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.setNoDelay(true)
  const client = new Client()
  const [banners, errors]: [string[], string[]] = [[], []]
  client.on('error', (error) => errors.push(error.message))
  client.on('banner', (text) => banners.push(text))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const ready = new Promise<boolean>((resolve) => {
    client.once('ready', () => resolve(true))
    void closed.then(() => resolve(false))
  })
  client.connect({ sock: socket, readyTimeout: 0, ...config })
  const { _protocol: protocol } = client as unknown as { readonly _protocol: RawProtocol }
  return { client, socket, ready, closed, banners, errors, protocol }
}
