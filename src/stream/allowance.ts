import { NO_LIMITS } from '../gate/decision.ts'
import type { Permit } from '../gate/gate.ts'
import { type Refusal, refusal } from '../gate/refusal.ts'
import { deadline } from '../net/timers.ts'

/** What a timer of Node's can hold; more than three weeks. */
const LONGEST_TIMER_MS = 0x7fff_ffff

/** The bytes that may pass under a stream's permit, in both directions together, and the time that they may take. */
export class Allowance {
  readonly #bytes: number | null
  readonly #stop: () => void
  #passed = 0

  /** The time begins now; `over` is told once, when it is over. */
  constructor(permit: Permit, over: (because: Refusal) => void) {
    const { bytes, seconds } = permit.decisions[0]?.limits ?? NO_LIMITS
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
