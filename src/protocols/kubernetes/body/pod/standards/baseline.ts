/**
 * The controls of the Pod Security Standard `baseline`, of Kubernetes 1.37, by the names that the API server's own admission
 * has for them (k8s.io/pod-security-admission, policy). Each says whether it forbids the pod.
 */
import type { JsonObject } from '../../../../../gate/json.ts'
import { addedOf, handlersOf, hostPortsOf } from '../parts.ts'
import type { Pod } from '../pod.ts'
import { flagAt, objectAt, objectsAt, textAt } from '../shape.ts'

export type Control = (pod: Pod) => boolean

const CAPABILITIES: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
])
const SELINUX_TYPES: ReadonlySet<string> = new Set([
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
])
const SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_notsent_lowat',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_slow_start_after_idle',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
])
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/'

export const BASELINE: Readonly<Record<string, Control>> = {
  appArmorProfile: (pod) =>
    contextsOf(pod).some((context) => hasOtherProfile(context, 'appArmorProfile')) || hasUnconfinedAnnotation(pod),
  capabilities_baseline: ({ containers }) =>
    containers.some((container) => addedOf(container).some((capability) => !CAPABILITIES.has(capability))),
  hostNamespaces: ({ spec }) =>
    ['hostNetwork', 'hostPID', 'hostIPC'].some((namespace) => flagAt(spec, namespace) === true),
  hostPathVolumes: ({ spec }) => objectsAt(spec, 'volumes').some((volume) => objectAt(volume, 'hostPath') !== null),
  hostPorts: (pod) => hostPortsOf(pod).length > 0,
  hostProbesAndHostLifecycle: ({ containers }) => containers.some(asksHosts),
  privileged: ({ containers }) =>
    containers.some((container) => flagAt(objectAt(container, 'securityContext'), 'privileged') === true),
  procMount: (pod) => !inUserNamespace(pod) && unmasksProc(pod),
  seLinuxOptions: (pod) => contextsOf(pod).some(hasOtherLabel),
  seccompProfile_baseline: (pod) => contextsOf(pod).some((context) => hasOtherProfile(context, 'seccompProfile')),
  sysctls: ({ spec }) =>
    objectsAt(objectAt(spec, 'securityContext'), 'sysctls').some((sysctl) => !SYSCTLS.has(textAt(sysctl, 'name'))),
  windowsHostProcess: (pod) =>
    contextsOf(pod).some((context) => flagAt(objectAt(context, 'windowsOptions'), 'hostProcess') === true),
}

/** The pod's security context, then those of its containers. */
export function contextsOf({ spec, containers }: Pod): readonly JsonObject[] {
  return [spec, ...containers].map((of) => objectAt(of, 'securityContext')).filter((context) => context !== null)
}

/** A profile that is there, and is neither the runtime's own nor one of the node. */
export function hasOtherProfile(context: JsonObject, key: string): boolean {
  const profile = objectAt(context, key)
  return profile !== null && !['RuntimeDefault', 'Localhost'].includes(textAt(profile, 'type'))
}

export function unmasksProc({ containers }: Pod): boolean {
  return containers.some((container) => {
    const context = objectAt(container, 'securityContext')
    return (context?.['procMount'] ?? 'Default') !== 'Default'
  })
}

export function inUserNamespace({ spec }: Pod): boolean {
  return flagAt(spec, 'hostUsers') === false
}

function hasUnconfinedAnnotation({ annotations }: Pod): boolean {
  return Object.keys(annotations ?? {}).some((key) => {
    if (!key.startsWith(APPARMOR_ANNOTATION)) return false
    const profile = textAt(annotations, key)
    return profile !== '' && profile !== 'runtime/default' && !profile.startsWith('localhost/')
  })
}

function hasOtherLabel(context: JsonObject): boolean {
  const options = objectAt(context, 'seLinuxOptions')
  if (options === null) return false
  return !SELINUX_TYPES.has(textAt(options, 'type')) || textAt(options, 'user') !== '' || textAt(options, 'role') !== ''
}

/** A probe or hook that the node makes against another host. */
function asksHosts(container: JsonObject): boolean {
  return handlersOf(container).some((handler) =>
    ['httpGet', 'tcpSocket'].some((action) => textAt(objectAt(handler, action), 'host') !== ''),
  )
}
