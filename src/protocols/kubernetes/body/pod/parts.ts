/** Parts of a pod that more than one of its facts comes from. */
import type { JsonObject } from '../../../../gate/json.ts'
import type { Pod } from './pod.ts'
import { flagAt, numberAt, objectAt, objectsAt, textsAt } from './shape.ts'

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe']
const HOOKS = ['postStart', 'preStop']

/** What its node does with a container: its probes, and the hooks of its lifecycle. */
export function handlersOf(container: JsonObject): readonly JsonObject[] {
  const lifecycle = objectAt(container, 'lifecycle')
  const handlers = [
    ...PROBES.map((probe) => objectAt(container, probe)),
    ...HOOKS.map((hook) => objectAt(lifecycle, hook)),
  ]
  return handlers.filter((handler) => handler !== null)
}

/** On the network of its node, a port of a container is one of the node; the API server leaves ephemeral ones out. */
export function hostPortsOf({ spec, containers }: Pod): readonly number[] {
  const onNode = flagAt(spec, 'hostNetwork') === true
  const ephemeral = new Set(objectsAt(spec, 'ephemeralContainers'))
  const ports = containers.flatMap((container) => {
    const defaulted = onNode && !ephemeral.has(container)
    return objectsAt(container, 'ports').map(
      (port) => numberAt(port, 'hostPort') || (defaulted ? numberAt(port, 'containerPort') : null) || 0,
    )
  })
  return [...new Set(ports.filter((port) => port !== 0))]
}

/** One, or more where the API server will refuse it. */
export function typesOf(volume: JsonObject): readonly string[] {
  return Object.keys(volume).filter((key) => key !== 'name' && !key.startsWith('$') && volume[key] !== null)
}

export function addedOf(container: JsonObject): readonly string[] {
  return textsAt(objectAt(objectAt(container, 'securityContext'), 'capabilities'), 'add')
}
