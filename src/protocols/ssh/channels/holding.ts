/** A program that waits for people: the agent is told, again and again, and may leave. */
import type { Decision } from '../../../gate/decision.ts'
import { heldLines } from '../refusal.ts'
import type { AgentEnd } from './agent-end.ts'

/** Before a proxy or a person takes the silence for a hang. */
const TOLD_AGAIN_MS = 30_000

export class Holding {
  readonly #agent: Pick<AgentEnd, 'full' | 'write'>
  readonly #terminal: boolean
  readonly #leaving = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(agent: Pick<AgentEnd, 'full' | 'write'>, terminal: boolean) {
    this.#agent = agent
    this.#terminal = terminal
  }

  /** Aborts when nobody waits any more. */
  get signal(): AbortSignal {
    return this.#leaving.signal
  }

  held(demands: Decision['approvals']): void {
    const text = heldLines(demands, this.#terminal)
    this.#agent.write(text, 'error')
    // An agent that does not read is not told twice.
    this.#timer = setInterval(() => !this.#agent.full && this.#agent.write(text, 'error'), TOLD_AGAIN_MS)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  withdraw(): void {
    this.end()
    this.#leaving.abort()
  }
}
