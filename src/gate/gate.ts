/**
 * The one path: decide → (hold) → record → forward → settle.
 *
 * The order is the product. A command's decision is recorded before its first byte goes upstream, because what was
 * forwarded and not recorded can never be accounted for; a record that cannot be written therefore refuses. Forwarding
 * takes a {@link Permit}, which only this file can make, and which carries the very bytes that were judged.
 */
import { ask } from './asking.ts'
import type { Command } from './command.ts'
import type { Decision } from './decision.ts'
import type { Answer, ApprovalPort, FrameKind, Grant, Outcome, PolicyPort, Position, RecordPort } from './ports.ts'
import { journalRefusal, type Refusal, refusal } from './refusal.ts'
import type { Request } from './request.ts'
import { forbiddenAmong, type Grants, refusalAmong, type Ruling, sameObligations, weigh } from './ruling.ts'
import { type Context, Session } from './session.ts'

export type { Request } from './request.ts'

export type Verdict =
  | { readonly kind: 'permitted'; readonly permit: Permit }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** A permit was used against its terms: a defect of Sidegate, never the agent's doing. The connection ends. */
export class PermitError extends Error {
  override readonly name = 'PermitError'
  readonly code = 'permit.misused'
}

/** The proof that these bytes may be forwarded: judged, permitted, and recorded. */
class GatePermit {
  readonly session: Session
  readonly commands: readonly Command[]
  /** One for each command, in order. */
  readonly decisions: readonly Decision[]
  /** The sequence number of the first command; the others follow. */
  readonly sequence: number
  readonly decidedAt: number
  /** The bundle that permitted it. */
  readonly revision: string
  readonly #record: RecordPort
  readonly #position: Position
  #bytes: Uint8Array | null
  #stream: 'none' | 'open' | 'closed'

  constructor(record: RecordPort, position: Position, request: Request, rulings: Rulings, session: Session) {
    this.session = session
    this.commands = request.commands
    this.decisions = rulings.decisions
    this.sequence = rulings.sequence
    this.decidedAt = rulings.at
    this.revision = rulings.revision
    this.#record = record
    this.#position = position
    this.#bytes = request.bytes
    this.#stream = request.revoked === undefined ? 'none' : 'open'
  }

