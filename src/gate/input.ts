import type { JsonObject } from './json.ts'
import type { Question } from './ports.ts'

/** The version of the policy input and decision: `input.version`. */
export const CONTRACT_VERSION = 1

/** The policy input (design section 5) in full. Every key is always present. */
export function inputOf({ session, command, sequence, grant }: Question): JsonObject {
  const { shape, varying } = command
  const { principal, workload, target } = session.context
  return {
    version: CONTRACT_VERSION,
    command: {
      protocol: shape.protocol,
      action: shape.action,
      text: shape.text,
      detail: { ...shape.detail, ...varying },
    },
    principal: { ...principal, chain: principal.chain.map((link) => ({ ...link })) },
    workload: { ...workload },
    target: { ...target },
    session: { id: session.id, sequence, usage: { ...session.usage } },
    approval: grant === null ? null : { by: grant.by, at: grant.at },
  }
}
