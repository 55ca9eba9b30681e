/** JSON Merge Patch (RFC 7386) and server-side apply: objects that say what they set, or remove by null. */
import type { Json, JsonObject } from '../../../../gate/json.ts'
import type { PatchFacts } from '../body.ts'
import { below, bounded } from './pointer.ts'
import { leavesOf, replacedLeaves } from './leaves.ts'

export function mergePatch(body: JsonObject): PatchFacts {
  return { type: 'merge', paths: bounded(mergedLeaves(body, '')), operations: [] }
}

/** Which lists it merges with those that are there, only the server's schema tells. */
export function applyPatch(body: JsonObject): PatchFacts {
  return { type: 'apply', paths: bounded(leavesOf(body, '')), operations: [] }
}

/** Objects are merged, all else is replaced: lists, whole. */
function mergedLeaves(value: Json, pointer: string): string[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return replacedLeaves(value, pointer)
  const members = Object.entries(value as JsonObject)
  if (members.length === 0) return [pointer]
  return members.flatMap(([key, member]) => mergedLeaves(member, below(pointer, key)))
}
