/** JSON that every reader reads alike. */
import type { Json } from '../../../../gate/json.ts'
import { unparsable } from '../refused.ts'
import { readJson } from './read.ts'
import { scanJson } from './scan.ts'

/** A byte order mark stays, and is no JSON. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/

/** Throws at repeated keys at any depth, ill-formed strings, numbers that are not kept, and what exceeds a limit. */
export function parseJson(bytes: Uint8Array): Json {
  const { members, escapedKeys } = scanJson(bytes)
  let json: Json
  let text: string
  try {
    text = UTF8.decode(bytes)
    json = JSON.parse(text) as Json
  } catch {
    throw unparsable('the body is not JSON in UTF-8', 'send well-formed JSON')
  }
  if (escapedKeys) json = readJson(text)
  // Each colon outside of strings is one member; JSON.parse drops those that are repeated.
  if (checkJson(json, SURROGATE_ESCAPE.test(text)) !== members) {
    throw unparsable('a key is there twice in one object', 'send each key once')
  }
  return json
}

/** How many members there are in all. Throws at what no JSON text of a body may hold. */
export function checkJson(json: Json, strings: boolean): number {
  if (typeof json === 'string') {
    if (strings && !json.isWellFormed())
      throw unparsable('a string is not well-formed Unicode', 'send well-formed text')
    return 0
  }
  if (typeof json === 'number') {
    if (!Number.isFinite(json)) throw unparsable('a number is too large', 'send one that a double can hold')
    return 0
  }
  if (json === null || typeof json === 'boolean') return 0
  let members = 0
  if (Array.isArray(json)) {
    for (const item of json as readonly Json[]) members += checkJson(item, strings)
    return members
  }
  for (const [key, value] of Object.entries(json)) {
    if (key === '__proto__') throw unparsable('a key is __proto__', 'leave it out')
    if (strings && !key.isWellFormed()) throw unparsable('a key is not well-formed Unicode', 'send well-formed text')
    members += 1 + checkJson(value, strings)
  }
  return members
}
