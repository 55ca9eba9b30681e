/** What goes to the server, in order: permitted commands and what Sidegate itself originates. Nothing else can. */
import type { Gate, Permit } from '../../../gate/gate.ts'
import type { Origination } from '../origination.ts'

type Item = { readonly permit: Permit; readonly streamed: Uint8Array | null } | { readonly origination: Origination }

export class Outgoing {
  readonly #gate: Gate
  readonly #write: (bytes: Uint8Array) => void
  readonly #fail: (error: unknown) => void
  #items: Item[] = []
  /** Batches whose records are on their way to the disk. */
  #batches = 0
  #closed = false

  constructor(gate: Gate, write: (bytes: Uint8Array) => void, fail: (error: unknown) => void) {
    this.#gate = gate
    this.#write = write
    this.#fail = fail
  }

  get empty(): boolean {
    return this.#items.length === 0 && this.#batches === 0
  }

  forward(permit: Permit): void {
    this.#items.push({ permit, streamed: null })
  }

  /** Bytes that follow a permitted command under its permit: COPY data. */
  stream(permit: Permit, bytes: Uint8Array): void {
    this.#items.push({ permit, streamed: bytes })
  }

  originate(origination: Origination): void {
    this.#items.push({ origination })
  }

  /** Nothing more is sent, not even what is on its way to the disk. */
  close(): void {
    this.#closed = true
    this.#items = []
  }

  /** Sends all of it in one write, once everything that was ruled so far is on record. */
  flush(): void {
    if (this.#items.length === 0) return
    const batch = this.#items
    this.#items = []
    this.#batches++
    this.#gate.whenRecorded((error) => {
      this.#batches--
      if (this.#closed) return
      if (error !== null) return this.#fail(error)
      try {
        this.#send(batch)
      } catch (misuse) {
        this.#fail(misuse)
      }
    })
  }

  #send(batch: readonly Item[]): void {
    const parts: Uint8Array[] = []
    for (const item of batch) {
      if ('origination' in item) parts.push(item.origination)
      else if (item.streamed === null) parts.push(item.permit.take())
      // The policy took the stream's permit back meanwhile: what was read before that is dropped, CopyFail follows.
      else if (item.permit.streaming) parts.push(item.permit.pass(item.streamed))
    }
    if (parts.length === 0) return
    this.#write(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts))
  }
}
