/** What goes to the server, in order: permitted commands and what Sidegate itself originates. Nothing else can. */
import type { Gate, Permit } from '../../../gate/gate.ts'
import type { Origination } from '../origination.ts'

/** Of a permit its own bytes, or, where there are some, bytes of the stream that it covers; without one what Sidegate originates. */
interface Item {
  readonly permit: Permit | null
  readonly bytes: Uint8Array | null
}

export class Outgoing {
  readonly #gate: Gate
  readonly #write: (bytes: Uint8Array) => void
  readonly #fail: (error: unknown) => void
  readonly #sent: () => void
  #items: Item[] = []
  /** Batches whose records are on their way to the disk, oldest first: the gate calls back in order. */
  readonly #batches: (readonly Item[])[] = []
  #closed = false

  /** @param sent called when nothing waits for its record any more. */
  constructor(gate: Gate, write: (bytes: Uint8Array) => void, fail: (error: unknown) => void, sent = () => {}) {
    this.#gate = gate
    this.#write = write
    this.#fail = fail
    this.#sent = sent
  }

  get empty(): boolean {
    return this.#items.length === 0 && this.#batches.length === 0
  }

  forward(permit: Permit): void {
    this.#items.push({ permit, bytes: null })
  }

  /** Bytes that follow a permitted command under its permit: COPY data. */
  stream(permit: Permit, bytes: Uint8Array): void {
    this.#items.push({ permit, bytes })
  }

  originate(origination: Origination): void {
    this.#items.push({ permit: null, bytes: origination })
  }

  /** Nothing more is sent, not even what is on its way to the disk. */
  close(): void {
    this.#closed = true
    this.#items = []
  }

  /** Sends all of it in one write, once everything that was ruled so far is on record. */
  flush(): void {
    if (this.#items.length === 0) return
    this.#batches.push(this.#items)
    this.#items = []
    this.#gate.whenRecorded(this.#recorded)
  }

  readonly #recorded = (error: Error | null): void => {
    const batch = this.#batches.shift() ?? []
    if (this.#closed) return
    if (error !== null) return this.#fail(error)
    try {
      this.#send(batch)
    } catch (misuse) {
      this.#fail(misuse)
    }
    if (this.#batches.length === 0) this.#sent()
  }

  #send(batch: readonly Item[]): void {
    const parts: Uint8Array[] = []
    for (const { permit, bytes } of batch) {
      if (permit === null) parts.push(bytes as Origination)
      else if (bytes === null) parts.push(permit.take())
      // The policy took the stream's permit back meanwhile: what was read before that is dropped, CopyFail follows.
      else if (permit.streaming) parts.push(permit.pass(bytes))
    }
    if (parts.length === 0) return
    this.#write(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts))
  }
}
