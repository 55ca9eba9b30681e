import { randomUUID } from 'node:crypto'
import type { Command } from './command.ts'
import type { Principal, TargetIdentity, Workload } from './principal.ts'
import type { Refusal } from './refusal.ts'

/** Who acts on what from where: the part of the policy input that is constant for a session. Frozen. */
export interface Context {
  readonly principal: Principal
  readonly workload: Workload
  readonly target: TargetIdentity
  /** The three as JSON, `{"principal":…,"workload":…,"target":…}`: two contexts are equal exactly if these are. */
  readonly json: string
}

export function context(principal: Principal, workload: Workload, target: TargetIdentity): Context {
  return Object.freeze({ principal, workload, target, json: JSON.stringify({ principal, workload, target }) })
}

/** What a session has used so far, as `input.session.usage`. */
export interface Usage {
  commands: number
  rows: number
  bytes: number
  denied: number
}

/** One connection from one principal to one target, from accept to close. Only the gate opens one. */
export class Session {
  readonly id: string = randomUUID()
  readonly usage: Usage = { commands: 0, rows: 0, bytes: 0, denied: 0 }
  readonly context: Context
  readonly startedAt: number = Date.now()
  /** What the protocol adds to the record of the session's start: database, user, client. Never a secret. */
  readonly attributes: Readonly<Record<string, string>>
  sequence = 0
  /** Why nothing is permitted in it any more; null while it goes on. */
  ended: Refusal | null = null
  /** What the principal's own proof rules out, whatever policy says: set by the protocol before its first command. */
  forbids: ((command: Command) => Refusal | null) | null = null

  constructor(context: Context, attributes: Readonly<Record<string, string>>) {
    this.context = context
    this.attributes = attributes
  }
}
