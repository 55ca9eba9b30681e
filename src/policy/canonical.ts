/**
 * The form in which OPA hashes JSON files of a bundle: no spaces, keys sorted by their bytes, strings as Go writes them,
 * and number literals exactly as they stand in the source (`1.0`, `1e3`, twenty digits).
 */

/** A number as it was written. */
class Literal {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

/** With the source text of each primitive: https://tc39.es/proposal-json-parse-with-source/ */
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws a `SyntaxError` or `TypeError` when the bytes are not JSON in UTF-8. The last of duplicate keys wins, as in Go. */
export function canonicalJson(bytes: Uint8Array): string {
  const value = parseWithSource(decoder.decode(bytes), (_, member, { source }) =>
    typeof member === 'number' ? new Literal(source ?? String(member)) : member,
  )
  return write(value)
}

function write(value: unknown): string {
  if (value instanceof Literal) return value.source
  if (typeof value === 'string') return writeString(value)
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const members = Object.entries(value)
    .map(([key, member]) => ({ key: key.toWellFormed(), member: member as unknown }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  return `{${members.map(({ key, member }) => `${writeString(key)}:${write(member)}`).join(',')}}`
}

function writeString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}
