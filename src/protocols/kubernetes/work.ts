/** What is under way on one connection: its requests, in their order, and what runs of them. */
import type { ServerResponse } from 'node:http'
import type { Refusal } from '../../gate/refusal.ts'
import type { Session } from '../../gate/session.ts'
import { answerRefusal } from './transport/answer.ts'
import type { Progress } from './transport/server.ts'

export interface Running {
  readonly session: Session
  /** It goes on until somebody ends it. */
  readonly endless: boolean
  /** Ends it, for a reason that the agent is told. */
  readonly stop: (because: Refusal) => void
}

export class Work {
  /** Those that are not over, in the order of their requests. */
  readonly #responses = new Set<ServerResponse>()
  readonly #running = new Set<Running>()
  readonly #rested: () => void
  #latest: ServerResponse | null = null

  /** `rested` is told when something ended; perhaps nothing is under way any more. */
  constructor(rested: () => void) {
    this.#rested = rested
  }

  get idle(): boolean {
    return this.#responses.size === 0 && this.#running.size === 0
  }

  /** What the requests have come to. */
  get progress(): Progress {
    const [first] = this.#responses
    return first === undefined ? 'idle' : first.headersSent ? 'answering' : 'asked'
  }

  /**
   * A request began. Resolves when those before it are over, null at once: what one connection asks for is done in its order
   * (RFC 9112, section 9.3.2), and of its bodies one is held at a time.
   */
  enter(response: ServerResponse): Promise<void> | null {
    const before = this.#latest
    this.#latest = response
    this.#responses.add(response)
    response.once('close', () => {
      this.#responses.delete(response)
      if (this.#latest === response) this.#latest = null
      this.#rested()
    })
    return before === null || before.closed ? null : new Promise((resolve) => before.once('close', resolve))
  }

  /** Remembers what runs, so that it can be ended. Returns how to forget it. */
  track(running: Running): () => void {
    this.#running.add(running)
    return () => {
      this.#running.delete(running)
      this.#rested()
    }
  }

  /** Ends what runs and is one of these. */
  stop(because: Refusal, among: (running: Running) => boolean): void {
    for (const running of this.#running) if (among(running)) running.stop(because)
  }

  /** Answers what does not run yet: it waits for people, for its turn, or for its body. */
  refuse(because: Refusal): void {
    for (const response of this.#responses) answerRefusal(response, because, { last: true })
  }

  /** The connection is over. Node forgets those that waited for their turn on one that was to become something else. */
  over(): void {
    for (const response of this.#responses) response.destroy()
  }
}
