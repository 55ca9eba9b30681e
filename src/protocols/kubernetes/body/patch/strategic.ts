/**
 * Strategic merge patches (k8s.io/apimachinery, pkg/util/strategicpatch): lists of objects are merged by a key, and directives
 * say what else happens to what stands beside them.
 */
import type { Json, JsonObject } from '../../../../gate/json.ts'
import type { PatchFacts, PatchOperation } from '../body.ts'
import { unparsable } from '../refused.ts'
import { leavesOf } from './leaves.ts'
import { below, bounded } from './pointer.ts'

const PATCH = '$patch'
const RETAIN_KEYS = '$retainKeys'
const DELETE_FROM = '$deleteFromPrimitiveList/'
const ORDER = '$setElementOrder/'

interface Found {
  readonly paths: string[]
  readonly operations: PatchOperation[]
}

/** Its operations are what its directives remove and replace; an order of elements changes none of them. */
export function strategicPatch(body: JsonObject): PatchFacts {
  const found: Found = { paths: [], operations: [] }
  walk(body, '', found)
  bounded([...found.paths, ...found.operations.map(({ path }) => path)])
  return { type: 'strategic', paths: found.paths, operations: found.operations }
}

function walk(value: Json, pointer: string, found: Found): void {
  if (Array.isArray(value)) return walkList(value as readonly Json[], pointer, found)
  if (value === null || typeof value !== 'object') return void found.paths.push(pointer)
  const members = Object.entries(value as JsonObject)
  if (members.length === 0) found.paths.push(pointer)
  for (const [key, member] of members) {
    if (key.startsWith('$')) direct(key, member, pointer, found)
    else walk(member, below(pointer, key), found)
  }
}

/** Of lists of scalars it is the list that is set: whether they are merged, only the server's schema tells. */
function walkList(items: readonly Json[], pointer: string, found: Found): void {
  const merged = items.length > 0 && items.every((item) => item !== null && typeof item === 'object')
  if (!merged) found.paths.push(pointer)
  for (const [index, item] of items.entries()) {
    if (merged) walk(item, below(pointer, index), found)
    else if (item !== null && typeof item === 'object') found.paths.push(...leavesOf(item, below(pointer, index)))
  }
}

function direct(key: string, value: Json, pointer: string, { paths, operations }: Found): void {
  if (key === PATCH) {
    if (value !== 'delete' && value !== 'replace' && value !== 'merge') throw malformed(key)
    if (value === 'merge') return
    paths.push(pointer)
    operations.push({ op: value === 'delete' ? 'remove' : 'replace', path: pointer, from: null })
  } else if (key === RETAIN_KEYS) {
    checkList(key, value)
    paths.push(pointer)
    operations.push({ op: 'replace', path: pointer, from: null })
  } else if (key.startsWith(DELETE_FROM) && key.length > DELETE_FROM.length) {
    checkList(key, value)
    const path = below(pointer, key.slice(DELETE_FROM.length))
    paths.push(path)
    operations.push({ op: 'remove', path, from: null })
  } else if (key.startsWith(ORDER) && key.length > ORDER.length) checkList(key, value)
  else throw malformed(key)
}

function checkList(key: string, value: Json): void {
  if (!Array.isArray(value)) throw malformed(key)
}

function malformed(key: string) {
  return unparsable(`${key} of the patch is not understood`, 'send the directives of strategic merge patches')
}
