/** Text of the agent's that is judged: what is not exactly one text is none. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Null for bytes that are no UTF-8, and for a text with a NUL, where C ends it. */
export function textOf(bytes: Buffer): string | null {
  if (bytes.includes(0)) return null
  try {
    return UTF_8.decode(bytes)
  } catch {
    return null
  }
}
