/** What a refusal is told as. */
import type { Refusal } from '../../../gate/refusal.ts'
import { sqlstateOf } from '../refusal.ts'

/** `sqlstate` where the server's own code is what drivers look for. */
export interface Refused {
  readonly refusal: Refusal
  readonly sqlstate: string
}

export const refused = (because: Refusal, sqlstate: string = sqlstateOf(because)): Refused => ({
  refusal: because,
  sqlstate,
})
