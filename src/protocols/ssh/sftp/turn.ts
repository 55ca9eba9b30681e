/** A request on its way to its verdict: its paths are resolved one after the other, then it is judged. */
import type { Asked } from './asking.ts'
import { type Facts, operationCommand } from './facts.ts'
import type { SftpReply } from './packets/replies.ts'
import { type Query, Resolution } from './resolution.ts'
import type { Judge } from './steps.ts'

export class Turn {
  readonly asked: Asked
  readonly #resolves: boolean
  #subject: Resolution | null = null
  #target: Resolution | null = null
  /** It goes on when what the server has just said is done with, and nothing changes paths any more. */
  paused = false
  judge: Judge | null = null

  constructor(asked: Asked, resolves: boolean) {
    this.asked = asked
    this.#resolves = resolves
  }

  get needsServer(): boolean {
    return this.#resolves && this.asked.subject !== null
  }

  /** What the server has to be asked next; null when all is known that can be. */
  query(): Query | null {
    const { subject } = this.asked
    if (!this.#resolves || subject === null) return null
    this.#subject ??= new Resolution(subject.path, subject.follows)
    if (this.#subject.query !== null) return this.#subject.query
    const target = this.asked.target(this.#subject.resolved)
    if (target === null) return null
    this.#target ??= new Resolution(target.path, target.follows)
    return this.#target.query
  }

  answer(reply: SftpReply): void {
    if (this.#subject !== null && this.#subject.query !== null) this.#subject.answer(reply)
    else this.#target?.answer(reply)
  }

  facts(): Facts {
    const { asked } = this
    const resolved = this.#subject?.resolved ?? asked.facts.resolved ?? null
    const target = asked.target(this.#subject?.resolved ?? null)?.path ?? asked.facts.target ?? null
    const targetResolved = this.#target?.resolved ?? asked.facts.targetResolved ?? null
    return { ...asked.facts, resolved, target, targetResolved }
  }

  judgement(user: string): Judge {
    const { asked } = this
    const bytes = asked.encode(this.#subject?.resolved ?? null, this.#target?.resolved ?? null)
    const { operation } = asked.facts
    const streams = operation === 'open' || operation === 'opendir'
    this.judge = { kind: 'judge', command: operationCommand(user, this.facts()), bytes, streams }
    return this.judge
  }
}
