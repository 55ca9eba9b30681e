/** Reading JSON where it lies, in bytes: what is not masked is never decoded, so that it passes exactly as it was. */
import { Unmaskable } from './unmaskable.ts'

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const COMMA = 0x2c
export const COLON = 0x3a

/** A string that goes on for longer is searched for its end by the runtime, which takes a call. */
const NEAR = 64

/** The bytes end before the value does. One object for all: it is thrown at the end of each chunk of a stream. */
export class Incomplete extends Error {
  override readonly name = 'Incomplete'
}
export const INCOMPLETE = new Incomplete('the value is not complete')

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The first byte that is no white space. Throws {@link Incomplete}. */
export function skipSpace(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && isSpace(bytes[at])) at++
  if (at >= end) throw INCOMPLETE
  return at
}

/** Behind the string that begins at `from`. Throws {@link Incomplete}. */
export function skipString(bytes: Buffer, from: number, end: number): number {
  let at = from + 1
  const near = Math.min(at + NEAR, end)
  while (at < near) {
    const byte = bytes[at++]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
  }
  while (at < end) {
    const quote = bytes.indexOf(QUOTE, at)
    if (quote === -1 || quote >= end) break
    let before = quote
    while (before > at && bytes[before - 1] === BACKSLASH) before--
    if (((quote - before) & 1) === 0) return quote + 1
    at = quote + 1
  }
  throw INCOMPLETE
}

/** Behind the value that begins at `from`. Throws {@link Incomplete}. */
export function skipValue(bytes: Buffer, from: number, end: number): number {
  const first = bytes[from]
  if (first === QUOTE) return skipString(bytes, from, end)
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return skipScalar(bytes, from, end)
  let depth = 0
  let at = from
  while (at < end) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = skipString(bytes, at, end)
      continue
    }
    at++
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
    else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return at
  }
  throw INCOMPLETE
}

/** A number or a literal. What is neither is no JSON. */
function skipScalar(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && isScalar(bytes[at] as number)) at++
  if (at >= end) throw INCOMPLETE
  if (at === from) throw malformed()
  return at
}

function isScalar(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x2b ||
    byte === 0x45
  )
}

export function malformed(): Unmaskable {
  return new Unmaskable('what the API server sent is not JSON')
}

/** The members of an object, one after the other; whoever uses it says where each value ends. */
export class Members {
  readonly bytes: Buffer
  /** Of the key, without its quotes. */
  keyStart = 0
  keyEnd = 0
  /** The key has escapes: its bytes are not its name. */
  escaped = false
  /** Where the value begins. */
  value = 0
  /** To be set behind the value; behind the object in the end. */
  at: number
  readonly #end: number
  #first = true

  constructor(bytes: Buffer, from: number, end: number) {
    this.bytes = bytes
    this.at = from + 1
    this.#end = end
  }

  next(): boolean {
    const { bytes } = this
    const end = this.#end
    let at = skipSpace(bytes, this.at, end)
    if (bytes[at] === CLOSE_OBJECT) {
      this.at = at + 1
      return false
    }
    if (this.#first) this.#first = false
    else if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, end)
    else throw malformed()
    if (bytes[at] !== QUOTE) throw malformed()
    this.keyStart = at + 1
    this.keyEnd = this.#keyEnd(this.keyStart)
    at = skipSpace(bytes, this.keyEnd + 1, end)
    if (bytes[at] !== COLON) throw malformed()
    this.value = skipSpace(bytes, at + 1, end)
    return true
  }

  /** Keys are short: a loop of our own is quicker than to look for their ends and for escapes in turn. */
  #keyEnd(from: number): number {
    const { bytes } = this
    this.escaped = false
    for (let at = from; at < this.#end; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) return at
      if (byte === BACKSLASH) {
        this.escaped = true
        at++
      }
    }
    throw INCOMPLETE
  }

  get key(): string {
    return textAt(this.bytes, this.keyStart - 1, this.keyEnd + 1)
  }

  is(name: Buffer): boolean {
    return this.escaped ? this.key === name.toString() : same(this.bytes, this.keyStart, this.keyEnd, name)
  }
}

/** Behind the next element's separator, at its value; −1 at the end of the array, which `from` is then the last byte of. */
export function nextElement(bytes: Buffer, from: number, end: number, first: boolean): number {
  const at = skipSpace(bytes, from, end)
  if (bytes[at] === CLOSE_ARRAY) return -1
  if (first) return at
  if (bytes[at] !== COMMA) throw malformed()
  return skipSpace(bytes, at + 1, end)
}

export function same(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) return false
  for (let at = 0; at < name.length; at++) if (bytes[start + at] !== name[at]) return false
  return true
}

/** The text of a string, from quote to quote. */
export function textAt(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    throw malformed()
  }
}

export function isNull(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0x6e
}
