/** Where a pod is described, and its description in the parts that are looked at. */
import type { Json, JsonObject } from '../../../../gate/json.ts'
import type { RequestFacts } from '../../request/facts.ts'
import { objectAt, objectsAt } from './shape.ts'

export interface Pod {
  readonly annotations: JsonObject | null
  readonly spec: JsonObject
  /** Init and ephemeral ones too: each may run anything. */
  readonly containers: readonly JsonObject[]
  /** What it does not say may be there already. */
  readonly partial: boolean
}

/** The members that lead to the pod, or its template, by `RESOURCE[.GROUP][/SUBRESOURCE]`. */
const PLACES: ReadonlyMap<string, readonly string[]> = new Map([
  ['pods', []],
  ['pods/ephemeralcontainers', []],
  ['pods/resize', []],
  ['podtemplates', ['template']],
  ['replicationcontrollers', ['spec', 'template']],
  ['deployments.apps', ['spec', 'template']],
  ['replicasets.apps', ['spec', 'template']],
  ['statefulsets.apps', ['spec', 'template']],
  ['daemonsets.apps', ['spec', 'template']],
  ['jobs.batch', ['spec', 'template']],
  ['cronjobs.batch', ['spec', 'jobTemplate', 'spec', 'template']],
])
const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers']

/** Null for what describes none. The path says of which kind a body is, even where the body does not. */
export function podOf({ group, resource, subresource }: RequestFacts, body: Json, partial: boolean): Pod | null {
  const place = PLACES.get(`${resource}${group && `.${group}`}${subresource && `/${subresource}`}`)
  if (place === undefined || body === null || typeof body !== 'object' || Array.isArray(body)) return null
  let at: JsonObject | null = body as JsonObject
  for (const key of place) at = objectAt(at, key)
  const spec = objectAt(at, 'spec')
  const annotations = objectAt(objectAt(at, 'metadata'), 'annotations')
  if (spec === null && (annotations === null || !partial)) return null
  const containers = CONTAINERS.flatMap((key) => objectsAt(spec, key))
  return { annotations, spec: spec ?? {}, containers, partial }
}
