/** Those who wait until what they appended is durable, in the order in which they came. */
import type { Position } from '../gate/ports.ts'

interface Waiter {
  readonly position: Position
  readonly done: (error: Error | null) => void
  error: Error | null
}

export class Waiters {
  readonly #waiting: Waiter[] = []
  /** Those before were called back. */
  #next = 0

  /** `error` where it is known already that the position will never be durable. */
  add(position: Position, done: (error: Error | null) => void, error: Error | null): void {
    this.#waiting.push({ position, done, error })
  }

  /** Whoever waits for more than `durable` waits in vain. They are called back in their turn. */
  fail(durable: Position, error: Error): void {
    for (const waiter of this.#waiting) if (waiter.position > durable) waiter.error = error
  }

  /** Calls back all who need not wait any longer; a callback may move `at.durable` on. Calls `again` where one of them threw before all were called. */
  callBack(at: { readonly durable: Position }, again: () => void): void {
    try {
      for (let waiter = this.#due(at); waiter !== null; waiter = this.#due(at)) {
        this.#next++
        waiter.done(waiter.error)
      }
    } finally {
      // All at once, also those of a call that was made in one of these.
      if (this.#next > 0) this.#waiting.splice(0, this.#next)
      this.#next = 0
      if (this.#due(at) !== null) again()
    }
  }

  #due({ durable }: { readonly durable: Position }): Waiter | null {
    const waiter = this.#waiting[this.#next]
    return waiter === undefined || (waiter.position > durable && waiter.error === null) ? null : waiter
  }
}
