import type { Principal, Workload } from '../gate/principal.ts'

/** The issuer's name where nobody issued anything: what was proven is the place, or a password of the sidecar's own. */
export const WORKLOAD_ISSUER = 'workload'
export const PASSWORD_ISSUER = 'password'

/** Kubernetes' own name for a service account; `local` outside a cluster. */
export function workloadPrincipal({ namespace, serviceAccount }: Workload): Principal {
  const inCluster = namespace !== '' && serviceAccount !== ''
  return principal(inCluster ? `system:serviceaccount:${namespace}:${serviceAccount}` : 'local', WORKLOAD_ISSUER)
}

export function passwordPrincipal(user: string): Principal {
  return principal(user, PASSWORD_ISSUER)
}

function principal(subject: string, issuer: string): Principal {
  return Object.freeze({
    subject,
    issuer,
    groups: Object.freeze([]),
    claims: Object.freeze({}),
    chain: Object.freeze([]),
  })
}
