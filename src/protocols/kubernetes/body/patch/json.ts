/** JSON Patch (RFC 6902): what it changes, and the part of the object that it gives values for. */
import type { Json, JsonObject } from '../../../../gate/json.ts'
import type { PatchFacts, PatchOperation } from '../body.ts'
import { objectOf } from '../object.ts'
import { VALUES } from '../limits.ts'
import { tooLarge, unparsable } from '../refused.ts'
import { replacedLeaves } from './leaves.ts'
import { bounded, segmentsOf } from './pointer.ts'

/** The API server's own limit (k8s.io/apiserver, maxJSONPatchOperations). */
const OPERATIONS = 10_000
const KINDS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])
/** Of a list: one of its elements, or one behind the last. */
const ELEMENT = /^(-|[0-9]+)$/
const MEMBERS: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value'])

interface Step extends PatchOperation {
  /** Undefined where the operation has none. */
  readonly value: Json | undefined
}

export function jsonPatch(body: Json): { readonly facts: PatchFacts; readonly partial: Json } {
  if (!Array.isArray(body)) throw unparsable('a JSON Patch is a list', 'send a list of operations')
  if (body.length > OPERATIONS) throw tooLarge(`the patch has more than ${OPERATIONS} operations`)
  const steps = (body as readonly Json[]).map((item) => stepOf(objectOf(item, 'an operation of the patch')))
  checkSize(steps)
  return {
    facts: {
      type: 'json',
      paths: [...new Set(bounded(steps.flatMap(changesOf)))],
      operations: steps.map(({ op, path, from }) => ({ op, path, from })),
    },
    partial: partialOf(steps),
  }
}

function stepOf(item: JsonObject): Step {
  const stray = Object.keys(item).find((key) => !MEMBERS.has(key))
  if (stray !== undefined)
    throw unparsable(`an operation of the patch has ${stray}`, 'send op, path, from and value alone')
  const { op, path, from = null, value } = item
  if (typeof op !== 'string' || !KINDS.has(op))
    throw unparsable('an operation of the patch is not known', 'send a known op')
  if (typeof path !== 'string') throw unparsable('an operation of the patch has no path', 'send one')
  segmentsOf(path)
  const takes = op === 'move' || op === 'copy'
  if (takes !== (typeof from === 'string'))
    throw unparsable(`${op} of the patch has from, or lacks it`, 'send it for move and copy')
  if (typeof from === 'string') segmentsOf(from)
  const gives = op === 'add' || op === 'replace' || op === 'test'
  if (gives && value === undefined) throw unparsable(`${op} of the patch has no value`, 'send one')
  return { op: op as PatchOperation['op'], path, from: from as string | null, value: gives ? value : undefined }
}

/** Each segment of a path may be an object that only this patch makes. */
function checkSize(steps: readonly Step[]): void {
  let segments = 0
  for (const { path } of steps) segments += path.split('/').length - 1
  if (segments > VALUES) throw tooLarge(`the paths of the patch have more than ${VALUES} segments`)
}

function changesOf({ op, path, from, value }: Step): readonly string[] {
  if (op === 'test') return []
  if (op === 'move') return [from as string, path]
  return value === undefined ? [path] : replacedLeaves(value, path)
}

interface Tree {
  /** Its members are elements; where in the list they end up does not matter. */
  list: boolean
  readonly members: Map<string, Tree | Leaf>
}
interface Leaf {
  readonly value: Json
}

/** An object with nothing but the values that the patch gives, at their places. */
function partialOf(steps: readonly Step[]): Json {
  let root: Tree | Leaf = newTree()
  for (const [number, { op, path, value }] of steps.entries()) {
    if (value === undefined || op === 'test') continue
    root = placed(root, segmentsOf(path), { value }, number)
  }
  return jsonOf(root)
}

function newTree(): Tree {
  return { list: false, members: new Map() }
}

function placed(at: Tree | Leaf, [first, ...rest]: readonly string[], leaf: Leaf, step: number): Tree | Leaf {
  if (first === undefined) return leaf
  const tree = 'value' in at ? opened(at.value) : at
  if (ELEMENT.test(first) && (tree.list || tree.members.size === 0)) tree.list = true
  // Elements move as others come and go: none is taken for one that an earlier operation gave, so nothing given is lost.
  const key = tree.list ? `${first}-${step}` : first
  tree.members.set(key, placed(tree.members.get(key) ?? newTree(), rest, leaf, step))
  return tree
}

function opened(value: Json): Tree {
  if (value === null || typeof value !== 'object') return newTree()
  const members = Object.entries(value as JsonObject).map(([key, member]) => [key, { value: member }] as const)
  return { list: Array.isArray(value), members: new Map(members) }
}

function jsonOf(at: Tree | Leaf): Json {
  if ('value' in at) return at.value
  const members = [...at.members].map(([key, member]) => [key, jsonOf(member)] as const)
  return at.list ? members.map(([, member]) => member) : Object.fromEntries(members)
}
