import type { JsonObject } from '../gate/json.ts'
import type { Principal, Workload } from '../gate/principal.ts'

/** The issuer's name where nobody issued anything: what was proven is the place, or what the sidecar itself was told of. */
export const WORKLOAD_ISSUER = 'workload'
export const PASSWORD_ISSUER = 'password'
export const KEY_ISSUER = 'key'

/** What an OpenSSH certificate says of who presented it. */
export interface Certified {
  readonly user: string
  readonly keyId: string
  readonly serial: string
  readonly principals: readonly string[]
  readonly fingerprint: string
  /** The fingerprint of the key that signed. */
  readonly authority: string
}

/** Kubernetes' own name for a service account; `local` outside a cluster. */
export function workloadPrincipal({ namespace, serviceAccount }: Workload): Principal {
  const inCluster = namespace !== '' && serviceAccount !== ''
  return principal(inCluster ? `system:serviceaccount:${namespace}:${serviceAccount}` : 'local', WORKLOAD_ISSUER)
}

export function passwordPrincipal(user: string): Principal {
  return principal(user, PASSWORD_ISSUER)
}

export function keyPrincipal(user: string, fingerprint: string): Principal {
  return principal(user, KEY_ISSUER, { fingerprint })
}

/** The authority is the issuer, so that the same name certified by two authorities is two principals. */
export function certificatePrincipal({ user, authority, ...claims }: Certified): Principal {
  return principal(user, authority, { ...claims, principals: Object.freeze([...claims.principals]) })
}

function principal(subject: string, issuer: string, claims: JsonObject = {}): Principal {
  return Object.freeze({
    subject,
    issuer,
    groups: Object.freeze([]),
    claims: Object.freeze(claims),
    chain: Object.freeze([]),
  })
}
