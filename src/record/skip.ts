/** Where a JSON value ends, found in its bytes without parsing it. Of what is not JSON it is where the bytes end. */

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const BRACE = { open: 0x7b, close: 0x7d } as const
const BRACKET = { open: 0x5b, close: 0x5d } as const

/** `at` is the opening quote's place. */
export function skipString(bytes: Buffer, at: number): number {
  for (let index = at + 1; index < bytes.length; index++) {
    if (bytes[index] === BACKSLASH) index++
    else if (bytes[index] === QUOTE) return index + 1
  }
  return bytes.length
}

export function skipValue(bytes: Buffer, at: number): number {
  let depth = 0
  for (let index = at; index < bytes.length;) {
    const byte = bytes[index]
    const closes = byte === BRACE.close || byte === BRACKET.close
    // A number or a word ends where something else begins.
    if (depth === 0 && (closes || byte === COMMA)) return index
    if (byte === BRACE.open || byte === BRACKET.open) depth++
    else if (closes) depth--
    index = byte === QUOTE ? skipString(bytes, index) : index + 1
    if (depth === 0 && (closes || byte === QUOTE)) return index
  }
  return bytes.length
}
