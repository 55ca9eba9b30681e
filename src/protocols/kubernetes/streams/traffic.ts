import type { Stream } from './stream.ts'

type Side = 'agent' | 'upstream'

/** What passes through a tunnel: counted, kept within the permit's limits, and said at its end. */
export class Traffic {
  readonly #stream: Stream
  readonly #bytes: Record<Side, number> = { agent: 0, upstream: 0 }

  /** `about` is recorded: that nobody sees what passes. */
  constructor(stream: Stream, about: string) {
    this.#stream = stream
    stream.marked(about)
  }

  /** The part of the bytes that goes on. */
  pass(from: Side, bytes: Buffer): Buffer {
    const part = from === 'agent' ? this.#stream.input(bytes, 'nothing') : this.#stream.output(bytes, null)
    this.#bytes[from] += part.length
    return part
  }

  passed(bytes: Buffer, part: Buffer): void {
    if (part.length < bytes.length) this.#tell()
    this.#stream.passed(bytes, part)
  }

  ended(how: 'well' | 'violation' = 'well'): void {
    this.#tell()
    if (how === 'violation') this.#stream.left('protocol.violation')
    else this.#stream.finished(null, true)
  }

  #tell(): void {
    const { agent, upstream } = this.#bytes
    if (!this.#stream.over) this.#stream.marked(`${agent} bytes from the agent, ${upstream} bytes to it`)
  }
}
