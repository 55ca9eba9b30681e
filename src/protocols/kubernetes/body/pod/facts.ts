/** What policy is told of the pods that a body describes. */
import type { JsonObject } from '../../../../gate/json.ts'
import type { PodFacts } from '../body.ts'
import { unparsable } from '../refused.ts'
import { addedOf, handlersOf, hostPortsOf, typesOf } from './parts.ts'
import type { Pod } from './pod.ts'
import { configMapsOf, secretsOf } from './references.ts'
import { flagAt, objectAt, objectsAt, textAt, textsAt } from './shape.ts'
import { violationsOf } from './standards/violations.ts'

export function factsOf(pod: Pod): PodFacts {
  const { spec, containers, partial } = pod
  const volumes = objectsAt(spec, 'volumes')
  return {
    partial,
    images: unique([
      ...containers.map((container) => textAt(container, 'image')),
      ...volumes.map((volume) => textAt(objectAt(volume, 'image'), 'reference')),
    ]),
    commands: containers.flatMap(commandsOf).filter((command) => command.length > 0),
    secrets: unique(secretsOf(pod)),
    configMaps: unique(configMapsOf(pod)),
    serviceAccount: serviceAccountOf(spec),
    hostNamespaces: hostNamespacesOf(spec),
    hostPaths: unique(volumes.map((volume) => textAt(objectAt(volume, 'hostPath'), 'path'))),
    hostPorts: hostPortsOf(pod),
    volumes: unique(volumes.flatMap(typesOf)),
    node: textAt(spec, 'nodeName'),
    privileged: containers.some((container) => flagAt(objectAt(container, 'securityContext'), 'privileged') === true),
    capabilities: unique(containers.flatMap((container) => addedOf(container))),
    ...violationsOf(pod),
  }
}

/** What runs of it: its own command, those of its probes and of its lifecycle. */
function commandsOf(container: JsonObject): (readonly string[])[] {
  return [
    [...textsAt(container, 'command'), ...textsAt(container, 'args')],
    ...handlersOf(container).map((handler) => textsAt(objectAt(handler, 'exec'), 'command')),
  ]
}

/** The API server takes the old name only where the new one is empty. */
function serviceAccountOf(spec: JsonObject): string {
  const [name, old] = [textAt(spec, 'serviceAccountName'), textAt(spec, 'serviceAccount')]
  if (name !== '' && old !== '' && name !== old) {
    throw unparsable('serviceAccountName and serviceAccount of a pod differ', 'send the first alone')
  }
  return name || old
}

function hostNamespacesOf(spec: JsonObject): PodFacts['hostNamespaces'] {
  return [
    ...(flagAt(spec, 'hostNetwork') === true ? (['network'] as const) : []),
    ...(flagAt(spec, 'hostPID') === true ? (['pid'] as const) : []),
    ...(flagAt(spec, 'hostIPC') === true ? (['ipc'] as const) : []),
  ]
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.filter((text) => text !== ''))]
}
