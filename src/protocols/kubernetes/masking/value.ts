/** What stands in JSON for a masked value. */
import type { MaskMethod } from '../../../gate/decision.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import { QUOTE, textAt } from './json.ts'

export const NULL = Buffer.from('null')

/**
 * Texts are replaced as the method says, bytes (base64) by the base64 of that. A number or a boolean becomes null whatever the
 * method: a text there would fail in typed clients, and no number of ours could be told from data.
 */
export class ValueMasks {
  /** The marker as JSON: of a text, and of bytes. */
  readonly text: Buffer
  readonly bytes: Buffer
  readonly #methods: MaskMethods
  #scratch = Buffer.alloc(0)

  constructor(methods: MaskMethods) {
    this.#methods = methods
    this.text = Buffer.from(JSON.stringify(methods.marker))
    this.bytes = Buffer.from(`"${Buffer.from(methods.marker).toString('base64')}"`)
  }

  /** For the scalar at `start`, which is neither null nor under `deny`. */
  of(source: Buffer, start: number, end: number, method: MaskMethod, bytes: boolean): Buffer {
    const mask = this.#methods.text(method)
    if (mask === null || source[start] !== QUOTE) return NULL
    if (mask.constant !== null) return bytes ? this.bytes : this.text
    const value = Buffer.from(textAt(source, start, end), bytes ? 'base64' : 'utf8')
    if (this.#scratch.length < mask.longest) this.#scratch = Buffer.alloc(mask.longest)
    const masked = this.#scratch.subarray(0, mask.write(value, 0, value.length, this.#scratch, 0))
    return Buffer.from(bytes ? `"${masked.toString('base64')}"` : JSON.stringify(masked.toString()))
  }
}
