/** Shipping as the sidecar sees it: a thread, how far it got, and how far it lags. */
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { segmentsOf } from './directory.ts'
import type { ShipMessage, ShipWork } from './ship-worker.ts'
import type { ShipperStatus } from './shipper.ts'
import type { RedisSettings } from './streams.ts'

/** How soon the thread learns what became durable. */
const TELL_MS = 10
const RESTART_MS = 1_000
const STOP_MS = 5_000
const DRAIN_POLL_MS = 10

/** The journal, as far as shipping needs it. */
export interface Source {
  readonly directory: string
  readonly instance: string
  readonly durable: number
  release(position: number): void
}

export interface ShippingOptions {
  readonly redis: RedisSettings
  readonly prefix: string
  readonly sidegate: string
}

export interface Lag {
  readonly records: number
  readonly bytes: number
  /** Since the last record that was sent was written; 0 when nothing waits. */
  readonly seconds: number
}

const IDLE: ShipperStatus = {
  connected: false,
  error: '',
  position: 0,
  remembered: 0,
  at: 0,
  added: 0,
  lost: 0,
  place: { segment: '', offset: 0 },
}

export class Shipping {
  readonly #source: Source
  readonly #durable = new SharedArrayBuffer(8)
  readonly #position = new BigInt64Array(this.#durable)
  readonly #work: ShipWork
  readonly #telling: NodeJS.Timeout
  readonly #startedAt = Date.now()
  #worker: Worker
  #status = IDLE
  #stopping = false

  constructor(source: Source, { redis, prefix, sidegate }: ShippingOptions) {
    this.#source = source
    const { directory, instance } = source
    this.#work = { directory, instance, sidegate, prefix, redis, durable: this.#durable }
    this.#tell()
    this.#telling = setInterval(() => this.#tell(), TELL_MS).unref()
    this.#worker = this.#start()
  }

  get status(): ShipperStatus {
    return this.#status
  }

  get lag(): Lag {
    const records = Math.max(0, this.#source.durable - this.#status.position)
    if (records === 0) return { records: 0, bytes: 0, seconds: 0 }
    const since = this.#status.at === 0 ? this.#startedAt : this.#status.at
    return { records, bytes: this.#waiting(), seconds: Math.max(0, (Date.now() - since) / 1_000) }
  }

  /** Waits until all that is durable was shipped; false when that took longer than `ms`. */
  async drain(ms: number): Promise<boolean> {
    const deadline = Date.now() + ms
    while (this.lag.records > 0) {
      if (Date.now() > deadline) return false
      await sleep(DRAIN_POLL_MS)
    }
    return true
  }

  /** Ends the thread; what was not shipped stays in the journal. */
  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    clearInterval(this.#telling)
    const worker = this.#worker
    const timer = setTimeout(() => void worker.terminate(), STOP_MS)
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port is not a window
    worker.postMessage('stop')
    await ended
    clearTimeout(timer)
  }

  #start(): Worker {
    // Run from source the file ends with .ts, once built with .js.
    const file = import.meta.url.endsWith('.ts') ? './ship-worker.ts' : './ship-worker.js'
    const worker = new Worker(new URL(file, import.meta.url), { workerData: this.#work, name: 'sidegate-shipping' })
    let failure = ''
    worker.on('message', ({ status }: ShipMessage) => this.#report(status))
    worker.on('error', (error: unknown) => (failure = error instanceof Error ? error.message : String(error)))
    worker.once('exit', () => {
      if (this.#stopping) return
      this.#status = { ...this.#status, connected: false, error: failure }
      setTimeout(() => {
        if (!this.#stopping) this.#worker = this.#start()
      }, RESTART_MS)
    })
    worker.unref()
    return worker
  }

  #report(status: ShipperStatus): void {
    this.#status = status
    if (status.remembered > 0) this.#source.release(status.remembered)
  }

  #tell(): void {
    Atomics.store(this.#position, 0, BigInt(this.#source.durable))
  }

  /** Bytes of the segments after the place that shipping reached. */
  #waiting(): number {
    const { segment, offset } = this.#status.place
    try {
      const sizes = segmentsOf(this.#source.directory)
        .filter(({ path }) => path >= segment)
        .map(({ path }) => statSync(path).size - (path === segment ? offset : 0))
      return sizes.reduce((sum, size) => sum + Math.max(0, size), 0)
    } catch {
      // A segment was removed in between; the next look is right again.
      return 0
    }
  }
}
