/**
 * The beginning of a session's records of one type, kept as bytes: from one record to the next nothing changes in it but the digits
 * of two numbers, and those of a third follow it.
 */
import { digitsOf, putDigits } from './digits.ts'

const NONE = Buffer.alloc(0)

export class LineHead {
  readonly #id: string
  readonly #type: string
  readonly #own: string
  #bytes: Uint8Array = NONE
  /** Positions from here to below there have as many digits as there is room for. */
  #least = 0
  #limit = 0
  /** Where the digits end of the position, in the id and again, and of the time. */
  #idEnd = 0
  #seqEnd = 0
  #atEnd = 0
  #at = -1

  /** `id` is `{"id":"<instance>/`, `own` is `,"session":…,"start":…,"sequence":`. */
  constructor(id: string, type: string, own: string) {
    this.#id = id
    this.#type = type
    this.#own = own
  }

  /** Puts it at `offset` with these numbers, whole ones not below 0. Returns where it ends. */
  write(slab: Uint8Array, offset: number, seq: number, at: number, sequence: number): number {
    if (seq >= this.#limit || seq < this.#least) this.#make(seq, at)
    else if (at !== this.#at) this.#setTime(seq, at)
    slab.set(this.#bytes, offset)
    putDigits(slab, offset + this.#idEnd, seq)
    putDigits(slab, offset + this.#seqEnd, seq)
    const end = offset + this.#bytes.length + digitsOf(sequence)
    putDigits(slab, end, sequence)
    return end
  }

  #make(seq: number, at: number): void {
    const digits = digitsOf(seq)
    this.#least = seq === 0 ? 0 : 10 ** (digits - 1)
    this.#limit = 10 ** digits
    const toSeq = `${this.#id}${seq}","type":"${this.#type}","seq":${seq}`
    const toAt = `${toSeq},"at":${at}`
    this.#bytes = Buffer.from(toAt + this.#own, 'latin1')
    this.#idEnd = this.#id.length + digits
    this.#seqEnd = toSeq.length
    this.#atEnd = toAt.length
    this.#at = at
  }

  #setTime(seq: number, at: number): void {
    if (digitsOf(at) !== digitsOf(this.#at)) return this.#make(seq, at)
    putDigits(this.#bytes, this.#atEnd, at)
    this.#at = at
  }
}
