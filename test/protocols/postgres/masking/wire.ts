/** A bare client: what the server sends, byte for byte, and what of it an agent would see behind the masks. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { maskMethods } from '../../../../src/mask/method.ts'
import { MaskKey } from '../../../../src/mask/key.ts'
import { confirm, type DescribedColumn, type MaskPlan, scrubError } from '../../../../src/protocols/postgres/masking.ts'

export interface Message {
  readonly type: string
  readonly frame: Buffer
}

/** How a statement is sent: as a simple query, or prepared, with its results in text or binary. */
export const WAYS = ['simple', 'text', 'binary'] as const
export type Way = (typeof WAYS)[number]

export class Wire {
  readonly #socket: Socket
  #buffer = Buffer.alloc(0)
  #waiting: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#waiting?.()
    })
  }

  /** Over a server that trusts its loopback. */
  static async open(port: number, user: string, database: string): Promise<Wire> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const wire = new Wire(socket)
    const body = Buffer.from(`\0\x03\0\0user\0${user}\0database\0${database}\0\0`, 'latin1')
    socket.write(Buffer.concat([int32(body.length + 4), body]))
    await wire.#untilReady()
    return wire
  }

  async run(sql: string, way: Way): Promise<readonly Message[]> {
    this.#socket.write(way === 'simple' ? message('Q', text(sql)) : extended(sql, way === 'binary' ? 1 : 0))
    return this.#untilReady()
  }

  close(): void {
    this.#socket.destroy()
  }

  async #untilReady(): Promise<readonly Message[]> {
    const messages: Message[] = []
    for (;;) {
      while (this.#buffer.length >= 5) {
        const length = 1 + this.#buffer.readInt32BE(1)
        if (this.#buffer.length < length) break
        const frame = this.#buffer.subarray(0, length)
        this.#buffer = this.#buffer.subarray(length)
        const type = String.fromCharCode(frame[0] ?? 0)
        messages.push({ type, frame })
        if (type === 'Z') return messages
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
  }
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

function extended(sql: string, format: 0 | 1): Buffer {
  return Buffer.concat([
    message('P', Buffer.concat([text(''), text(sql), Buffer.from([0, 0])])),
    message('B', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, format])),
    message('D', text('P')),
    message('E', Buffer.from([0, 0, 0, 0, 0])),
    message('S', Buffer.alloc(0)),
  ])
}

export function describedBy(frame: Buffer): readonly DescribedColumn[] {
  const columns: DescribedColumn[] = []
  let at = 7
  for (let index = frame.readUInt16BE(5); index > 0; index--) {
    const end = frame.indexOf(0, at)
    const name = frame.toString('utf8', at, end)
    at = end + 1
    columns.push({
      name,
      table: frame.readUInt32BE(at),
      column: frame.readInt16BE(at + 4),
      type: frame.readUInt32BE(at + 6),
    })
    at += 18
  }
  return columns
}

/** A row's values; null for NULL. */
export function valuesOf(frame: Buffer): readonly (Buffer | null)[] {
  const values: (Buffer | null)[] = []
  let at = 7
  for (let index = frame.readUInt16BE(5); index > 0; index--) {
    const length = frame.readInt32BE(at)
    at += 4
    values.push(length === -1 ? null : frame.subarray(at, at + length))
    at += Math.max(0, length)
  }
  if (at !== frame.length) throw new Error('a row has bytes after its last value')
  return values
}

export function fieldsOf(frame: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const field of frame.toString('utf8', 5).split('\0'))
    if (field !== '') fields.set(field.charAt(0), field.slice(1))
  return fields
}

export const METHODS = maskMethods(new MaskKey(Buffer.alloc(32, 7)))

export interface View {
  /** All that an agent would be sent, but for what it cannot choose (ReadyForQuery, tags). */
  readonly bytes: Buffer
  /** The rows, before and after. */
  readonly rows: readonly { readonly from: Buffer; readonly to: Buffer }[]
  readonly mismatch: string | null
  /** SQLSTATE of an error; null where there was none. */
  readonly error: string | null
}

/** What an agent would see of an answer under a plan. */
export function viewOf(messages: readonly Message[], plan: MaskPlan): View {
  const seen: Buffer[] = []
  const rows: { from: Buffer; to: Buffer }[] = []
  let masker = plan.kind === 'clear' ? confirm({ kind: 'clear', scrub: false }, [], METHODS) : null
  let error: string | null = null
  for (const { type, frame } of messages) {
    if (type === 'T') {
      masker = confirm(plan, describedBy(frame), METHODS)
      if (masker.kind === 'mismatch') return { bytes: Buffer.alloc(0), rows: [], mismatch: masker.message, error }
    }
    if (type === 'D') {
      if (masker?.kind !== 'rows') throw new Error('a row came before its description')
      const to = masker.rewriteRow(frame)
      rows.push({ from: frame, to })
      seen.push(to)
    } else if (type === 'E' || type === 'N') {
      const fields = fieldsOf(frame)
      if (type === 'E') error = fields.get('C') ?? ''
      const scrub = plan.kind !== 'clear' || plan.scrub
      seen.push(Buffer.from([...(scrub ? scrubError(fields) : fields).values()].join('\n')))
    } else seen.push(frame)
  }
  return { bytes: Buffer.concat(seen), rows, mismatch: null, error }
}
