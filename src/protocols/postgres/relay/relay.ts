/** What both directions of one session share: the gate's session, the names, and what the server still owes. */
import type { Logger } from 'pino'
import type { Command, Shape } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Gate, Permit, Request, Verdict } from '../../../gate/gate.ts'
import type { JsonObject } from '../../../gate/json.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import type { PostgresTargetConfig } from '../../../config/schema.ts'
import type { Catalogue } from '../catalogue.ts'
import { calling, compose, innermost, mystify } from '../compose.ts'
import { encodeNoticeResponse, errorFields, type TransactionStatus } from '../messages.ts'
import { Names, type Version } from '../names.ts'
import { newToken, type Origination, type Token } from '../origination.ts'
import { sqlstateOf } from '../refusal.ts'
import { recordedUnparsed } from '../sql/passwords.ts'
import type { Analysis, Statement } from '../statement.ts'
import type { Execution, Ending, Portal, Prepared } from './execution.ts'
import type { Obligations } from './obligations.ts'
import type { Outgoing } from './outgoing.ts'
import { Replies } from './replies.ts'

export type Limits = PostgresTargetConfig['limits']

/** Texts to statements, by the target's cache; a promise where a large one is parsed off the main thread. */
export interface Analyses {
  of(text: string): Analysis | Promise<Analysis>
  catalogue(): Catalogue
  /** Looks at the catalogs again. */
  refresh(): Promise<void>
}

/** How many names deep one statement may run another. */
const NAMED_LEVELS = 8

/** What a refusal is told as; `sqlstate` where the server's own code is what drivers look for. */
export interface Refused {
  readonly refusal: Refusal
  readonly sqlstate: string
}

export const refused = (because: Refusal, sqlstate: string = sqlstateOf(because)): Refused => ({
  refusal: because,
  sqlstate,
})

/** The words of `input.command.detail.transaction`. */
export const TRANSACTION = { I: 'idle', T: 'open', E: 'failed' } as const satisfies Record<TransactionStatus, string>

/** `varying` of commands without parameters, one object for each state. */
const BARE = Object.freeze(
  Object.fromEntries(
    Object.values(TRANSACTION).map((transaction) => [
      transaction,
      Object.freeze({ transaction, phase: 'execute', parameters: Object.freeze([]) }),
    ]),
  ),
) as Readonly<Record<string, JsonObject>>

const UNKNOWN_PARAMETER: JsonObject = Object.freeze({ type: null, value: null, known: false })

const NO_STATEMENTS: readonly Version<Prepared>[] = Object.freeze([])
const NO_PORTALS: readonly Version<Portal>[] = Object.freeze([])

export interface NameChanges {
  readonly statements: readonly Version<Prepared>[]
  readonly portals: readonly Version<Portal>[]
}
export const NO_CHANGES: NameChanges = Object.freeze({ statements: NO_STATEMENTS, portals: NO_PORTALS })

/** The detail of a text that was never understood: nothing is known of what it would do. */
const UNJUDGED: JsonObject = Object.freeze({
  effects: Object.freeze(['unknown']),
  relations: Object.freeze([]),
  functions: Object.freeze([]),
  where: null,
  limit: null,
  settings: Object.freeze([]),
  role: null,
  statement: Object.freeze({ index: 1, of: 1 }),
  readsOnly: false,
})

