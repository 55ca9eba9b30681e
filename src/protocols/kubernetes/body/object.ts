/** Whole objects: what they say of themselves must agree with the path that they are sent to. */
import type { Json, JsonObject } from '../../../gate/json.ts'
import type { RequestFacts } from '../request/facts.ts'
import { unparsable } from './refused.ts'

/** Keys that readers which ignore case would take for these. The API server drops their variants, others may not. */
const TOP_KEYS = keysOf(
  'apiVersion kind metadata spec status data binaryData stringData immutable type rules roleRef subjects aggregationRule',
  'webhooks template secrets imagePullSecrets automountServiceAccountToken subsets endpoints target dryRun deleteOptions',
)
const METADATA_KEYS = keysOf(
  'name generateName namespace labels annotations finalizers ownerReferences managedFields uid resourceVersion generation',
  'creationTimestamp deletionTimestamp deletionGracePeriodSeconds selfLink',
)

export interface Identity {
  readonly name: string
  readonly generateName: string
}

export function objectOf(json: Json, what: string): JsonObject {
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json as JsonObject
  throw unparsable(`${what} is no object`, 'send an object')
}

/** Throws where the object is meant for another place than its path, as the API server would, or can be read in two ways. */
export function identityOf(object: JsonObject, facts: RequestFacts): Identity {
  checkVariants(object, TOP_KEYS, 'the body')
  if (facts.subresource === '' && facts.resourceRequest && !isDeletion(facts)) checkVersion(object, facts)
  const { metadata } = object
  if (metadata === undefined || metadata === null) return { name: '', generateName: '' }
  const given = objectOf(metadata, 'metadata')
  checkVariants(given, METADATA_KEYS, 'metadata')
  const name = text(given, 'name')
  const namespace = text(given, 'namespace')
  if (namespace !== '' && facts.namespace !== '' && namespace !== facts.namespace) {
    throw unparsable('metadata.namespace is another than that of the path', 'send both alike')
  }
  if (name !== '' && facts.name !== '' && name !== facts.name) {
    throw unparsable('metadata.name is another than that of the path', 'send both alike')
  }
  return { name, generateName: name === '' ? text(given, 'generateName') : '' }
}

/** Throws at a key that differs from a known one in case alone. */
function checkVariants(object: JsonObject, known: ReadonlyMap<string, string>, where: string): void {
  for (const key of Object.keys(object)) {
    const meant = known.get(key.toLowerCase())
    if (meant !== undefined && meant !== key)
      throw unparsable(`${where} has ${key}, which some take for ${meant}`, `write it ${meant}, or leave it out`)
  }
}

/** Its options are of whatever version the client has them of. */
export function isDeletion({ verb }: RequestFacts): boolean {
  return verb === 'delete' || verb === 'deletecollection'
}

/** Of subresources the kind is one of another group: a Scale, a TokenRequest. */
function checkVersion(object: JsonObject, { group, version }: RequestFacts): void {
  const given = text(object, 'apiVersion')
  if (given !== '' && given !== (group === '' ? version : `${group}/${version}`)) {
    throw unparsable('apiVersion is another than that of the path', 'send both alike')
  }
  text(object, 'kind')
}

export function text(object: JsonObject, key: string): string {
  const value = object[key] ?? ''
  if (typeof value === 'string') return value
  throw unparsable(`${key} is no string`, 'send a string')
}

function keysOf(...lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(lines.flatMap((line) => line.split(' ')).map((key) => [key.toLowerCase(), key]))
}
