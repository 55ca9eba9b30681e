import { randomFillSync } from 'node:crypto'

const MASK_BYTES = 4
/** Random bytes are dear one by one. */
const AT_ONCE = 4_096

/** Masks for a client's frames, which nobody can guess (RFC 6455, section 5.3). */
export class Masks {
  readonly #random = Buffer.alloc(AT_ONCE)
  #at = AT_ONCE

  next(): Buffer {
    if (this.#at === AT_ONCE) {
      randomFillSync(this.#random)
      this.#at = 0
    }
    this.#at += MASK_BYTES
    return this.#random.subarray(this.#at - MASK_BYTES, this.#at)
  }
}
