/** The query of a request: each parameter that the server knows, once. */
import { Refused } from './refused.ts'
import { decoded, encodeParameter, unparsable } from './target.ts'

export type Query = ReadonlyMap<string, readonly string[]>

/** Parameters that are lists; of all others the server would read the first value, whatever the next ones say. */
const LISTS: ReadonlySet<string> = new Set(['command', 'ports'])
/** Words of an exec's command line, besides which a request has a dozen parameters. */
const PARAMETERS = 512

/** Throws {@link Refused}: at repeated keys, at semicolons (which separated parameters once), at what is not UTF-8. */
export function parseQuery(raw: string): Query {
  const query = new Map<string, string[]>()
  if (raw === '') return query
  const parts = raw.split('&')
  if (parts.length > PARAMETERS)
    throw new Refused('command.too-large', 'the query has too many parameters', 'send fewer')
  for (const part of parts) {
    if (part === '' || part.includes(';')) throw unparsable('the query is ambiguous', 'separate parameters by one &')
    const equals = part.indexOf('=')
    const key = textOf(equals === -1 ? part : part.slice(0, equals))
    const value = equals === -1 ? '' : textOf(part.slice(equals + 1))
    const values = query.get(key)
    if (values === undefined) query.set(key, [value])
    else if (LISTS.has(key)) values.push(value)
    else throw unparsable(`the parameter ${JSON.stringify(key)} is there more than once`, 'send it once')
  }
  return query
}

function textOf(raw: string): string {
  const text = decoded(raw.replaceAll('+', ' '))
  if (text.includes('\0')) throw unparsable('the query has a NUL', 'leave it out')
  return text
}

export function formatQuery(query: Query): string {
  const parts: string[] = []
  for (const [key, values] of query) {
    for (const value of values) parts.push(`${encodeParameter(key)}=${encodeParameter(value)}`)
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

/** As the API server reads a boolean: there, and neither `0` nor `false`. */
export function flag(query: Query, key: string): boolean {
  const value = query.get(key)?.[0]
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false'
}

export function first(query: Query, key: string): string {
  return query.get(key)?.[0] ?? ''
}
