/** What both directions of one session share: the gate's session, the names, and what the server still owes. */
import type { Logger } from 'pino'
import type { Decision } from '../../../gate/decision.ts'
import type { Gate, Permit, Request, Verdict } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import type { PostgresTargetConfig } from '../../../config/schema.ts'
import { encodeNoticeResponse, errorFields, type TransactionStatus } from '../messages.ts'
import { newToken, type Origination, type Token } from '../origination.ts'
import type { Statement } from '../statement.ts'
import type { Ending, Execution } from './execution.ts'
import { type Analyses, Naming } from './naming.ts'
import type { Obligations } from './obligations.ts'
import type { Outgoing } from './outgoing.ts'
import type { Refused } from './refused.ts'
import { Replies } from './replies.ts'
import { unjudged } from './varying.ts'

export type Limits = PostgresTargetConfig['limits']

export class Relay {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  readonly limits: Limits
  readonly analyses: Analyses
  readonly obligations: Obligations
  readonly outgoing: Outgoing
  /** The database's. */
  readonly #encoding: string
  readonly names: Naming
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
    encoding: string
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
    this.#encoding = of.encoding
    this.names = new Naming(of.limits.names, this, of.analyses)
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

  /** The catalogue's revision, under which a request is made. */
  get revision(): number {
    return this.analyses.catalogue().revision
  }

  /** Why what was judged under that revision may mean something else by now: people have taken their time. */
  outdated(revision: number): Refusal | null {
    if (revision === this.revision) return null
    return refusal('approval.withdrawn', 'the schema of the database has changed while this waited', 'send it again')
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

  /**
   * Why a text or name would not mean to the server what it means here; null where it does. A database of another encoding than
   * UTF8 folds and cuts names after it has converted them: what is two names there may be one here, and the other way round.
   */
  misread(text: string): Refusal | null {
    if (this.#encoding === 'UTF8' || Buffer.byteLength(text) === text.length) return null
    const message = `the database is encoded as ${this.#encoding}, and may read this otherwise than it is judged`
    return refusal(
      'command.unsupported',
      message,
      'write it in ASCII, and send all other text as parameters or by COPY',
    )
  }

  /** Records the refusal of a text that policy cannot judge. */
  refuse(text: string, because: Refusal): Refusal {
    return this.gate.refuse(this.session, unjudged(this.status, text), because)
  }

  /** Sends a refusal's substitute, in the same place of the protocol, for the server to fail. */
  substitute(
    because: Refused,
    make: (token: Token) => Origination,
    { ready = false, silent = false, unnamed = false } = {},
  ): void {
    const token = newToken()
    this.outgoing.originate(make(token))
    const drops = unnamed ? this.names.dropUnnamed() : null
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

  /** The server has done it. */
  confirm(execution: Execution): void {
    if (!execution.statement.readsOnly && changesSchema(execution.statement)) this.schemaChanged = true
    this.names.confirm(execution.names)
  }

  /** Says what became of an execution, once. */
  settle(execution: Execution, { status, code }: Ending): void {
    if (execution.settled) return
    execution.settled = true
    execution.tell()
    if (execution.timer !== null) clearTimeout(execution.timer)
    const copy = this.copies.indexOf(execution)
    if (copy >= 0) this.copies.splice(copy, 1)
    if (status !== 'completed') this.names.revert(execution.names)
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

const SCHEMA_EFFECTS: ReadonlySet<unknown> = new Set(['ddl', 'procedural', 'unknown'])

function changesSchema({ shape }: Statement): boolean {
  const effects = shape.detail['effects']
  return !Array.isArray(effects) || effects.some((effect) => SCHEMA_EFFECTS.has(effect))
}
