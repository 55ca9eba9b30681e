/** What the extended query protocol asks the gate for: a Parse, or a Bind and its Execute, one of them or both. */
import type { Command } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Permit, Request } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import { encodeExecute } from '../messages.ts'
import { innermost } from '../compose.ts'
import type { MaskPlan } from '../masking.ts'
import { describePortal } from '../origination.ts'
import type { Statement } from '../statement.ts'
import type { Portal, Prepared } from './execution.ts'
import { CLEAR, isChecked } from './obligations.ts'
import type { Relay } from './relay.ts'
import { joined, type Span, spanOf } from './spans.ts'
import { executing, preparing } from './varying.ts'

/** Execute counts rows in 32 bits. */
const MOST_ROWS = 0x7ffffffe

/** A Bind that waits for what follows it. */
export interface Held {
  readonly frame: Span
  readonly prepared: Prepared
  readonly portal: Portal
  /** The agent's own Describe of the portal, which came directly behind. */
  describe: Span | null
}

export interface Execute {
  readonly frame: Span
  /** Zero or less: all. */
  readonly maxRows: number
}

/** Called when policy takes back the permit of a COPY that runs. */
export type Revoked = (because: Refusal, permit: () => Permit | null) => void

/** Parse before the gate: nothing runs yet, and no parameter is known. */
export class ParseRequest implements Request {
  readonly bytes: Uint8Array
  readonly commands: readonly Command[]
  readonly #relay: Relay
  readonly #statement: Statement
  readonly #revision: number

  constructor(relay: Relay, statement: Statement, prepared: Prepared, bytes: Uint8Array) {
    this.#relay = relay
    this.#statement = statement
    this.#revision = relay.revision
    this.bytes = bytes
    this.commands = [{ shape: statement.shape, varying: preparing(relay.status, statement, prepared.types) }]
  }

  get signal(): AbortSignal {
    return this.#relay.leaving
  }

  held(demands: Decision['approvals']): void {
    this.#relay.held(demands)
  }

  honour(_command: Command, decision: Decision): Refusal | null {
    const { obligations } = this.#relay
    return this.#relay.outdated(this.#revision) ?? obligations.honour(this.#statement, decision, true, [])
  }
}

/** Bind, Execute, or both, before the gate. */
export class RunRequest implements Request {
  readonly statement: Statement
  readonly portal: Portal
  readonly bound: Held | null
  readonly commands: readonly Command[]
  readonly revoked?: (because: Refusal) => void
  permit: Permit | null = null
  /** How the masks of the decision are kept. */
  plan: MaskPlan = CLEAR
  readonly #relay: Relay
  readonly #execute: Execute | null
  readonly #revision: number
  #decision: Decision | null = null

  constructor(
    relay: Relay,
    statement: Statement,
    portal: Portal,
    held: Held | null,
    execute: Execute | null,
    revoked: Revoked,
  ) {
    this.#relay = relay
    this.statement = statement
    this.portal = portal
    this.bound = held
    this.#execute = execute
    this.#revision = relay.revision
    const { role } = statement
    const parameters = role.is === 'execute' ? role.parameters : portal.parameters
    this.commands = [{ shape: statement.shape, varying: executing(relay.status, parameters) }]
    if (innermost(statement).role.is === 'copy-in') this.revoked = (because) => revoked(because, () => this.permit)
  }

  get executes(): boolean {
    return this.#execute !== null
  }

  /** The columns must be known before the first row where some of them are masked. */
  get describes(): boolean {
    if (this.bound !== null && this.bound.describe !== null) return true
    if (this.#decision === null || this.portal.described) return false
    return this.executes && isChecked(this.plan)
  }

  get signal(): AbortSignal {
    return this.#relay.leaving
  }

  held(demands: Decision['approvals']): void {
    this.#relay.held(demands)
  }

  honour(_command: Command, decision: Decision): Refusal | null {
    const outdated = this.#relay.outdated(this.#revision)
    if (outdated !== null) return outdated
    const { obligations } = this.#relay
    this.#decision = decision
    this.plan = obligations.plan(this.statement, decision)
    return obligations.honour(this.statement, decision, true, this.portal.values)
  }

  /** What goes upstream follows from the decision: a Describe to check masks by, a bound on the rows. */
  get bytes(): Uint8Array {
    const spans: Span[] = []
    if (this.bound !== null) spans.push(this.bound.frame)
    if (this.bound !== null && this.bound.describe !== null) spans.push(this.bound.describe)
    else if (this.describes) spans.push(spanOf(describePortal(this.portal.name)))
    if (this.#execute !== null) spans.push(this.#bounded(this.#execute))
    return joined(spans)
  }

  /** One row more than is permitted shows that there were more. */
  #bounded({ frame, maxRows }: Execute): Span {
    const limit = this.#decision?.limits.rows ?? null
    if (limit === null || !this.statement.readsOnly) return frame
    const most = Math.min(limit - this.portal.rows, MOST_ROWS) + 1
    return maxRows > 0 && maxRows < most ? frame : spanOf(encodeExecute(this.portal.name, Math.max(most, 1)))
  }
}
