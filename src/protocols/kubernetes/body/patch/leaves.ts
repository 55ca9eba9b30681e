import type { Json, JsonObject } from '../../../../gate/json.ts'
import { below } from './pointer.ts'

/**
 * Pointers to every leaf of a value that is put whole where the pointer says: what was there goes, so what is no leaf itself
 * is named before its leaves.
 */
export function replacedLeaves(value: Json, pointer: string): string[] {
  const leaves = leavesOf(value, pointer)
  return leaves.length === 1 && leaves[0] === pointer ? leaves : [pointer, ...leaves]
}

/** Pointers to every leaf: what is no object and no list, and what of them is empty. */
export function leavesOf(value: Json, pointer: string): string[] {
  if (value === null || typeof value !== 'object') return [pointer]
  const members: readonly (readonly [string | number, Json])[] = Array.isArray(value)
    ? (value as readonly Json[]).map((item, index) => [index, item])
    : Object.entries(value as JsonObject)
  if (members.length === 0) return [pointer]
  return members.flatMap(([key, member]) => leavesOf(member, below(pointer, key)))
}
