/** Nothing to prove but to stand beside the sidecar. */
import { type Authenticator, type AuthenticatorPorts, proven, rejected } from './judgement.ts'

/**
 * Whatever a client offers is taken for nothing: some (paramiko) send their key or password without asking first whether one
 * is needed, and it identifies nobody here.
 */
export function acceptWorkload({ workload, identities }: AuthenticatorPorts): Authenticator {
  return {
    methods: [],
    judge: ({ user }, { local }) =>
      local
        ? proven({ principal: identities.workload(workload), user, method: 'none', attributes: {} })
        : rejected('identity.missing', 'without a proof, only loopback may connect'),
  }
}