export class Relay {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  readonly limits: Limits
  readonly analyses: Analyses
  readonly obligations: Obligations
  readonly outgoing: Outgoing
  readonly statements: Names<Prepared>
  readonly portals: Names<Portal>
  readonly replies = new Replies()
  /** As of the last ReadyForQuery. */
  status: TransactionStatus = 'I'
  /** The server skips everything up to the agent's next Sync. */
  skipping = false
  /** Messages that fail together: grows at each Sync and behind each Query. */
  segment = 0
  /** Something was sent since the server last was ready, whose transaction is still open whatever the status says. */
  unsynced = false
  /** Permitted COPY FROM STDIN whose data the agent still sends, in order. */
  readonly copies: Execution[] = []
  /** Executions of the extended protocol since the last Sync. */
  executions = 0
  /** The last execution, where its rows are limited: what follows it waits for its end. */
  limited: { readonly execution: Execution; readonly query: boolean } | null = null
  /** What ran may have changed the catalogs; looked at when the transaction is over. */
  schemaChanged = false
  /** The catalogs are being looked at: what comes next is judged by what they say then. */
  refreshing: Promise<void> | null = null
  /** Something in the open transaction touched what is masked: an error at its end could show it. */
  scrubTransaction = false
  /** The session has ended: what was waited for is of no use any more. */
  over = false
  #cancelling: Promise<void> | null = null
  #hold: AbortController | null = null
  readonly #toAgent: (bytes: Uint8Array) => void
  readonly #answer: (bytes: Uint8Array) => void
  readonly #notify: (notice: Uint8Array) => void
  readonly #end: (because: Refusal) => void
  readonly #cancel: () => Promise<void>

  constructor(of: {
    gate: Gate
    session: Session
    log: Logger
    limits: Limits
    analyses: Analyses
    obligations: Obligations
    outgoing: Outgoing
    /** What came of the server's answers. */
    toAgent(bytes: Uint8Array): void
    /** What Sidegate answers by itself. */
    answer(bytes: Uint8Array): void
    /** A notice, if it can be told now. */
    notify(notice: Uint8Array): void
    /** Ends the connection, with a farewell. */
    end(because: Refusal): void
    /** Asks the server to cancel what it is doing; resolves when it has been asked. Never rejects. */
    cancel(): Promise<void>
  }) {
    this.gate = of.gate
    this.session = of.session
    this.log = of.log
    this.limits = of.limits
    this.analyses = of.analyses
    this.obligations = of.obligations
    this.outgoing = of.outgoing
    this.statements = new Names(of.limits.names, this)
    this.portals = new Names(of.limits.names, this)
    this.#toAgent = of.toAgent
    this.#answer = of.answer
    this.#notify = of.notify
    this.#end = of.end
    this.#cancel = of.cancel
  }

  toAgent(bytes: Uint8Array): void {
    this.#toAgent(bytes)
  }

  end(because: Refusal): void {
    this.#end(because)
  }

  answer(bytes: Uint8Array): void {
    this.#answer(bytes)
  }

  /** A cancel that comes late hits what runs next: nothing is sent until the server has got it. */
  cancel(): void {
    const cancelling = this.#cancel()
    this.#cancelling = cancelling
    void cancelling.finally(() => {
      if (this.#cancelling === cancelling) this.#cancelling = null
    })
  }

  /** The agent gives up what waits for people; false when nothing does. */
  withdraw(): boolean {
    this.#hold?.abort()
    return this.#hold !== null
  }

  /** What the agent's next message has to wait for, whatever it is. */
  get blocked(): Promise<void> | null {
    return this.refreshing ?? this.#cancelling
  }

  /** Nothing is under way in either direction, and the server is idle: the one state in which Sidegate may answer alone. */
  get idle(): boolean {
    return this.status === 'I' && !this.skipping && !this.unsynced && this.replies.empty && this.outgoing.empty
  }

  /** For who waits for an answer of the server's: all that it has to answer before must be on its way. */
  sent(answer: Promise<void>): Promise<void> {
    this.outgoing.flush()
    return answer
  }

  /** Has a request judged. Where that took time, the agent may be gone, or the server may have begun to skip. */
  judge(request: Request, concluded: (verdict: Verdict) => void): void | Promise<void> {
    const verdict = this.gate.rule(this.session, request)
    return verdict instanceof Promise ? this.#judgeLate(verdict, concluded) : concluded(verdict)
  }

  async #judgeLate(verdict: Promise<Verdict>, concluded: (verdict: Verdict) => void): Promise<void> {
    const late = await verdict
    this.#hold = null
    if (this.over || this.skipping) this.#leaveUnused(late)
    else concluded(late)
  }

