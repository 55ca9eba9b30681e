/** What the server still owes, in the order in which it will answer: one queue, first in, first out. */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Version } from '../names.ts'
import type { Token } from '../origination.ts'
import type { Execution, Portal, Prepared } from './execution.ts'

/** `unnamed`: the end of the unnamed statement, which comes with it whether it succeeds or fails. */
export type Reply =
  /** Query: one answer for each statement, then ReadyForQuery. */
  | {
      readonly kind: 'query'
      readonly executions: readonly Execution[]
      done: number
      readonly unnamed: Version<Prepared> | null
    }
  | { readonly kind: 'parse'; readonly version: Version<Prepared>; readonly execution: Execution | null }
  /** `execution` is the Bind's own, when no Execute came with it. */
  | {
      readonly kind: 'bind'
      readonly version: Version<Portal>
      readonly execution: Execution | null
      readonly scrub: boolean
    }
  /** `own`: Sidegate asked, and keeps the answer to itself. */
  | {
      readonly kind: 'describe'
      readonly own: boolean
      readonly prepared: Prepared | null
      readonly portal: Portal | null
      readonly told: (() => void) | null
    }
  | { readonly kind: 'execute'; readonly execution: Execution }
  | { readonly kind: 'empty-execute' }
  | { readonly kind: 'close'; readonly statement: Version<Prepared> | null; readonly portal: Version<Portal> | null }
  | { readonly kind: 'sync' }
  /** A refusal's substitute, which the server fails; `ready`: it is a Query, so ReadyForQuery follows. */
  | {
      readonly kind: 'refused'
      readonly refusal: Refusal
      readonly sqlstate: string
      readonly token: Token
      readonly ready: boolean
      /** The agent has already been told. */
      readonly silent: boolean
      told: boolean
      readonly unnamed: Version<Prepared> | null
    }

export class Replies {
  #queue: Reply[] = []
  #head = 0
  #waiting: (() => void)[] = []

  get empty(): boolean {
    return this.#head === this.#queue.length
  }

  get length(): number {
    return this.#queue.length - this.#head
  }

  get head(): Reply | undefined {
    return this.#queue[this.#head]
  }

  /** The execution that the server's next answer is about. */
  get running(): Execution | null {
    const reply = this.head
    if (reply?.kind === 'execute') return reply.execution
    if (reply?.kind === 'query') return reply.executions[reply.done] ?? null
    return null
  }

  /** Resolves when nothing is owed any more. */
  async answered(): Promise<void> {
    while (!this.empty) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
  }

  push(reply: Reply): void {
    this.#queue.push(reply)
  }

  shift(): Reply | undefined {
    const reply = this.#queue[this.#head]
    if (reply === undefined) return undefined
    if (++this.#head === this.#queue.length) {
      this.#queue.length = 0
      this.#head = 0
      this.#wake()
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return reply
  }

  /** Takes out what the server skips after an error: all up to the next Sync, which stays. */
  skip(): { readonly skipped: readonly Reply[]; readonly synced: boolean } {
    const skipped: Reply[] = []
    for (let reply = this.head; reply !== undefined; reply = this.head) {
      if (reply.kind === 'sync') return { skipped, synced: true }
      skipped.push(reply)
      this.shift()
    }
    return { skipped, synced: false }
  }

  /** All that is still owed, when nothing more will come. */
  drain(): readonly Reply[] {
    const left = this.#queue.slice(this.#head)
    this.#queue = []
    this.#head = 0
    this.#wake()
    return left
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
