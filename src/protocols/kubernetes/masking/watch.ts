import type { DocumentMasker } from './document.ts'
import { EMPTY } from './document.ts'
import { isSpace } from './json.ts'
import { StreamRewriter } from './stream.ts'

/** A watch: events behind each other, each a line of JSON. An event is sent whole or not at all. */
export class WatchRewriter extends StreamRewriter {
  readonly #documents: DocumentMasker
  /** The last event was dropped, and the end of its line goes with it. */
  #dropped = false

  constructor(documents: DocumentMasker, limit: number) {
    super(limit)
    this.#documents = documents
  }

  protected override get complete(): boolean {
    return true
  }

  protected override unit(bytes: Buffer, at: number): number {
    if (isSpace(bytes[at])) {
      if (this.#dropped) this.edits.replace(at, at + 1, EMPTY)
      return at + 1
    }
    this.valueAt = at
    const { end, dropped } = this.#documents.event(bytes, at, bytes.length, this.edits)
    this.#dropped = dropped !== null
    if (this.#dropped) this.edits.replace(at, end, EMPTY)
    return end
  }
}
