/**
 * The controls that the Pod Security Standard `restricted` adds to `baseline`, of Kubernetes 1.37, by the names of the API
 * server's own admission. Some demand fields: what a patch does not say may be there already, so of it only what is set counts.
 */
import type { JsonObject } from '../../../../../gate/json.ts'
import { addedOf, typesOf } from '../parts.ts'
import type { Pod } from '../pod.ts'
import { flagAt, numberAt, objectAt, objectsAt, textAt, textsAt } from '../shape.ts'
import { contextsOf, type Control, hasOtherProfile, inUserNamespace, unmasksProc } from './baseline.ts'

const VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
])

export const RESTRICTED: Readonly<Record<string, Control>> = {
  allowPrivilegeEscalation: (pod) => !onWindows(pod) && pod.containers.some((container) => escalates(container, pod)),
  capabilities_restricted: (pod) =>
    !onWindows(pod) && pod.containers.some((container) => keepsCapabilities(container, pod)),
  procMount_restricted: unmasksProc,
  // What is of no type becomes an emptyDir.
  restrictedVolumes: ({ spec }) =>
    objectsAt(spec, 'volumes').some((volume) => typesOf(volume).some((type) => !VOLUMES.has(type))),
  runAsNonRoot: (pod) => !inUserNamespace(pod) && mayRunAsRoot(pod),
  runAsUser: (pod) => !inUserNamespace(pod) && contextsOf(pod).some((context) => numberAt(context, 'runAsUser') === 0),
  seccompProfile_restricted: (pod) => !onWindows(pod) && isUnconfined(pod),
}

/** What of baseline they say more strictly. */
export const OVERRIDDEN: ReadonlySet<string> = new Set([
  'capabilities_baseline',
  'hostPathVolumes',
  'procMount',
  'seccompProfile_baseline',
])

function onWindows({ spec }: Pod): boolean {
  return textAt(objectAt(spec, 'os'), 'name') === 'windows'
}

function escalates(container: JsonObject, { partial }: Pod): boolean {
  return flagAt(objectAt(container, 'securityContext'), 'allowPrivilegeEscalation') ?? !partial
}

function keepsCapabilities(container: JsonObject, { partial }: Pod): boolean {
  const capabilities = objectAt(objectAt(container, 'securityContext'), 'capabilities')
  if (addedOf(container).some((capability) => capability !== 'NET_BIND_SERVICE')) return true
  if (partial && (capabilities?.['drop'] ?? null) === null) return false
  return !textsAt(capabilities, 'drop').includes('ALL')
}

function mayRunAsRoot({ spec, containers, partial }: Pod): boolean {
  const whole = flagAt(objectAt(spec, 'securityContext'), 'runAsNonRoot')
  if (whole === false) return true
  return containers.some((container) => {
    const own = flagAt(objectAt(container, 'securityContext'), 'runAsNonRoot') ?? whole
    return own === null ? !partial : !own
  })
}

function isUnconfined(pod: Pod): boolean {
  if (contextsOf(pod).some((context) => hasOtherProfile(context, 'seccompProfile'))) return true
  if (pod.partial || objectAt(objectAt(pod.spec, 'securityContext'), 'seccompProfile') !== null) return false
  return pod.containers.some((container) => objectAt(objectAt(container, 'securityContext'), 'seccompProfile') === null)
}
