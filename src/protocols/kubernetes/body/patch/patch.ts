/** Patches by their content type: facts of what they change, and what they say of the object. */
import type { Json } from '../../../../gate/json.ts'
import type { RequestFacts } from '../../request/facts.ts'
import type { PatchFacts } from '../body.ts'
import { identityOf, objectOf } from '../object.ts'
import { jsonPatch } from './json.ts'
import { applyPatch, mergePatch } from './merge.ts'
import { strategicPatch } from './strategic.ts'

export interface Patch {
  readonly facts: PatchFacts
  /** The object, with what the patch gives of it alone. */
  readonly partial: Json
}

export const PATCHES: ReadonlyMap<string, PatchFacts['type']> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
])

const READERS = { merge: mergePatch, strategic: strategicPatch, apply: applyPatch }

export function readPatch(type: PatchFacts['type'], body: Json, facts: RequestFacts): Patch {
  if (type === 'json') return jsonPatch(body)
  const object = objectOf(body, 'the patch')
  identityOf(object, facts)
  return { facts: READERS[type](object), partial: object }
}
