/** What could not be stored: positions that were given out before their write failed, and events that got none. */
import type { Position } from '../gate/ports.ts'

/** As a `gap` record tells it (records.ts). */
export interface Loss {
  readonly first: Position
  readonly last: Position
  readonly lost: number
  readonly error: string
}

export class Losses {
  /** All since the start. */
  total = 0
  #loss: { -readonly [Key in keyof Loss]: Loss[Key] } | null = null

  /** There is something that the next block has to begin with. */
  get any(): boolean {
    return this.#loss !== null
  }

  /** An outcome or an end that came while nothing could be written. */
  one(error: string): void {
    this.total++
    this.#loss ??= { first: 0, last: 0, lost: 0, error }
    this.#loss.lost++
  }

  /** Positions of which nobody will ever find a record. */
  positions(first: Position, last: Position, error: string): void {
    this.total += last - first + 1
    this.#loss = { first, last, lost: this.#loss?.lost ?? 0, error }
  }

  /** What to put on record. */
  get(error: string): Loss {
    return this.#loss ?? { first: 0, last: 0, lost: 0, error }
  }

  /** It is on record. */
  told(): void {
    this.#loss = null
  }
}
