/** How exec and attach end: a Status on the error channel (k8s.io/apimachinery, pkg/util/remotecommand). */
import type { Refusal } from '../../../gate/refusal.ts'
import { statusOf } from '../refusal.ts'
import type { RequestFacts } from '../request/facts.ts'

const NON_ZERO = 'NonZeroExitCode'
const EXIT_CODE = 'ExitCode'
/** What a shell says of a command that it found and could not run. */
const REFUSED_EXIT = 126
/** A Status that is longer says more than that a program ended. */
const LARGEST_STATUS = 64 * 1024

export type Exit = { readonly status: number } | null

/** Gathers what came on the error channel. */
export class ExitReader {
  #pieces: Buffer[] = []
  #length = 0
  /** Anything came: the other side ended it in its own words. */
  told = false

  push(bytes: Buffer): void {
    this.told ||= bytes.length > 0
    this.#length += bytes.length
    if (this.#length <= LARGEST_STATUS) this.#pieces.push(bytes)
    else this.#pieces = []
  }

  /** Null where it is no Status, or says of no exit. */
  read(): Exit {
    if (!this.told || this.#length > LARGEST_STATUS) return null
    try {
      return exitOf(JSON.parse(Buffer.concat(this.#pieces).toString()))
    } catch {
      return null
    }
  }
}

interface StatusLike {
  readonly status?: unknown
  readonly reason?: unknown
  readonly details?: { readonly causes?: readonly { readonly reason?: unknown; readonly message?: unknown }[] } | null
}

function exitOf({ status, reason, details }: StatusLike): Exit {
  if (status === 'Success') return { status: 0 }
  if (reason !== NON_ZERO) return null
  const cause = details?.causes?.find((one) => one.reason === EXIT_CODE)
  const code = Number(cause?.message)
  return typeof cause?.message === 'string' && Number.isInteger(code) && code >= 0 ? { status: code } : null
}

/** What a person reads, in the words of kubectl. */
export function tellOf(because: Refusal, facts: RequestFacts): string {
  const { message, reason } = statusOf(because, facts)
  return `Error from server (${reason}): ${message}`
}

/** `told`: a person reads why beside it, so that only the exit code is left to say. */
export function refusedExit(because: Refusal, facts: RequestFacts, told: boolean): Buffer {
  const status = statusOf(because, facts)
  if (!told) return Buffer.from(JSON.stringify(status))
  const causes = [{ reason: EXIT_CODE, message: String(REFUSED_EXIT) }, ...status.details.causes]
  return Buffer.from(JSON.stringify({ ...status, reason: NON_ZERO, details: { ...status.details, causes } }))
}
