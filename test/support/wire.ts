/** A PostgreSQL client that sends exactly the frames that a test wants, and shows exactly those that it gets. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FRAME, FrameReader, NONE, PIECE } from '../../src/protocols/postgres/framing.ts'
import {
  BACKEND,
  backendTable,
  decodeCommandComplete,
  decodeDataRow,
  decodeErrorResponse,
  decodeReadyForQuery,
  decodeRowDescription,
  encodeQuery,
  encodeStartup,
  PROTOCOL_3_0,
} from '../../src/protocols/postgres/messages.ts'

/** How long a test waits for an answer before it says what came instead. */
const PATIENCE_MS = 10_000

export interface Answer {
  /** The type byte as a character. */
  readonly type: string
  /** ErrorResponse and NoticeResponse. */
  readonly fields?: ReadonlyMap<string, string>
  /** DataRow, as text. */
  readonly values?: readonly (string | null)[]
  /** CommandComplete's tag, ReadyForQuery's status, RowDescription's names. */
  readonly text?: string
  readonly raw: Buffer
}

export class WireClient {
  readonly socket: Socket
  readonly answers: Answer[] = []
  readonly #reader = new FrameReader(backendTable(64 * 1024 ** 2))
  #wake: (() => void) | null = null
  ended = false
  #taken = 0

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.#wake?.()
    })
  }

  /** Connects without a proof of identity, up to ReadyForQuery. */
  static async connect(
    port: number,
    database: string,
    user = 'agent',
    more: readonly [string, string][] = [],
  ): Promise<WireClient> {
    const client = await WireClient.open(port)
    client.send(encodeStartup(PROTOCOL_3_0, [['user', user], ['database', database], ...more]))
    await client.ready()
    return client
  }

  static async open(port: number): Promise<WireClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new WireClient(socket)
  }

  send(...frames: Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** Everything up to and with the next ReadyForQuery, or the end of the connection. */
  async ready(): Promise<readonly Answer[]> {
    return await this.until((answer) => answer.type === 'Z')
  }

  /** Everything up to and with the first answer that satisfies. */
  async until(satisfies: (answer: Answer) => boolean): Promise<readonly Answer[]> {
    const deadline = Date.now() + PATIENCE_MS
    const from = this.#taken
    for (let at = from; ;) {
      for (; at < this.answers.length; at++) {
        if (!satisfies(this.answers[at] as Answer)) continue
        this.#taken = at + 1
        return this.answers.slice(from, at + 1)
      }
      if (this.ended) {
        this.#taken = this.answers.length
        return this.answers.slice(from)
      }
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`no answer in time; so far: ${this.answers.slice(from).map(show).join(' ')}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, left).unref()
      })
    }
  }

  async query(text: string): Promise<readonly Answer[]> {
    this.send(encodeQuery(text))
    return await this.ready()
  }

  close(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    const reader = this.#reader
    reader.feed(chunk)
    for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
      if (kind === PIECE) continue
      if (kind === FRAME)
        this.answers.push(decoded(reader.type, Buffer.from(reader.buffer.subarray(reader.start, reader.end))))
    }
    this.#wake?.()
  }
}

function decoded(type: number, raw: Buffer): Answer {
  const letter = String.fromCharCode(type)
  if (type === BACKEND.ErrorResponse || type === BACKEND.NoticeResponse) {
    return { type: letter, raw, fields: decodeErrorResponse(raw, 0, raw.length) }
  }
  if (type === BACKEND.DataRow) {
    return { type: letter, raw, values: decodeDataRow(raw, 0, raw.length).map((value) => value?.toString() ?? null) }
  }
  if (type === BACKEND.CommandComplete) return { type: letter, raw, text: decodeCommandComplete(raw, 0, raw.length) }
  if (type === BACKEND.ReadyForQuery) return { type: letter, raw, text: decodeReadyForQuery(raw, 0, raw.length) }
  if (type === BACKEND.RowDescription) {
    return {
      type: letter,
      raw,
      text: decodeRowDescription(raw, 0, raw.length)
        .map(({ name }) => name)
        .join(','),
    }
  }
  return { type: letter, raw }
}

/** One word for an answer: `T`, `D(1,2)`, `C(SELECT 1)`, `E(42501)`, `Z(I)`. */
export function show({ type, fields, values, text }: Answer): string {
  if (type === 'T') return 'T'
  if (fields !== undefined) return `${type}(${fields.get('C') ?? ''})`
  if (values !== undefined) return `${type}(${values.join(',')})`
  return text === undefined ? type : `${type}(${text})`
}

export const shown = (answers: readonly Answer[]): string => answers.map(show).join(' ')
