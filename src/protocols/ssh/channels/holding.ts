/** The verdict on a program, which may wait for people: the agent is told so, again and again, and may leave. */
import type { Command } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Verdict } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { honourProgram } from '../obligations.ts'
import { heldLines } from '../refusal.ts'
import type { AgentEnd } from './agent-end.ts'
import type { Setting } from './program.ts'

/** Before a proxy or a person takes the silence for a hang. */
const TOLD_AGAIN_MS = 30_000

export interface Judged {
  readonly command: Command
  readonly bytes: Buffer
  /** Once. It may come at once. */
  ruled(verdict: Verdict): void
  /** It could not be asked for. */
  failed(error: unknown): void
  /** Policy takes it back. */
  revoked(because: Refusal): void
}

export class Holding {
  readonly #agent: Pick<AgentEnd, 'full' | 'write'>
  readonly #terminal: boolean
  /** Aborts when nobody waits any more. */
  readonly #leaving = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(agent: Pick<AgentEnd, 'full' | 'write'>, terminal: boolean) {
    this.#agent = agent
    this.#terminal = terminal
  }

  rule({ gate, session }: Pick<Setting, 'gate' | 'session'>, { command, bytes, ruled, failed, revoked }: Judged): void {
    const conclude = (verdict: Verdict): void => {
      clearInterval(this.#timer)
      ruled(verdict)
    }
    const verdict = gate.rule(session, {
      commands: [command],
      bytes,
      honour: honourProgram,
      revoked,
      signal: this.#leaving.signal,
      held: (demands) => this.#held(demands),
    })
    if (verdict instanceof Promise) verdict.then(conclude).catch(failed)
    else conclude(verdict)
  }

  withdraw(): void {
    clearInterval(this.#timer)
    this.#leaving.abort()
  }

  #held(demands: Decision['approvals']): void {
    const text = heldLines(demands, this.#terminal)
    this.#agent.write(text, 'error')
    // An agent that does not read is not told twice.
    this.#timer = setInterval(() => !this.#agent.full && this.#agent.write(text, 'error'), TOLD_AGAIN_MS)
  }
}
