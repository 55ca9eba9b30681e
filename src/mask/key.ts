import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'

/** Shorter keys could be guessed together with the values that they hide. */
const SHORTEST_KEY = 32
/** Hexadecimal digits of a hash: 128 bits, more than enough to tell values apart and short enough to read. */
const DIGITS = 32

export class MaskKeyError extends Error {
  readonly code = 'mask.key'
}

/**
 * The key of the `hash` method: HMAC-SHA-256, because an unkeyed hash of anything as short as a telephone number falls
 * to a dictionary. Equal values hash alike as long as the key is the same, on purpose: they can still be counted and joined.
 */
export class MaskKey {
  readonly length = DIGITS
  readonly #key: KeyObject

  constructor(secret: Uint8Array) {
    if (secret.byteLength < SHORTEST_KEY)
      throw new MaskKeyError(`the key of masks needs ${SHORTEST_KEY} bytes at least`)
    this.#key = createSecretKey(secret)
  }

  /** A key that lives as long as this process: hashes do not outlast it. */
  static random(): MaskKey {
    return new MaskKey(randomBytes(SHORTEST_KEY))
  }

  hash(value: Uint8Array): string {
    return createHmac('sha256', this.#key).update(value).digest('hex').slice(0, DIGITS)
  }
}