  /** The bytes to write upstream: once, and only when the record of the decision is durable. */
  take(): Uint8Array {
    if (this.#bytes === null) throw new PermitError('a permit was used twice')
    if (this.#record.durable < this.#position) throw new PermitError('a permit was used before its record was durable')
    if (this.session.ended !== null) throw new PermitError('a permit was used after its session had ended')
    const bytes = this.#bytes
    this.#bytes = null
    return bytes
  }

  /** More bytes of a stream that the permit covers; throws once the permit was revoked or settled. */
  pass(bytes: Uint8Array): Uint8Array {
    if (this.#bytes !== null || this.#stream !== 'open') throw new PermitError('a stream went on without its permit')
    return bytes
  }

  get streaming(): boolean {
    return this.#stream === 'open'
  }

  /** Ends a stream; what follows needs a permit of its own. */
  close(): void {
    if (this.#stream === 'open') this.#stream = 'closed'
  }
}
export type Permit = GatePermit

interface Rulings {
  readonly decisions: readonly Decision[]
  readonly sequence: number
  readonly at: number
  readonly revision: string
}

/** Ends a session in its protocol's own form: the agent is told, the connection closes, and what ran is settled. */
export type EndSession = (because: Refusal) => void

interface OpenSession {
  readonly session: Session
  readonly end: EndSession | undefined
  /** What waits for people, and how each is given up. */
  readonly holds: Set<Promise<Verdict>>
  readonly withdrawals: Set<() => void>
  /** Why an operator ended it; null while none did. */
  reason: string | null
  /** Its protocol has closed it; what was held is still being concluded. */
  closing: boolean
}

export class Gate {
  readonly #policy: PolicyPort
  readonly #record: RecordPort
  readonly #approval: ApprovalPort | null
  /** What still streams, with the grants that it runs under: a change of policy judges it with those. */
  readonly #streams = new Map<Permit, { readonly request: Request; readonly grants: Grants }>()
  readonly #open = new Map<string, OpenSession>()

  constructor(policy: PolicyPort, record: RecordPort, approval: ApprovalPort | null = null) {
    this.#policy = policy
    this.#record = record
    this.#approval = approval
    policy.onChange(() => this.#ruleStreamsAgain())
  }

  /**
   * Begins a session. Throws the journal's error when its start cannot be recorded.
   * `end` is called at most once, when an operator ends it, and must not throw; the protocol still calls {@link close}.
   */
  open(context: Context, attributes: Readonly<Record<string, string>> = {}, end?: EndSession): Session {
    const session = new Session(context, attributes)
    this.#record.sessionStart(session)
    this.#open.set(session.id, { session, end, holds: new Set(), withdrawals: new Set(), reason: null, closing: false })
    return session
  }

  /** What is open now, in the order in which it began. */
  get sessions(): readonly Session[] {
    return [...this.#open.values()].map(({ session }) => session)
  }

  /**
   * The kill switch. From here on nothing of the session is permitted, and its protocol ends it. The reason is for the
   * record of its end, never for the agent. False where no such session is open; a second call changes nothing.
   */
  end(sessionId: string, reason: string): boolean {
    const open = this.#open.get(sessionId)
    if (open === undefined) return false
    if (open.reason !== null || open.closing) return true
    open.reason = reason
    const because = refusal('session.ended')
    open.session.ended = because
    try {
      open.end?.(because)
    } finally {
      // Its protocol has settled what ran; what it forgot ends here.
      this.#closeStreams(open.session)
    }
    return true
  }

  /**
   * Judges, records, and mints. The verdict comes at once unless people must be asked.
   * A permit's bytes may be taken once {@link whenRecorded} has called back.
   */
  rule(session: Session, request: Request): Verdict | Promise<Verdict> {
    if (request.commands.length === 0) throw new PermitError('leave was asked for no command')
    const outright = session.ended ?? forbiddenAmong(session, request.commands)
    if (outright !== null) return this.#refuseAll(session, request.commands, outright)
    const sequence = session.sequence + 1
    session.sequence += request.commands.length
    session.usage.commands += request.commands.length
    const { commands } = request
    const answers: Answer[] = []
    const rulings: Ruling[] = []
    let verdict: Ruling['kind'] = 'allow'
    for (let index = 0; index < commands.length; index++) {
      const command = commands[index] as Command
      const answer = this.#policy.decide({ session, command, sequence: sequence + index, grant: null })
      const ruling = weigh(answer, request, index, null)
      answers.push(answer)
      rulings.push(ruling)
      if (verdict === 'allow' || ruling.kind === 'refuse') verdict = ruling.kind
    }
    if (verdict === 'hold') return this.#held(session, this.#hold(session, request, sequence, rulings))
    return this.#conclude(session, request, sequence, answers, rulings, null)
  }

  /** Whether the policy may look at `input.command.detail[key]`: what it never looks at need not be found out. */
  reads(key: string): boolean {
    return this.#policy.reads(key)
  }

  /**
   * What policy would say of a command that is part of one already ruled (an item of a list), where it permits it without asking
   * anybody; null where it does not. Nothing may be forwarded for it, and nothing is recorded.
   */
  permits(session: Session, command: Command): Decision | null {
    if (session.ended !== null || forbiddenAmong(session, [command]) !== null) return null
    const { decision, mode, failed } = this.#policy.decide({
      session,
      command,
      sequence: session.sequence,
      grant: null,
    })
    if (decision.effect === 'allow' || (mode === 'observe' && !failed)) return decision
    return null
  }

  /** Refuses what never became a command that policy could judge, and records that; of a closed session nothing is recorded any more. */
  refuse(session: Session, command: Command, because: Refusal): Refusal {
    if (!this.#open.has(session.id)) return because
    const sequence = ++session.sequence
    session.usage.commands++
    session.usage.denied++
    const reasons = [because]
    const answer: Answer = {
      decision: {
        effect: 'deny',
        reasons,
        masks: [],
        limits: { rows: null, bytes: null, seconds: null },
        approvals: [],
        record: 'standard',
      },
      revision: '',
      mode: 'enforce',
      failed: true,
    }
    try {
      this.#record.decision({ session, sequence, command, answer, grant: null, refusal: because, at: Date.now() })
      return because
    } catch (error) {
      return journalRefusal(error) ?? refusal('record.unavailable')
    }
  }

  /** Calls back when all that was ruled so far is on record as durably as configured, or can no longer be. */
  whenRecorded(done: (error: Error | null) => void): void {
    this.#record.whenDurable(done)
  }

  /**
   * Puts a piece of what a permit's command does on record. Throws the journal's error when it cannot be: what goes on then
   * would be missing from the recording, so the protocol ends it.
   */
  frame(permit: Permit, index: number, kind: FrameKind, data: Uint8Array): void {
    const sequence = permit.sequence + index
    this.#record.frame({ session: permit.session, sequence, kind, data, at: Date.now() })
  }

  /** Says what became of one of a permit's commands. A lost outcome cannot be undone; it shows as a gap. */
  settle(permit: Permit, index: number, outcome: Outcome): void {
    if (index === permit.commands.length - 1) {
      permit.close()
      this.#streams.delete(permit)
    }
    const { session } = permit
    session.usage.rows += outcome.rows
    session.usage.bytes += outcome.bytes
    this.#record.outcome({
      session,
      sequence: permit.sequence + index,
      outcome,
      decidedAt: permit.decidedAt,
      at: Date.now(),
    })
  }

  /**
   * Ends a session: nothing of it is permitted any more, its streams lose their permits, and what waits for people is withdrawn. The
   * record of its end follows the decisions on that.
   */
  close(session: Session, reason: string): void {
    const open = this.#open.get(session.id)
    if (open === undefined || open.closing) return
    open.closing = true
    session.ended ??= refusal('session.ended', 'the session is over')
    this.#closeStreams(session)
    for (const withdraw of open.withdrawals) withdraw()
    const end = () => {
      this.#open.delete(session.id)
      this.#record.sessionEnd(session, open.reason === null ? reason : `session.ended: ${open.reason}`)
    }
    if (open.holds.size === 0) end()
    else void Promise.allSettled(open.holds).then(end)
  }

  #closeStreams(session: Session): void {
    for (const permit of this.#streams.keys()) {
      if (permit.session !== session) continue
      permit.close()
      this.#streams.delete(permit)
    }
  }

  #refuseAll(session: Session, commands: readonly Command[], because: Refusal): Verdict {
    let refused = because
    for (const command of commands) refused = this.refuse(session, command, because)
    return { kind: 'refused', refusal: refused }
  }

  #held(session: Session, hold: Promise<Verdict>): Promise<Verdict> {
    const holds = this.#open.get(session.id)?.holds
    const over = () => void holds?.delete(hold)
    holds?.add(hold)
    hold.then(over, over)
    return hold
  }

