/** Reading JSON as the API server's types would: null is not there, and another type is refused. */
import type { Json, JsonObject } from '../../../../gate/json.ts'
import { unparsable } from '../refused.ts'

export function objectAt(of: JsonObject | null, key: string): JsonObject | null {
  return of === null ? null : asObject(of[key] ?? null, key)
}

export function objectsAt(of: JsonObject | null, key: string): readonly JsonObject[] {
  return listAt(of, key)
    .map((item) => asObject(item, key))
    .filter((item) => item !== null)
}

export function textsAt(of: JsonObject | null, key: string): readonly string[] {
  return listAt(of, key).map((item) => {
    if (typeof item === 'string') return item
    throw wrong(key, 'a list of strings')
  })
}

/** Empty where it is not there. */
export function textAt(of: JsonObject | null, key: string): string {
  const value = of?.[key] ?? ''
  if (typeof value === 'string') return value
  throw wrong(key, 'a string')
}

export function flagAt(of: JsonObject | null, key: string): boolean | null {
  const value = of?.[key] ?? null
  if (value === null || typeof value === 'boolean') return value
  throw wrong(key, 'true or false')
}

export function numberAt(of: JsonObject | null, key: string): number | null {
  const value = of?.[key] ?? null
  if (value === null || typeof value === 'number') return value
  throw wrong(key, 'a number')
}

function asObject(value: Json, key: string): JsonObject | null {
  if (value === null || (typeof value === 'object' && !Array.isArray(value))) return value as JsonObject | null
  throw wrong(key, 'an object')
}

function listAt(of: JsonObject | null, key: string): readonly Json[] {
  const value = of?.[key] ?? []
  if (Array.isArray(value)) return value as readonly Json[]
  throw wrong(key, 'a list')
}

function wrong(key: string, what: string) {
  return unparsable(`${key} of a pod is not ${what}`, `send ${what}`)
}
