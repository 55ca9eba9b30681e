/** The simple query protocol: one message, any number of statements, judged one by one and forwarded or refused as one. */
import type { Command } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Permit, Request, Verdict } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { HEADER } from '../framing.ts'
import { decodeQuery, encodeReadyForQuery } from '../messages.ts'
import { EMPTY_QUERY, refusedQuery } from '../origination.ts'
import { refusalResponse } from '../refusal.ts'
import type { Analysis, Statement } from '../statement.ts'
import { innermost } from '../compose.ts'
import { Execution } from './execution.ts'
import { type Refused, refused } from './refused.ts'
import type { Relay } from './relay.ts'
import type { Revoked } from './requests.ts'
import { executing } from './varying.ts'

export class SimpleQuery {
  readonly #relay: Relay
  /** Called when policy takes back the permit of a COPY that runs. */
  readonly #revoked: Revoked

  constructor(relay: Relay, revoked: Revoked) {
    this.#relay = relay
    this.#revoked = revoked
  }

  /** One Query frame, from `start` to `end`. */
  query(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { text } = decodeQuery(buffer, start + HEADER, end)
    const bytes = buffer.subarray(start, end)
    const misread = this.#relay.misread(text)
    if (misread !== null) return this.refuse(refused(this.#relay.refuse(text, misread)))
    return this.#analyse(text, bytes)
  }

  #analyse(text: string, bytes: Uint8Array): void | Promise<void> {
    const analysis = this.#relay.analyses.of(text)
    if (analysis instanceof Promise) return analysis.then((late) => this.#analysed(text, bytes, late))
    return this.#analysed(text, bytes, analysis)
  }

  /** Answers a message that is not forwarded, as the server would answer a Query that fails. */
  refuse(because: Refused): void {
    const relay = this.#relay
    if (!relay.idle) return relay.substitute(because, refusedQuery, { ready: true, unnamed: true })
    // Every Query ends the unnamed statement, whatever becomes of it; upstream it lives on, and may not be used again.
    relay.names.dropped(relay.names.dropUnnamed(), true)
    relay.answer(Buffer.concat([refusalResponse(because.refusal, because.sqlstate), encodeReadyForQuery('I')]))
  }

  #analysed(text: string, bytes: Uint8Array, analysis: Analysis): void | Promise<void> {
    const relay = this.#relay
    // The analysis may have taken its time: the server may skip what comes, or the agent may be gone.
    if (relay.skipping || relay.over) return
    if (analysis.kind === 'refused') return this.refuse(refused(relay.refuse(text, analysis.refusal)))
    if (analysis.statements.length === 0) {
      relay.outgoing.originate(EMPTY_QUERY)
      return this.#sent([])
    }
    for (const statement of analysis.statements) {
      const settling = relay.names.settling(statement)
      if (settling !== undefined) return relay.sent(settling).then(() => this.#analyse(text, bytes))
    }
    const statements = this.#resolved(analysis.statements)
    if ('refusal' in statements) {
      relay.refuse(text, statements.refusal)
      return this.refuse(statements)
    }
    const { names } = relay
    if (!names.statements.room || !names.portals.room || !statements.every((each) => names.roomToRun(each))) {
      const message = 'the session holds too many names, or too large ones'
      return this.refuse(refused(relay.refuse(text, refusal('session.limit', message, 'DEALLOCATE or CLOSE some'))))
    }
    const request = new QueryRequest(relay, statements, bytes, this.#revoked)
    return relay.judge(request, (verdict) => this.#ruled(request, verdict))
  }

  #resolved(statements: readonly Statement[]): readonly Statement[] | Refused {
    const earlier = statements.length > 1 ? new Map<string, Statement | null>() : null
    const resolved: Statement[] = []
    for (const statement of statements) {
      const result = this.#relay.names.resolve(statement, earlier)
      if ('refusal' in result) return result
      resolved.push(result)
      const { role } = innermost(result)
      if (role.is === 'prepare') earlier?.set(`s${role.name}`, role.statement)
      if (role.is === 'declare') earlier?.set(`p${role.name}`, role.statement)
    }
    return resolved
  }

  #ruled(request: QueryRequest, verdict: Verdict): void {
    if (verdict.kind === 'refused') return this.refuse(refused(verdict.refusal))
    const relay = this.#relay
    const { permit } = verdict
    request.permit = permit
    const executions = request.statements.map((statement, index) => {
      const { role } = innermost(statement)
      const names = relay.names.change(statement)
      const portal = relay.names.cursor(statement)
      const plan = relay.obligations.plan(statement, permit.decisions[index] as Decision)
      const execution = new Execution({ permit, index, statement, plan, portal, names })
      if (role.is === 'copy-in') relay.copies.push(execution)
      if (execution.limited && (statement.readsOnly || portal !== null)) relay.limited = { execution, query: true }
      return execution
    })
    relay.outgoing.forward(permit)
    this.#sent(executions)
  }

  #sent(executions: readonly Execution[]): void {
    const relay = this.#relay
    relay.replies.push({ kind: 'query', executions, done: 0, unnamed: relay.names.dropUnnamed() })
    relay.segment++
  }
}

/** A Query message before the gate. */
class QueryRequest implements Request {
  readonly statements: readonly Statement[]
  readonly bytes: Uint8Array
  readonly commands: readonly Command[]
  readonly revoked?: (because: Refusal) => void
  permit: Permit | null = null
  readonly #relay: Relay
  readonly #revision: number

  constructor(relay: Relay, statements: readonly Statement[], bytes: Uint8Array, revoked: Revoked) {
    this.#relay = relay
    this.statements = statements
    this.#revision = relay.revision
    this.bytes = bytes
    this.commands = statements.map((statement) => ({ shape: statement.shape, varying: this.#varying(statement) }))
    if (statements.some((statement) => innermost(statement).role.is === 'copy-in')) {
      this.revoked = (because) => revoked(because, () => this.permit)
    }
  }

  get signal(): AbortSignal {
    return this.#relay.leaving
  }

  held(demands: Decision['approvals']): void {
    this.#relay.held(demands)
  }

  honour(_command: Command, decision: Decision, index: number): Refusal | null {
    const { obligations } = this.#relay
    const statement = this.statements[index] as Statement
    const outdated = this.#relay.outdated(this.#revision)
    return outdated ?? obligations.honour(statement, decision, this.statements.length === 1, [])
  }

  #varying({ role }: Statement) {
    return executing(this.#relay.status, role.is === 'execute' ? role.parameters : [])
  }
}
