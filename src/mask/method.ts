/** What a mask makes of one value. Knows text and bytes, and nothing of any wire format. */
import type { MaskMethod } from '../gate/decision.ts'
import type { MaskKey } from './key.ts'

/**
 * What stands in for a redacted text. One fixed text that no real value is likely to contain, so that an agent that
 * writes back what it read can be told from one that writes data.
 */
export const REDACTED = '[sidegate:masked]'

/** How much of a partial mask is stars, and how many characters of the value's end may follow them. */
const STARS = 8
const SHOWN = 4
/** A value shorter than this shows nothing: its last four characters would be half of it or more. */
const SHORTEST_SHOWN = 8
/** The longest that {@link SHOWN} characters of UTF-8 can be. */
const LONGEST_SHOWN = SHOWN * 4

/** Replaces a text by another of bounded length, straight into a buffer. */
export interface TextMask {
  /** No replacement is longer than this many bytes. */
  readonly longest: number
  /** The replacement of every value, where it does not depend on the value. */
  readonly constant: Buffer | null
  /** Writes what stands in for the UTF-8 text `source[start..end)` at `target[at]`; returns how many bytes that is. */
  write(source: Buffer, start: number, end: number, target: Buffer, at: number): number
}

class ConstantMask implements TextMask {
  readonly constant: Buffer
  readonly longest: number

  constructor(text: string) {
    this.constant = Buffer.from(text)
    this.longest = this.constant.length
  }

  write(_source: Buffer, _start: number, _end: number, target: Buffer, at: number): number {
    return this.constant.copy(target, at)
  }
}

const STAR = 0x2a

/** Always twelve characters, so that nothing is said about the value's length. */
class PartialMask implements TextMask {
  readonly constant = null
  readonly longest: number = STARS + LONGEST_SHOWN

  write(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
    const shown = lastCharacters(source, start, end)
    if (shown === end) {
      target.fill(STAR, at, at + STARS + SHOWN)
      return STARS + SHOWN
    }
    target.fill(STAR, at, at + STARS)
    return STARS + source.copy(target, at + STARS, shown, end)
  }
}

/** Where the last four characters begin; the end where the value is too short to show any, or is no UTF-8. */
function lastCharacters(source: Buffer, start: number, end: number): number {
  let characters = 0
  let shown = end
  for (let at = end - 1; at >= start; at--) {
    if (((source[at] ?? 0) & 0xc0) === 0x80) continue
    characters++
    if (characters === SHOWN) shown = at
    if (characters === SHORTEST_SHOWN) return end - shown <= LONGEST_SHOWN ? shown : end
  }
  return end
}

class HashMask implements TextMask {
  readonly constant = null
  readonly longest: number
  readonly #key: MaskKey

  constructor(key: MaskKey) {
    this.#key = key
    this.longest = key.length
  }

  write(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
    return target.write(this.#key.hash(source.subarray(start, end)), at, 'latin1')
  }
}

const REDACT = new ConstantMask(REDACTED)
const PARTIAL = new PartialMask()

const REDACTED_BYTES = Buffer.from(REDACTED)

/** What masks make of values, under one key: what `commands/run.ts` hands to the protocols. */
export interface MaskMethods {
  /** What stands in for a redacted text. */
  readonly marker: string
  /** The mask of a text; null where nothing at all may stand in for the value. `deny` never gets as far as a value. */
  text(method: MaskMethod): TextMask | null
  /** Whether a text, or a value's bytes, holds the marker. */
  holdsMarker(value: string | Uint8Array): boolean
}

export function maskMethods(key: MaskKey): MaskMethods {
  const methods: Readonly<Record<MaskMethod, TextMask | null>> = {
    deny: null,
    null: null,
    redact: REDACT,
    hash: new HashMask(key),
    partial: PARTIAL,
  }
  return Object.freeze({ marker: REDACTED, text: (method: MaskMethod) => methods[method], holdsMarker })
}

function holdsMarker(value: string | Uint8Array): boolean {
  if (typeof value === 'string') return value.includes(REDACTED)
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(REDACTED_BYTES)
}
