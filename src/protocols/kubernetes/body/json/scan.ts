/** One linear pass over the bytes of a JSON text for what `JSON.parse` does not tell: it need not be valid. */
import { DEPTH, VALUES } from '../limits.ts'
import { tooLarge, unparsable } from '../refused.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const MINUS = 0x2d
/** `[` and `{`, `]` and `}` differ in one bit. */
const OPEN = 0x5b
const CLOSE = 0x5d
const CASE = 0x20

/** Integers of this many characters are exact in a double, whatever they are. */
const EXACT_LENGTH = 15
/** A sign and 19 digits; JSON has no leading zeros. Longer ones are doubles to everybody, and would take long to read exactly. */
const LONGEST_INT64 = 20
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export interface Scan {
  /** Members of all objects, repeated ones too. */
  readonly members: number
  /** A key is written with a backslash. */
  readonly escapedKeys: boolean
}

/** Throws at what exceeds a limit, and at a number that would not be kept. */
export function scanJson(bytes: Uint8Array): Scan {
  let members = 0
  let escapedKeys = false
  /** Whether the last string had a backslash. */
  let escaped = false
  let values = 1
  let depth = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === QUOTE) {
      const end = endOfString(bytes, at)
      escaped = end < 0
      at = escaped ? -end : end
    } else if (byte === COLON) {
      members++
      escapedKeys ||= escaped
    } else if (byte === COMMA) values++
    else if ((byte & ~CASE) === OPEN) {
      values++
      if (++depth > DEPTH) throw unparsable(`the body is nested deeper than ${DEPTH} levels`, 'send a flatter one')
    } else if ((byte & ~CASE) === CLOSE) depth--
    else if (byte === MINUS || isDigit(byte)) at = endOfNumber(bytes, at)
    if (values > VALUES) throw tooLarge(`the body has more than ${VALUES} values`)
  }
  return { members, escapedKeys }
}

/** Where the closing quote stands; negative, where a backslash came before it. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1
  let escaped = false
  while (at < bytes.length && bytes[at] !== QUOTE) {
    if (bytes[at] === BACKSLASH) {
      escaped = true
      at++
    }
    at++
  }
  return escaped ? -at : at
}

/** Where the last character of the number stands. */
function endOfNumber(bytes: Uint8Array, start: number): number {
  let end = start + 1
  while (end < bytes.length && isOfNumber(bytes[end] as number)) end++
  if (end - start > EXACT_LENGTH)
    checkExact(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString())
  return end - 1
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isOfNumber(byte: number): boolean {
  return isDigit(byte) || byte === MINUS || byte === 0x2b || byte === 0x2e || (byte & ~CASE) === 0x45
}

/**
 * The API server reads an integer as an int64 where it fits, else as a double, and all others as doubles, as policies do. What
 * would be another number for a policy is refused.
 */
function checkExact(number: string): void {
  if (number.length > LONGEST_INT64 || !/^-?[0-9]+$/.test(number)) return
  const exact = BigInt(number)
  if (exact < INT64_MIN || exact > INT64_MAX || BigInt(Number(number)) === exact) return
  throw unparsable(`the integer ${number} cannot be judged exactly`, 'send one below 2^53')
}
