/** Rewriting while bytes arrive: what is complete goes on, what is not yet waits, up to a limit. */
import { Edits } from './edits.ts'
import { Incomplete, isSpace } from './json.ts'
import type { Rewriter } from './plan.ts'
import { Unmaskable } from './unmaskable.ts'
import { ValueScanner } from './scanner.ts'

const NOTHING: readonly Uint8Array[] = Object.freeze([])

/** Reads units (an event, an item with its comma, a member of the root) one by one, each of which is complete. */
export abstract class StreamRewriter implements Rewriter {
  protected readonly edits = new Edits()
  /** Where the value of the unit begins, as soon as that is known; −1 before. */
  protected valueAt = -1
  readonly #limit: number
  /** The beginning of a unit that is not complete. */
  #held: Buffer[] = []
  #length = 0
  /** Looks for the end of the value that is held. Null where what is held ends before its value. */
  #scanner: ValueScanner | null = null

  constructor(limit: number) {
    this.#limit = limit
  }

  chunk(bytes: Buffer): readonly Uint8Array[] {
    const buffer = this.#joined(bytes)
    if (buffer === null) return NOTHING
    this.edits.truncate(0)
    let stable = 0
    let edits = 0
    try {
      while (stable < buffer.length) {
        this.valueAt = -1
        edits = this.edits.length
        stable = this.unit(buffer, stable)
      }
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error
      this.edits.truncate(edits)
      this.#hold(buffer, stable)
    }
    if (stable === 0) return NOTHING
    return [this.edits.apply(buffer, 0, stable)]
  }

  end(): readonly Uint8Array[] {
    const rest = Buffer.concat(this.#held)
    if (!this.complete || rest.some((byte) => !isSpace(byte))) {
      throw new Unmaskable('what the API server sent is not complete')
    }
    return rest.length === 0 ? NOTHING : [rest]
  }

  /** Handles the unit at `at` and returns where the next begins. Throws {@link Incomplete}, before anything is remembered. */
  protected abstract unit(bytes: Buffer, at: number): number
  /** Whether what came so far is a whole answer. */
  protected abstract get complete(): boolean

  #joined(bytes: Buffer): Buffer | null {
    if (this.#held.length === 0) return bytes
    const ends = this.#scanner === null || this.#scanner.feed(bytes, 0) !== -1
    this.#held.push(bytes)
    this.#length += bytes.length
    if (!ends) {
      this.#check(this.#length)
      return null
    }
    const joined = Buffer.concat(this.#held, this.#length)
    this.#held = []
    this.#length = 0
    this.#scanner = null
    return joined
  }

  #hold(buffer: Buffer, from: number): void {
    this.#check(buffer.length - from)
    this.#scanner = this.valueAt === -1 ? null : new ValueScanner()
    this.#scanner?.feed(buffer, this.valueAt)
    // A copy: a small rest would keep the whole chunk.
    this.#held = [Buffer.from(buffer.subarray(from))]
    this.#length = buffer.length - from
  }

  #check(length: number): void {
    if (length > this.#limit) {
      throw new Unmaskable(`an object is larger than the ${this.#limit} bytes that can be held to be masked`)
    }
  }
}
