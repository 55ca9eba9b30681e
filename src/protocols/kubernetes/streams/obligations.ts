/** What a decision may demand of a stream, and how that is kept. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { deadline } from '../../../net/timers.ts'

/** What a timer of Node's can hold; more than three weeks. */
const LONGEST_TIMER_MS = 0x7fff_ffff

/** Bytes and seconds can be kept, and nothing can be found in a stream to be masked. */
export function honourStream(decision: Decision): Refusal | null {
  if (decision.masks.length > 0) {
    return refusal('obligation.unsupported', 'nothing can be masked in a stream', 'ask for what has fields')
  }
  if (decision.limits.rows !== null) {
    return refusal('obligation.unsupported', 'a stream has no rows that could be limited', 'limit bytes or seconds')
  }
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

  /** The part of some bytes that may still pass. */
  take(bytes: Buffer): Buffer {
    if (this.#bytes === null) return bytes
    const left = Math.min(bytes.length, this.#bytes - this.#passed)
    this.#passed += left
    return left === bytes.length ? bytes : bytes.subarray(0, left)
  }

  get exhausted(): Refusal {
    return refusal('obligation.limit', `only ${this.#bytes} bytes may pass`)
  }

  end(): void {
    this.#stop()
  }
}
