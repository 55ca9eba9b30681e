/** One line while it runs: what the session plugs its exec into, and what the shell keeps of that. */
import { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { KeySignal, Running } from './host.ts'

/** What is typed ahead for a command that does not read. */
const INPUT_BYTES = 64 * 1024
/** What goes on that long after ^C may have been told nothing: some hosts take no signals, none of root's sessions. */
const INTERRUPT_GRACE = 2_000

/** Where a stream's bytes go; false: it has to wait until `drained`. */
export type Sink = (bytes: Buffer) => boolean

export class LineRun implements Running {
  readonly input: Readable
  readonly output: Writable
  readonly error: Writable
  readonly #ending = new AbortController()
  readonly #listeners: ((name: string) => void)[] = []
  readonly #waiting: (() => void)[] = []
  readonly #lingering: () => void
  #begun = false
  #inputEnded = false
  #grace: NodeJS.Timeout | null = null

  /**
   * @param wanted called when the input has room again
   * @param lingering called when it goes on after ^C
   */
  constructor(output: Sink, error: Sink, wanted: () => void, lingering: () => void) {
    this.#lingering = lingering
    this.input = new Readable({ highWaterMark: INPUT_BYTES, read: wanted })
    this.output = this.#stream(output)
    this.error = this.#stream(error)
  }

  get signal(): AbortSignal {
    return this.#ending.signal
  }

  begun(): void {
    this.#begun = true
  }

  onSignal(listener: (name: string) => void): void {
    this.#listeners.push(listener)
  }

  /** What is typed now is the command's. */
  get takesInput(): boolean {
    return this.#begun && !this.#inputEnded
  }

  /** @returns false: it does not read, and nothing more should come until `wanted` */
  give(text: string): boolean {
    return text === '' || this.input.push(Buffer.from(text))
  }

  endInput(): void {
    if (this.#inputEnded) return
    this.#inputEnded = true
    this.input.push(null)
  }

  /** What has not begun is withdrawn; what runs is told, and killed the second time. */
  interrupt(name: KeySignal): void {
    if (!this.#begun || this.#listeners.length === 0) return this.end()
    if (this.#grace !== null) return this.#kill()
    this.send(name)
    this.#grace = setTimeout(this.#lingering, INTERRUPT_GRACE)
    this.#grace.unref()
  }

  /** A signal that the agent asked for by name. */
  send(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }

  #kill(): void {
    this.send('KILL')
    this.end()
  }

  end(): void {
    this.#ending.abort()
  }

  /** The agent reads again. */
  drained(): void {
    for (const go of this.#waiting.splice(0)) go()
  }

  /** The line is over: all that it wrote has been handed to the agent. */
  async settled(): Promise<void> {
    this.#close()
    await Promise.all([this.output, this.error].map((stream) => closed(stream)))
  }

  /** The channel is gone, or the shell is: nobody reads any more. */
  destroy(): void {
    this.end()
    this.#close()
    this.output.destroy()
    this.error.destroy()
  }

  #close(): void {
    if (this.#grace !== null) clearTimeout(this.#grace)
    this.#inputEnded = true
    this.input.destroy()
  }

  #stream(sink: Sink): Writable {
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        if (sink(chunk)) done()
        else this.#waiting.push(done)
      },
    })
    // What is written behind its end is nobody's.
    stream.on('error', () => {})
    return stream
  }
}

async function closed(stream: Writable): Promise<void> {
  if (stream.destroyed) return
  stream.end()
  try {
    await finished(stream)
  } catch {
    // Destroyed meanwhile: the shell is over.
  }
}
