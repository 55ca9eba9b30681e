/** Those who wait until what they appended is durable, in the order in which they came. */
import type { Position } from '../gate/ports.ts'

interface Waiter {
  readonly position: Position
  readonly done: (error: Error | null) => void
  error: Error | null
}

export class Waiters {
  readonly #waiting: Waiter[] = []

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
    const waiting = this.#waiting
    try {
      for (let waiter = waiting[0]; waiter !== undefined; waiter = waiting[0]) {
        if (waiter.position > at.durable && waiter.error === null) return
        waiting.shift()
        waiter.done(waiter.error)
      }
    } finally {
      const next = waiting[0]
      if (next !== undefined && (next.position <= at.durable || next.error !== null)) again()
    }
  }
}