  #leaveUnused(verdict: Verdict): void {
    if (verdict.kind === 'refused') return
    const { permit } = verdict
    const outcome = { status: 'skipped', code: '', rows: 0, bytes: 0, masked: [] } as const
    for (const index of permit.commands.keys()) this.gate.settle(permit, index, outcome)
  }

  /** Aborts when the agent leaves, or cancels, what waits for people. */
  get leaving(): AbortSignal {
    this.#hold ??= new AbortController()
    if (this.over) this.#hold.abort()
    return this.#hold.signal
  }

  /** Tells the agent that people are asked. */
  held(demands: Decision['approvals']): void {
    const codes = demands.map(({ code }) => code).join(', ')
    const message = `this waits for an approval (${codes})`
    this.#notify(encodeNoticeResponse(errorFields({ severity: 'NOTICE', code: '00000', message })))
  }

  varying(parameters: readonly JsonObject[]): JsonObject {
    const transaction = TRANSACTION[this.status]
    const bare = BARE[transaction]
    return parameters.length === 0 && bare !== undefined ? bare : { transaction, phase: 'execute', parameters }
  }

  /** `varying` of a Parse: its parameters are not known yet. */
  preparing({ parameters }: Statement, types: readonly number[]): JsonObject {
    const unknown = Array.from({ length: Math.max(parameters, types.length) }, () => UNKNOWN_PARAMETER)
    return { transaction: TRANSACTION[this.status], phase: 'prepare', parameters: unknown }
  }

  /** The unnamed statement ends, with the server's next answer. */
  dropUnnamed(): Version<Prepared> | null {
    return this.statements.has('') ? this.statements.remove('') : null
  }

  /** The server has said, or will never say, what ends the unnamed statement. */
  dropped(unnamed: Version<Prepared> | null, done: boolean): void {
    if (unnamed === null) return
    if (done) this.statements.confirm(unnamed)
    else this.statements.revert(unnamed)
  }

  /** Records the refusal of a text that policy cannot judge. */
  refuse(text: string, because: Refusal): Refusal {
    return this.gate.refuse(this.session, this.unjudged(text), because)
  }

  unjudged(text: string): Command {
    const recorded = recordedUnparsed(text).toWellFormed()
    const shape: Shape = {
      protocol: 'postgres',
      action: 'unknown',
      text: text.toWellFormed(),
      detail: UNJUDGED,
      ...(recorded === text ? {} : { recorded }),
    }
    return { shape, varying: this.varying([]) }
  }

  /** Sends a refusal's substitute, in the same place of the protocol, for the server to fail. */
  substitute(
    because: Refused,
    make: (token: Token) => Origination,
    { ready = false, silent = false, unnamed = false } = {},
  ): void {
    const token = newToken()
    this.outgoing.originate(make(token))
    const drops = unnamed ? this.dropUnnamed() : null
    this.replies.push({ kind: 'refused', ...because, token, ready, silent, told: false, unnamed: drops })
    if (ready) this.segment++
    else this.#sentUnsynced()
    this.skipping ||= !ready
  }

  /** Sends what the extended protocol permits, to be ended by a Sync. */
  forward(permit: Permit): void {
    this.outgoing.forward(permit)
    this.#sentUnsynced()
  }

  originate(origination: Origination): void {
    this.outgoing.originate(origination)
    this.#sentUnsynced()
  }

  #sentUnsynced(): void {
    this.unsynced = true
  }

  /**
   * The statement with what it runs by name, through all levels: the protocol can prepare an EXECUTE, which SQL then
   * executes. `earlier` holds names that statements before it in its message define.
   */
  resolve(statement: Statement, earlier: ReadonlyMap<string, Statement | null> | null, level = 0): Statement | Refused {
    const { role } = statement
    if (role.is !== 'execute' && role.is !== 'wraps-execute' && role.is !== 'fetch') return statement
    if (level === NAMED_LEVELS) {
      // A FETCH can even be bound to the portal that it fetches from.
      if (role.is === 'fetch') return mystify(statement)
      return refused(refusal('command.too-large', 'statements run each other by too many names'))
    }
    const named =
      role.is === 'fetch'
        ? (earlier?.get(`p${role.name}`) ?? this.portals.get(role.name)?.statement)
        : (earlier?.get(`s${role.name}`) ?? this.current(this.statements.get(role.name)))
    if (named === null || named === undefined) {
      if (role.is === 'fetch') return mystify(statement)
      return refused(refusal('command.unsupported', `prepared statement "${role.name}" does not exist`), '26000')
    }
    const inner = this.resolve(named, earlier, level + 1)
    return 'refusal' in inner ? inner : compose(statement, inner)
  }

  /** What must be known of the names that a statement runs before it can be judged. */
  settling({ role }: Statement, level = 0): Promise<void> | undefined {
    if (role.is !== 'execute' && role.is !== 'wraps-execute' && role.is !== 'fetch') return undefined
    if (level === NAMED_LEVELS) return undefined
    const settling = (role.is === 'fetch' ? this.portals : this.statements).settling(role.name)
    if (settling !== undefined) return settling
    const named = (role.is === 'fetch' ? this.portals : this.statements).get(role.name)?.statement
    return named === null || named === undefined ? undefined : this.settling(named, level + 1)
  }

  /** The prepared statement as the catalogue of now has it; undefined where it has to be analysed off the main thread. */
  current(prepared: Prepared | undefined): Statement | null | undefined {
    if (prepared === undefined) return undefined
    const { revision } = this.analyses.catalogue()
    if (prepared.revision === revision) return prepared.statement
    // The text of what SQL has prepared is that of its PREPARE.
    const analysis = this.analyses.of(prepared.text ?? prepared.statement?.shape.text ?? '')
    if (analysis instanceof Promise || analysis.kind !== 'statements') return undefined
    const own = analysis.statements[0] ?? null
    const inner = own !== null && prepared.text === null ? innerOfPrepare(own) : own
    if (inner === undefined) return undefined
    prepared.statement = this.typed(inner, prepared.types)
    prepared.revision = revision
    return prepared.statement
  }

  /** The statement with what its parameters call when they become values of the types that are said to be theirs. */
  typed(statement: Statement | null, types: readonly number[]): Statement | null {
    if (statement === null || types.length === 0) return statement
    const catalogue = this.analyses.catalogue()
    const calls = types.flatMap((type) => catalogue.typeChecks?.(type) ?? [])
    return calls.length === 0 ? statement : calling(statement, calls)
  }

  /** What running the statement does to the names, from now on. */
  changeNames(statement: Statement): NameChanges {
    const { role } = innermost(statement)
    switch (role.is) {
      case 'prepare': {
        const { revision } = this.analyses.catalogue()
        const prepared = { name: role.name, text: null, statement: role.statement, revision, types: [] }
        return { statements: [this.statements.define(role.name, prepared)], portals: NO_PORTALS }
      }
      case 'deallocate': {
        const all = () => this.statements.removeWhere(named)
        const statements = role.name === null ? all() : [this.statements.remove(role.name)]
        return { statements, portals: NO_PORTALS }
      }
      case 'declare': {
        const portal = newPortal({
          name: role.name,
          prepared: null,
          statement: role.statement,
          parameters: [],
          values: [],
          hold: role.hold,
        })
        return { statements: NO_STATEMENTS, portals: [this.portals.define(role.name, portal)] }
      }
      case 'close': {
        const portals = role.name === null ? this.portals.removeWhere(() => true) : [this.portals.remove(role.name)]
        return { statements: NO_STATEMENTS, portals }
      }
      case 'discard-all':
        return { statements: this.statements.removeWhere(named), portals: this.portals.removeWhere(() => true) }
      case 'plain':
      case 'execute':
      case 'wraps-execute':
      case 'fetch':
      case 'copy-in':
      case 'copy-out':
        return NO_CHANGES
    }
  }

  /** The server has done it. */
  confirm(execution: Execution): void {
    if (!execution.statement.readsOnly && changesSchema(execution.statement)) this.schemaChanged = true
    for (const version of execution.statements) this.statements.confirm(version)
    for (const version of execution.portals) {
      if (version.value !== null) version.value.confirmed = true
      this.portals.confirm(version)
    }
  }

  /** The server has not done it. */
  revert({ statements, portals }: NameChanges): void {
    for (const version of statements.toReversed()) this.statements.revert(version)
    for (const version of portals.toReversed()) this.portals.revert(version)
  }

  /** Says what became of an execution, once. */
  settle(execution: Execution, { status, code }: Ending): void {
    if (execution.settled) return
    execution.settled = true
    execution.tell()
    if (execution.timer !== null) clearTimeout(execution.timer)
    const copy = this.copies.indexOf(execution)
    if (copy >= 0) this.copies.splice(copy, 1)
    if (status !== 'completed') this.revert(execution)
    const { permit, index, rows, bytes, masked } = execution
    this.gate.settle(permit, index, {
      status: execution.stopped !== null || (execution.overdue !== null && status === 'failed') ? 'refused' : status,
      code,
      rows,
      bytes,
      masked,
    })
  }

  /** Ends an execution that an obligation stops: the agent gets this refusal, and no more rows. */
  stop(execution: Execution, because: Refusal, token: Token | null = null): void {
    if (execution.settled || execution.stopped !== null) return
    execution.stopped = { refusal: because, token }
    if (token === null) this.cancel()
  }

  /** A transaction is over, in which the catalogs may have changed. */
  refresh(): void {
    this.schemaChanged = false
    const refreshing = this.analyses.refresh().catch((error: unknown) => {
      // What cannot be looked at soon counts as stale, and then refuses.
      this.log.warn({ err: error }, 'the catalogue could not be looked at')
    })
    this.refreshing = refreshing
    void refreshing.finally(() => {
      if (this.refreshing === refreshing) this.refreshing = null
    })
  }

  /**
   * Starts the clock of a limit in seconds for what runs now; what waits for its turn does not run. What is done before the
   * server hears of the end of its time is done, and the agent is told so.
   */
  watch(): void {
    const execution = this.replies.running
    if (execution === null || execution.timer !== null) return
    const seconds = execution.permit.decisions[execution.index]?.limits.seconds ?? null
    if (seconds === null) return
    const because = refusal('obligation.limit', `the policy lets this run for ${seconds} s`, 'ask for less at once')
    const overdue = () => {
      execution.overdue = because
      this.cancel()
    }
    execution.timer = setTimeout(overdue, Math.min(seconds * 1000, LONGEST_TIMER_MS))
  }
}

/** Timers count milliseconds in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** SQL knows nothing of the unnamed statement: not even all of them are this one. */
const named = ({ name }: Prepared): boolean => name !== ''

function innerOfPrepare({ role }: Statement): Statement | undefined {
  return role.is === 'prepare' ? role.statement : undefined
}

const SCHEMA_EFFECTS: ReadonlySet<unknown> = new Set(['ddl', 'procedural', 'unknown'])

function changesSchema({ shape }: Statement): boolean {
  const effects = shape.detail['effects']
  return !Array.isArray(effects) || effects.some((effect) => SCHEMA_EFFECTS.has(effect))
}

export function newPortal(
  of: Pick<Portal, 'name' | 'prepared' | 'statement' | 'parameters' | 'values' | 'hold'>,
): Portal {
  return { ...of, confirmed: false, described: false, description: null, rows: 0 }
}
