/**
 * What is recorded of a stream. Of a terminal, all that it shows: that is what a replay plays. Without one, the first part of
 * each of its streams, and of the rest length and digest; of what the agent sends, length and digest only, since it may be a
 * password. At the level `full`, everything.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Gate, Permit } from '../gate/gate.ts'
import type { FrameKind } from '../gate/ports.ts'

/** What people read of a program's output; more is a transfer. */
const RECORDED_BYTES = 64 * 1024

/** How much of what a program writes: all of it, its beginning, or nothing since it is in another recording. */
const SHOWN = { everything: Number.MAX_SAFE_INTEGER, beginning: RECORDED_BYTES, nothing: 0 } as const
export type Recorded = keyof typeof SHOWN

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
  #unsized: boolean
  #ended = false

  /** `unsized`: it is of a terminal, whose size may be said late or never. */
  constructor(
    gate: Gate,
    permit: Permit,
    recorded: Recorded,
    { unsized = false }: { readonly unsized?: boolean } = {},
  ) {
    const full = permit.decisions.some(({ record }) => record === 'full')
    const shown = full ? SHOWN.everything : SHOWN[recorded]
    this.#gate = gate
    this.#permit = permit
    this.#most = { input: full ? shown : 0, output: shown, error: shown }
    this.#unsized = unsized
  }

  /** Bytes that the agent was or will be sent. */
  get sent(): number {
    return (this.#digests.output?.bytes ?? 0) + (this.#digests.error?.bytes ?? 0)
  }

  bytes(stream: StreamName, bytes: Buffer): void {
    if (this.#unsized && stream !== 'input' && bytes.length > 0) this.resized(UNSAID.columns, UNSAID.rows)
    const digest = (this.#digests[stream] ??= new Digest())
    const left = this.#most[stream] - digest.bytes
    digest.update(bytes)
    if (left > 0 && bytes.length > 0) this.#frame(stream, left < bytes.length ? bytes.subarray(0, left) : bytes)
  }

  resized(columns: number, rows: number): void {
    this.#unsized = false
    this.#frame('resize', Buffer.from(`${columns}x${rows}`))
  }

  signalled(name: string): void {
    this.#frame('signal', Buffer.from(name))
  }

  marked(text: string): void {
    this.#frame('marker', Buffer.from(text))
  }

  /** How it ended; null where nobody knows. Once; nothing is recorded after it. */
  ended(exit: { readonly status: number } | { readonly signal: string } | null): void {
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
