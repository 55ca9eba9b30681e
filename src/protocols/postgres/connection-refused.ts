import type { Refusal } from '../../gate/refusal.ts'
import { refusal, type RefusalCode } from '../../gate/refusal.ts'

/**
 * A connection that does not come about, on either leg: what the agent is told, in the words that it may read.
 * What only the operator may read (the target's own words, a file's path) is the `cause`.
 */
export class ConnectionRefused extends Error {
  readonly code: RefusalCode
  readonly #refusal: Refusal
  /** As a server would say it. */
  readonly sqlstate: string

  constructor(code: RefusalCode, sqlstate: string, message: string, more: { remedy?: string; cause?: unknown } = {}) {
    super(message, { cause: more.cause })
    this.name = 'ConnectionRefused'
    this.code = code
    this.sqlstate = sqlstate
    this.#refusal = refusal(code, message, more.remedy ?? '')
  }

  /** Not a property of the error's own: a logger takes what has a message for an error, and writes into it. */
  get refusal(): Refusal {
    return this.#refusal
  }
}
