import { Edits } from './edits.ts'
import { Incomplete, isSpace, malformed } from './json.ts'
import type { DocumentMasker } from './document.ts'
import type { Rewriter } from './plan.ts'
import { Unmaskable } from './unmaskable.ts'

/** An answer that is one object: it is held until it is complete, since its metadata comes before what is masked. */
export class WholeRewriter implements Rewriter {
  readonly #documents: DocumentMasker
  readonly #limit: number
  readonly #chunks: Buffer[] = []
  #length = 0

  constructor(documents: DocumentMasker, limit: number) {
    this.#documents = documents
    this.#limit = limit
  }

  chunk(bytes: Buffer): readonly Uint8Array[] {
    this.#length += bytes.length
    if (this.#length > this.#limit) {
      throw new Unmaskable(`the object is larger than the ${this.#limit} bytes that can be held to be masked`)
    }
    this.#chunks.push(bytes)
    return []
  }

  end(): readonly Uint8Array[] {
    const bytes = Buffer.concat(this.#chunks, this.#length)
    let start = 0
    while (start < bytes.length && isSpace(bytes[start])) start++
    // A HEAD, and an answer without content.
    if (start === bytes.length) return bytes.length === 0 ? [] : [bytes]
    const edits = new Edits()
    const dropped = this.#mask(bytes, start, edits)
    if (dropped !== null) throw new Unmaskable(`the policy does not show ${dropped}`)
    return [edits.apply(bytes, 0, bytes.length)]
  }

  #mask(bytes: Buffer, start: number, edits: Edits): string | null {
    try {
      const { end, dropped } = this.#documents.whole(bytes, start, bytes.length, edits)
      for (let at = end; at < bytes.length; at++) if (!isSpace(bytes[at])) throw malformed()
      return dropped
    } catch (error) {
      if (error instanceof Incomplete) throw new Unmaskable('what the API server sent is not complete')
      throw error
    }
  }
}