  async #hold(session: Session, request: Request, sequence: number, rulings: readonly Ruling[]): Promise<Verdict> {
    const demands = rulings.flatMap((ruling) => (ruling.kind === 'hold' ? ruling.demands : []))
    const signal = request.signal ?? new AbortController().signal
    const grants: (Grant | null)[] = []
    let denied: Refusal | null = null
    if (this.#approval !== null) request.held?.(demands)
    for (const [index, ruling] of rulings.entries()) {
      grants.push(null)
      if (ruling.kind !== 'hold' || denied !== null) continue
      const command = request.commands[index] as Command
      const question = { session, command, sequence: sequence + index, demands: ruling.demands, signal }
      const reply = await ask(this.#approval, question, this.#open.get(session.id)?.withdrawals)
      if ('grant' in reply) grants[index] = reply.grant
      else denied = reply.refusal
    }
    denied ??= session.ended
    // Time has passed: what was granted is judged again, by whatever policy holds now, before anything is forwarded.
    const answers = request.commands.map((command, index) =>
      this.#policy.decide({ session, command, sequence: sequence + index, grant: grants[index] ?? null }),
    )
    const refused = denied
    const again = answers.map((answer, index): Ruling =>
      refused === null ? weigh(answer, request, index, grants[index] ?? null) : { kind: 'refuse', refusal: refused },
    )
    return this.#conclude(session, request, sequence, answers, again, grants)
  }

  /** Records every decision, and mints a permit when all of them allow. */
  #conclude(
    session: Session,
    request: Request,
    sequence: number,
    answers: readonly Answer[],
    rulings: readonly Ruling[],
    grants: Grants,
  ): Verdict {
    const at = Date.now()
    const whole = refusalAmong(rulings)
    let position: Position = 0
    try {
      for (let index = 0; index < answers.length; index++) {
        const ruling = rulings[index]
        const own = ruling?.kind === 'refuse' ? ruling.refusal : whole
        position = this.#record.decision({
          session,
          sequence: sequence + index,
          command: request.commands[index] as Command,
          answer: answers[index] as Answer,
          grant: grants?.[index] ?? null,
          refusal: own,
          at,
        })
      }
    } catch (error) {
      session.usage.denied += request.commands.length
      return { kind: 'refused', refusal: journalRefusal(error) ?? refusal('record.unavailable') }
    }
    if (whole !== null) {
      session.usage.denied += request.commands.length
      return { kind: 'refused', refusal: whole }
    }
    const decisions = answers.map((answer) => answer.decision)
    const revision = answers[0]?.revision ?? ''
    const permit = new GatePermit(this.#record, position, request, { decisions, sequence, at, revision }, session)
    if (request.revoked !== undefined) this.#streams.set(permit, { request, grants })
    return { kind: 'permitted', permit }
  }

  /** Another bundle is active: what still streams under the old one is judged by the new one. */
  #ruleStreamsAgain(): void {
    for (const [permit, { request, grants }] of this.#streams) {
      if (this.#stillPermitted(permit, request, grants)) continue
      permit.close()
      this.#streams.delete(permit)
      try {
        request.revoked?.(refusal('policy.revoked'))
      } catch {
        // Its permit is closed, whatever its protocol makes of that; those that come after it have to be judged too.
      }
    }
  }

  #stillPermitted(permit: Permit, request: Request, grants: Grants): boolean {
    const { session, commands } = permit
    try {
      return commands.every((command, index) => {
        const grant = grants?.[index] ?? null
        const answer = this.#policy.decide({ session, command, sequence: permit.sequence + index, grant })
        const ruling = weigh(answer, request, index, grant)
        return ruling.kind === 'allow' && sameObligations(answer.decision, permit.decisions[index])
      })
    } catch {
      return false
    }
  }
}
