/**
 * What is recorded of a stream. With a terminal, all that it shows: that is what a replay plays. Without one, the first part of
 * each of its streams, and of the rest length and digest; of what the agent sends, length and digest only, since it may be a
 * password. At the level `full`, everything. Of a tunnel, whose bytes nobody reads, lengths alone.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Gate, Permit } from '../../../gate/gate.ts'
import type { FrameKind } from '../../../gate/ports.ts'
import type { Exit } from './exit.ts'

/** What people read of a program's output; more is a transfer. */
const RECORDED_BYTES = 64 * 1024

type StreamName = 'input' | 'output' | 'error'

class Digest {
  bytes = 0
  readonly #hash: Hash = createHash('sha256')

  update(bytes: Buffer): void {
    this.bytes += bytes.length
    this.#hash.update(bytes)
  }

  /** Once. */
  summary() {
    return { bytes: this.bytes, sha256: this.#hash.digest('hex') }
  }
}

/** What a terminal has whose size nobody said. A replay knows terminals by their size, which comes before what they show. */
const UNSAID = { columns: 80, rows: 24 } as const

/** Every method but `sent` throws the journal's error where it cannot be recorded: what goes on then would be missing. */
export class Recording {
  readonly #gate: Gate
  readonly #permit: Permit
  readonly #most: Readonly<Record<StreamName, number>>
  readonly #digests: Record<StreamName, Digest | null> = { input: null, output: null, error: null }
  #sized: boolean
  #ended = false

  constructor(gate: Gate, permit: Permit, tty: boolean) {
    const full = permit.decisions.some(({ record }) => record === 'full')
    const shown = full || tty ? Number.MAX_SAFE_INTEGER : RECORDED_BYTES
    this.#gate = gate
    this.#permit = permit
    this.#sized = !tty
    this.#most = { input: full ? shown : 0, output: shown, error: shown }
  }

  /** Bytes that the agent was or will be sent. */
  get sent(): number {
    return (this.#digests.output?.bytes ?? 0) + (this.#digests.error?.bytes ?? 0)
  }

  bytes(stream: StreamName, bytes: Buffer): void {
    if (!this.#sized && stream !== 'input' && bytes.length > 0) this.resized(UNSAID.columns, UNSAID.rows)
    const digest = (this.#digests[stream] ??= new Digest())
    const left = this.#most[stream] - digest.bytes
    digest.update(bytes)
    if (left > 0 && bytes.length > 0) this.#frame(stream, left < bytes.length ? bytes.subarray(0, left) : bytes)
  }

  resized(columns: number, rows: number): void {
    this.#sized = true
    this.#frame('resize', Buffer.from(`${columns}x${rows}`))
  }

  marked(text: string): void {
    this.#frame('marker', Buffer.from(text))
  }

  /** How it ended; null where nobody knows. Once; nothing is recorded after it. */
  ended(exit: Exit): void {
    if (this.#ended) return
    if (exit !== null) this.#frame('exit', Buffer.from(JSON.stringify(exit)))
    const streams = Object.entries(this.#digests).flatMap(([name, digest]) =>
      digest === null ? [] : [[name, digest.summary()] as const],
    )
    if (streams.length > 0) this.marked(JSON.stringify({ streams: Object.fromEntries(streams) }))
    this.#ended = true
  }

  #frame(kind: FrameKind, data: Uint8Array): void {
    if (!this.#ended) this.#gate.frame(this.#permit, 0, kind, data)
  }
}
