/**
 * An SSH client that sends any message it likes once it has logged in. ssh2 does the transport and the login; from then on
 * every message comes here, and no rule of channels is kept but those that the test keeps.
 */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'
import { Client, type ConnectConfig } from 'ssh2'
import { decode, fields, type Message, MESSAGE, Reader } from '../../src/protocols/ssh/channels/messages.ts'

export const GLOBAL = { REQUEST: 80, SUCCESS: 81, FAILURE: 82 } as const
const DISCONNECT = 1
const UNIMPLEMENTED = 3
/** An answer that has not come by then does not come. */
const ANSWER_MS = 10_000

/** ssh2 1.17's inside. */
interface Protocol {
  readonly _destruct: unknown
  readonly _decipher: { _onPayload: (payload: Buffer) => void }
  readonly _packetRW: {
    readonly write: { readonly allocStart: number; alloc(length: number): Buffer; finalize(packet: Buffer): Buffer }
  }
}

const load = createRequire(import.meta.url)
const { sendPacket } = load('ssh2/lib/protocol/utils.js') as { sendPacket(protocol: Protocol, packet: Buffer): boolean }

type Field = string | Uint8Array | number | boolean

/** What came: a message of a channel, or another by its number. */
export type Came =
  | Message
  | { readonly type: 1 | 3 | 80 | 81 | 82; readonly recipient?: undefined; readonly text: string }

/** What became of a program on a channel. */
export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  /** Exit status, the name of a signal, or null where none was told. */
  readonly exit: number | string | null
}

export class RawSsh {
  readonly socket: Socket
  readonly #protocol: Protocol
  readonly #came: Came[] = []
  readonly #waiting = new Set<() => void>()
  #closed = false
  #next = 0

  private constructor(client: Client, socket: Socket) {
    this.socket = socket
    this.#protocol = (client as unknown as { readonly _protocol: Protocol })._protocol
    this.#protocol._decipher._onPayload = (payload) => this.#receive(Buffer.from(payload))
    socket.once('close', () => {
      this.#closed = true
      this.#wake()
    })
    client.on('error', () => {})
  }

  static async connect(port: number, config: ConnectConfig = {}): Promise<RawSsh> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const client = new Client()
    const ready = once(client, 'ready')
    client.connect({ sock: socket, username: 'agent', readyTimeout: ANSWER_MS, ...config })
    await ready
    return new RawSsh(client, socket)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** A whole message: its number, and what follows. */
  send(type: number, ...body: readonly Field[]): void {
    this.sendBytes(Buffer.concat([Buffer.of(type), all(body)]))
  }

  sendBytes(message: Buffer): void {
    if (this.#protocol._destruct === undefined) return
    const { write } = this.#protocol._packetRW
    const packet = write.alloc(message.length)
    packet.set(message, write.allocStart)
    sendPacket(this.#protocol, write.finalize(packet))
  }

  /** Waits for the first message, of those that nobody has taken, that is as wanted; null when the connection ends first. */
  async take(wanted: (came: Came) => boolean, ms = ANSWER_MS): Promise<Came | null> {
    const deadline = Date.now() + ms
    for (;;) {
      const at = this.#came.findIndex(wanted)
      if (at !== -1) return this.#came.splice(at, 1)[0] ?? null
      if (this.#closed) return null
      const left = deadline - Date.now()
      if (left <= 0) throw new Error('no answer came')
      await this.#more(left)
    }
  }

  /** What has come and was not taken. */
  get pending(): readonly Came[] {
    return this.#came
  }

  /** Opens a channel and gives both its numbers; null where that is refused. */
  async open(
    type = 'session',
    { window = 2 ** 21, packet = 2 ** 15, body = Buffer.alloc(0) } = {},
  ): Promise<{ readonly local: number; readonly remote: number } | null> {
    const local = this.#next++
    this.sendBytes(Buffer.concat([Buffer.of(MESSAGE.OPEN), fields(type, local, window, packet), body]))
    const answer = await this.take(
      (came) =>
        (came.type === MESSAGE.OPEN_CONFIRMATION || came.type === MESSAGE.OPEN_FAILURE) && came.recipient === local,
    )
    return answer?.type === MESSAGE.OPEN_CONFIRMATION ? { local, remote: answer.sender } : null
  }

  /** A request that wants no reply. */
  tell(channel: { readonly remote: number }, name: string | Uint8Array, ...body: readonly Field[]): void {
    this.sendBytes(Buffer.concat([Buffer.of(MESSAGE.REQUEST), fields(channel.remote, name, false), all(body)]))
  }

  /** Whether the request was granted; null when the connection ended. */
  async ask(
    channel: { readonly local: number; readonly remote: number },
    name: string | Uint8Array,
    ...body: readonly Field[]
  ): Promise<boolean | null> {
    this.sendBytes(Buffer.concat([Buffer.of(MESSAGE.REQUEST), fields(channel.remote, name, true), all(body)]))
    const answer = await this.take(
      (came) => (came.type === MESSAGE.SUCCESS || came.type === MESSAGE.FAILURE) && came.recipient === channel.local,
    )
    return answer === null ? null : answer.type === MESSAGE.SUCCESS
  }

  /** Reads a channel to its CLOSE, which is answered; null for the exit when the connection ended. */
  async outcome(channel: { readonly local: number; readonly remote: number }, ms?: number): Promise<Outcome> {
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
    let exit: Outcome['exit'] = null
    for (;;) {
      const came = await this.take((each) => each.type !== MESSAGE.OPEN && each.recipient === channel.local, ms)
      if (came === null) break
      if (came.type === MESSAGE.DATA) stdout.push(came.data)
      if (came.type === MESSAGE.EXTENDED_DATA) stderr.push(came.data)
      if (came.type === MESSAGE.REQUEST) {
        const reader = new Reader(came.request.body)
        if (came.request.name === 'exit-status') exit = reader.uint32()
        if (came.request.name === 'exit-signal') exit = reader.string().toString()
      }
      if (came.type === MESSAGE.CLOSE) {
        this.send(MESSAGE.CLOSE, channel.remote)
        break
      }
    }
    return { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), exit }
  }

  /** A channel of its own, a command on it, its input, and what became of it. */
  async exec(command: string | Uint8Array, input = ''): Promise<Outcome> {
    const channel = await this.open()
    if (channel === null) return { stdout: '', stderr: '', exit: null }
    if ((await this.ask(channel, 'exec', command)) === true) {
      if (input !== '') this.send(MESSAGE.DATA, channel.remote, input)
      this.send(MESSAGE.EOF, channel.remote)
    } else this.send(MESSAGE.CLOSE, channel.remote)
    return await this.outcome(channel)
  }

  /** Goes away without a word. */
  destroy(): void {
    this.socket.destroy()
  }

  #receive(payload: Buffer): void {
    const type = payload[0] ?? 0
    if (type >= MESSAGE.OPEN) this.#came.push(decode(payload))
    else if (type === DISCONNECT || type === UNIMPLEMENTED || (type >= GLOBAL.REQUEST && type <= GLOBAL.FAILURE)) {
      this.#came.push({ type, text: payload.toString('latin1') } as Came)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  #more(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

const all = (body: readonly Field[]): Buffer => (body.length === 0 ? Buffer.alloc(0) : fields(...body))
