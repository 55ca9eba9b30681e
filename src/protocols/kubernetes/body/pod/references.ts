/** The Secrets and ConfigMaps that a pod reads, wherever its specification can name one. */
import type { JsonObject } from '../../../../gate/json.ts'
import type { Pod } from './pod.ts'
import { objectAt, objectsAt, textAt } from './shape.ts'

/** Volumes whose driver logs in with a Secret: by type, the member that names it. */
const VOLUME_SECRETS: readonly (readonly [string, string])[] = [
  ['csi', 'nodePublishSecretRef'],
  ['cephfs', 'secretRef'],
  ['cinder', 'secretRef'],
  ['flexVolume', 'secretRef'],
  ['iscsi', 'secretRef'],
  ['rbd', 'secretRef'],
  ['scaleIO', 'secretRef'],
  ['storageos', 'secretRef'],
]

export function secretsOf(pod: Pod): string[] {
  const volumes = objectsAt(pod.spec, 'volumes')
  return [
    ...fromEnvironment(pod, 'secretKeyRef', 'secretRef'),
    ...volumes.map((volume) => textAt(objectAt(volume, 'secret'), 'secretName')),
    ...volumes.map((volume) => textAt(objectAt(volume, 'azureFile'), 'secretName')),
    ...volumes.flatMap((volume) =>
      VOLUME_SECRETS.map(([type, member]) => textAt(objectAt(objectAt(volume, type), member), 'name')),
    ),
    ...projected(volumes, 'secret'),
    ...objectsAt(pod.spec, 'imagePullSecrets').map((reference) => textAt(reference, 'name')),
  ]
}

export function configMapsOf(pod: Pod): string[] {
  const volumes = objectsAt(pod.spec, 'volumes')
  return [
    ...fromEnvironment(pod, 'configMapKeyRef', 'configMapRef'),
    ...volumes.map((volume) => textAt(objectAt(volume, 'configMap'), 'name')),
    ...projected(volumes, 'configMap'),
  ]
}

function fromEnvironment({ containers }: Pod, one: string, all: string): string[] {
  return containers.flatMap((container) => [
    ...objectsAt(container, 'env').map((variable) => textAt(objectAt(objectAt(variable, 'valueFrom'), one), 'name')),
    ...objectsAt(container, 'envFrom').map((source) => textAt(objectAt(source, all), 'name')),
  ])
}

function projected(volumes: readonly JsonObject[], kind: string): string[] {
  return volumes
    .flatMap((volume) => objectsAt(objectAt(volume, 'projected'), 'sources'))
    .map((source) => textAt(objectAt(source, kind), 'name'))
}
