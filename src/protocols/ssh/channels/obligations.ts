/** What a decision may demand of a program or of what is set before it, and how that is kept. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { deadline } from '../../../net/timers.ts'

/** A program's streams: bytes and seconds can be kept, and nothing can be found in them to be masked. */
export function honourProgram(decision: Decision): Refusal | null {
  if (decision.masks.length > 0) {
    return refusal('obligation.unsupported', 'nothing can be masked in what a program writes')
  }
  if (decision.limits.rows !== null) {
    return refusal('obligation.unsupported', 'a program has no rows that could be limited', 'limit bytes or seconds')
  }
  return null
}

/** A variable, a terminal: nothing comes back that could hold what is to be masked or counted. */
export function honourSetting(): null {
  return null
}

/** The bytes that may pass, in both directions together, and the time that they may take. */
export class Allowance {
  readonly #bytes: number | null
  readonly #stop: () => void
  #passed = 0

  /** `over` is told once, when the time is over. */
  constructor({ bytes, seconds }: Decision['limits'], over: (because: Refusal) => void) {
    this.#bytes = bytes
    // A limit of 0 seconds is over at once; to `deadline`, 0 is never.
    const ms = seconds === null ? 0 : Math.min(Math.max(seconds * 1000, 1), LONGEST_TIMER_MS)
    this.#stop = deadline(ms, () => over(refusal('obligation.limit', `it may run for ${seconds} seconds only`)))
  }

  /** How many of so many bytes may still pass. */
  take(bytes: number): number {
    if (this.#bytes === null) return bytes
    const taken = Math.min(bytes, this.#bytes - this.#passed)
    this.#passed += taken
    return taken
  }

  get exhausted(): Refusal {
    return refusal('obligation.limit', `only ${this.#bytes} bytes may pass`)
  }

  end(): void {
    this.#stop()
  }
}

/** What a timer of Node's can hold; more than three weeks. */
const LONGEST_TIMER_MS = 0x7fff_ffff
