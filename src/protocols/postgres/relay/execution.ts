/** What a session knows of prepared statements, portals, and commands that run. */
import type { JsonObject } from '../../../gate/json.ts'
import type { Permit } from '../../../gate/gate.ts'
import type { OutcomeStatus } from '../../../gate/ports.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import type { MaskPlan, RowMasker } from '../masking.ts'
import type { Token } from '../origination.ts'
import { innermost } from '../compose.ts'
import type { Role, Statement } from '../statement.ts'
import type { NameChanges } from './naming.ts'

/** A prepared statement, of Parse or of SQL's PREPARE. */
export interface Prepared {
  readonly name: string
  /** To be analysed again when the catalogue has moved on; null for SQL's PREPARE, whose text stands within another. */
  readonly text: string | null
  /** null: an empty text. */
  statement: Statement | null
  /** The catalogue's revision that `statement` was derived under. */
  revision: number
  /** Parameter types as far as known: those that Parse gave, then those that the server describes; 0 is not known. */
  types: readonly number[]
}

/** A portal, of Bind or of SQL's DECLARE. */
export interface Portal {
  readonly name: string
  readonly prepared: Prepared | null
  readonly statement: Statement | null
  readonly parameters: readonly JsonObject[]
  /** The parameters as the agent sent them. */
  readonly values: readonly (Uint8Array | null)[]
  readonly hold: boolean
  /** The server has said BindComplete, or CommandComplete of DECLARE. */
  confirmed: boolean
  /** A Describe of it is on its way or answered, so that its columns will be known before its rows come. */
  described: boolean
  /** Its RowDescription as the server sent it; empty where it gives no rows. */
  description: Buffer | null
  /** What it has given the agent, over all its executions. */
  rows: number
  bytes: number
}

/** One permitted statement, from its permit to its outcome. */
export class Execution {
  readonly permit: Permit
  /** Its place among the permit's commands. */
  readonly index: number
  readonly statement: Statement
  /** Of what runs in the end. */
  readonly role: Role
  readonly plan: MaskPlan
  readonly portal: Portal | null
  /** What counts against its limits: a cursor's and a portal's rows are one result, in however many parts they are read. */
  readonly given: { rows: number; bytes: number }
  /** They hold once the server says that it is done. */
  readonly names: NameChanges
  /** The most rows and bytes of rows that the agent may get. */
  readonly rowLimit: number
  readonly byteLimit: number
  masker: RowMasker | null = null
  rows = 0
  bytes = 0
  settled = false
  /** It is being stopped: nothing more of it reaches the agent but this. */
  stopped: { readonly refusal: Refusal; readonly token: Token | null } | null = null
  /** Its time is over: the server was asked to cancel it. */
  overdue: Refusal | null = null
  timer: NodeJS.Timeout | null = null
  /** The server takes the data of this COPY. */
  taking = false
  #waiting: (() => void)[] = []

  constructor(of: {
    permit: Permit
    index: number
    statement: Statement
    plan: MaskPlan
    portal: Portal | null
    /** The cursor that a FETCH reads. */
    cursor?: Portal | null
    names: NameChanges
  }) {
    this.permit = of.permit
    this.index = of.index
    this.statement = of.statement
    this.role = innermost(of.statement).role
    this.plan = of.plan
    this.portal = of.portal
    this.given = of.cursor ?? of.portal ?? { rows: 0, bytes: 0 }
    this.names = of.names
    const limits = of.permit.decisions[of.index]?.limits
    this.rowLimit = limits?.rows ?? Number.POSITIVE_INFINITY
    this.byteLimit = limits?.bytes ?? Number.POSITIVE_INFINITY
  }

  /** Texts of errors and notices must not pass: they could show what is masked. */
  get scrub(): boolean {
    return this.plan.kind !== 'clear' || this.plan.scrub
  }

  /** Resolves when it is settled. */
  async finished(): Promise<void> {
    while (!this.settled) await this.#told()
  }

  /** Resolves when the server takes the data of this COPY, or it is settled. */
  async answered(): Promise<void> {
    while (!this.taking && !this.settled) await this.#told()
  }

  /** Wakes those who wait for this to go on. */
  tell(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  #told(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    return promise
  }

  /** Rows may have to be held back. */
  get limited(): boolean {
    return this.rowLimit !== Number.POSITIVE_INFINITY || this.byteLimit !== Number.POSITIVE_INFINITY
  }

  get masked(): readonly string[] {
    return this.plan.kind === 'mask' ? this.plan.names : []
  }
}

export interface Ending {
  readonly status: OutcomeStatus
  readonly code: string
}
