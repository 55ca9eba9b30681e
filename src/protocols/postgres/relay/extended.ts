/**
 * The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync.
 *
 * A Bind is kept back until it is known what follows: with its Execute (and a Describe between them) it is one
 * command, judged with its parameters and forwarded in one piece. A Bind without its Execute is judged alone, since
 * planning may already evaluate functions.
 */
import type { Command } from '../../../gate/command.ts'
import type { Decision } from '../../../gate/decision.ts'
import type { Permit, Request, Verdict } from '../../../gate/gate.ts'
import type { JsonObject } from '../../../gate/json.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import {
  type Bind,
  decodeBind,
  decodeClose,
  decodeDescribe,
  decodeExecute,
  decodeParse,
  encodeExecute,
  formatOf,
} from '../messages.ts'
import { innermost } from '../compose.ts'
import { decodeParameter } from '../messages/values.ts'
import {
  BIND_NOTHING,
  closePortal,
  closeStatement,
  describePortal,
  describeStatement,
  EMPTY_PARSE,
  EXECUTE_NOTHING,
  FLUSH,
  newToken,
  refusedBind,
  refusedParse,
  SYNC,
} from '../origination.ts'
import type { Analysis, Statement } from '../statement.ts'
import { Execution, type Portal, type Prepared } from './execution.ts'
import type { MaskPlan } from '../masking.ts'
import { CLEAR, isChecked } from './obligations.ts'
import { newPortal, NO_CHANGES, type Refused, refused, type Relay } from './relay.ts'

const HEADER = 5

/** A Bind that waits for what follows it. */
interface Held {
  readonly bytes: Buffer
  readonly prepared: Prepared
  readonly portal: Portal
  /** The agent's own Describe of the portal, which came directly behind. */
  describe: Buffer | null
}

type Revoked = (because: Refusal, permit: () => Permit | null) => void

export class ExtendedQuery {
  readonly #relay: Relay
  readonly #revoked: Revoked
  #held: Held | null = null

  constructor(relay: Relay, revoked: Revoked) {
    this.#relay = relay
    this.#revoked = revoked
  }

  parse(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.parse(buffer, start, end))
    if (this.#relay.skipping) return
    const { statement: name, text, parameterTypes } = decodeParse(buffer, start + HEADER, end)
    const bytes = buffer.subarray(start, end)
    const analysis = this.#relay.analyses.of(text)
    const parse = { name, text, types: parameterTypes, bytes }
    if (analysis instanceof Promise) return analysis.then((late) => this.#parsed(parse, late))
    return this.#parsed(parse, analysis)
  }

  bind(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.bind(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const bind = decodeBind(buffer, start + HEADER, end)
    const settling = relay.statements.settling(bind.statement)
    if (settling !== undefined) return relay.sent(settling).then(() => this.bind(buffer, start, end))
    const prepared = relay.statements.get(bind.statement)
    if (prepared === undefined) {
      return this.#refuse(unknownStatement(bind.statement))
    }
    const tooMuch = this.#tooMuch(bind)
    if (tooMuch !== null) return this.#refuse(refused(relay.refuse(prepared.text ?? '', tooMuch)))
    const bytes = buffer.subarray(start, end)
    if (!needsTypes(bind, prepared, relay)) return this.#hold(bind, prepared, bytes)
    return this.#askForTypes(prepared).then(() => this.#hold(bind, prepared, bytes))
  }

  #tooMuch({ parameters }: Bind): Refusal | null {
    const { limits, portals } = this.#relay
    if (parameters.length > limits.parameters) {
      const message = `${parameters.length} parameters, and ${limits.parameters} are permitted`
      return refusal('command.too-large', message, 'bind fewer at once')
    }
    return portals.room ? null : refusal('session.limit', 'the session holds too many portals', 'CLOSE some')
  }

  describe(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { of, target } = decodeDescribe(buffer, start + HEADER, end)
    const held = this.#held
    if (held !== null && of === 'portal' && held.portal.name === target && held.describe === null) {
      held.describe = buffer.subarray(start, end)
      return
    }
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.describe(buffer, start, end))
    if (this.#relay.skipping) return
    const relay = this.#relay
    const settling = (of === 'statement' ? relay.statements : relay.portals).settling(target)
    if (settling !== undefined) return relay.sent(settling).then(() => this.describe(buffer, start, end))
    return of === 'statement' ? this.#describeStatement(target) : this.#describePortal(target)
  }

  execute(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { portal: name, maxRows } = decodeExecute(buffer, start + HEADER, end)
    const bytes = buffer.subarray(start, end)
    const held = this.#held
    if (held !== null && held.portal.name === name) {
      this.#held = null
      return this.#run(held.portal, held, { bytes, maxRows })
    }
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.execute(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const settling = relay.portals.settling(name)
    if (settling !== undefined) return relay.sent(settling).then(() => this.execute(buffer, start, end))
    const portal = relay.portals.get(name)
    if (portal === undefined) {
      return this.#refuse(unknownPortal(name))
    }
    return this.#run(portal, null, { bytes, maxRows })
  }

  close(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.close(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const { of, target } = decodeClose(buffer, start + HEADER, end)
    const settling = (of === 'statement' ? relay.statements : relay.portals).settling(target)
    if (settling !== undefined) return relay.sent(settling).then(() => this.close(buffer, start, end))
    // Closing what does not exist succeeds: a name that nothing has does as well as the agent's.
    if (of === 'statement') {
      const known = relay.statements.get(target)
      relay.originate(closeStatement(known?.name ?? newToken()))
      const statement = known === undefined ? null : relay.statements.remove(target)
      relay.replies.push({ kind: 'close', statement, portal: null })
    } else {
      const known = relay.portals.get(target)
      relay.originate(closePortal(known?.name ?? newToken()))
      const portal = known === undefined ? null : relay.portals.remove(target)
      relay.replies.push({ kind: 'close', statement: null, portal })
    }
  }

  flush(): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.flush())
    if (!this.#relay.skipping) this.#relay.outgoing.originate(FLUSH)
  }

  sync(): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.sync())
    const relay = this.#relay
    relay.outgoing.originate(SYNC)
    relay.replies.push({ kind: 'sync' })
    relay.skipping = false
    relay.segment++
    relay.executions = 0
  }

  /** Judges and sends a Bind that was kept back for an Execute that did not follow. */
  release(): undefined | Promise<void> {
    const held = this.#held
    if (held === null) return undefined
    this.#held = null
    return this.#run(held.portal, held, null) ?? undefined
  }

  /** Refuses in the place of a Bind, Describe or Execute. */
  #refuse(because: Refused): void {
    this.#relay.substitute(because, refusedBind)
  }

  #parsed(
    parse: { name: string; text: string; types: readonly number[]; bytes: Buffer },
    analysis: Analysis,
  ): void | Promise<void> {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    // Any Parse of the unnamed statement ends the one before.
    const unnamed = parse.name === ''
    const refuse = (because: Refused) => relay.substitute(because, (token) => refusedParse(token, unnamed), { unnamed })
    if (analysis.kind === 'refused') return refuse(refused(relay.refuse(parse.text, analysis.refusal)))
    if (analysis.statements.length > 1) {
      const because = refusal('command.unparsable', 'cannot insert multiple commands into a prepared statement')
      return refuse(refused(relay.refuse(parse.text, because)))
    }
    if (!relay.statements.room) {
      const because = refusal('session.limit', 'the session holds too many prepared statements', 'DEALLOCATE some')
      return refuse(refused(relay.refuse(parse.text, because)))
    }
    const own = relay.typed(analysis.statements[0] ?? null, parse.types)
    const { revision } = relay.analyses.catalogue()
    const prepared: Prepared = { name: parse.name, text: parse.text, statement: own, revision, types: parse.types }
    if (own === null) return this.#parseNothing(prepared, refuse)
    const settling = relay.settling(own)
    if (settling !== undefined) return relay.sent(settling).then(() => this.#parsed(parse, analysis))
    const resolved = relay.resolve(own, null)
    if ('refusal' in resolved) {
      relay.refuse(parse.text, resolved.refusal)
      return refuse(resolved)
    }
    const request = new ParseRequest(relay, resolved, prepared, parse.bytes)
    return relay.judge(request, (verdict) => {
      if (verdict.kind === 'refused') return refuse(refused(verdict.refusal))
      const { permit } = verdict
      const plan = relay.obligations.plan(resolved, permit.decisions[0] as Decision)
      const execution = new Execution({
        permit,
        index: 0,
        statement: resolved,
        plan,
        portal: null,
        statements: [],
        portals: [],
      })
      relay.replies.push({ kind: 'parse', version: relay.statements.define(parse.name, prepared), execution })
      relay.forward(permit)
    })
  }

  /** An empty statement does nothing: drivers use it to see whether the connection lives. */
  #parseNothing(prepared: Prepared, refuse: (because: Refused) => void): void {
    const relay = this.#relay
    if (prepared.name !== '') {
      const because = refusal(
        'command.unsupported',
        'an empty statement cannot have a name',
        'use the unnamed statement',
      )
      return refuse(refused(relay.refuse('', because)))
    }
    relay.originate(EMPTY_PARSE)
    relay.replies.push({ kind: 'parse', version: relay.statements.define('', prepared), execution: null })
  }

  #hold(bind: Bind, prepared: Prepared, bytes: Buffer): void {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    const statement = relay.current(prepared)
    if (statement === undefined) {
      const because = refusal(
        'command.unparsable',
        'the catalogue has changed, and the statement could not be understood anew',
        'prepare it again',
      )
      return this.#refuse(refused(because, '26000'))
    }
    const parameters = bind.parameters.map((value, index): JsonObject => {
      return decodeParameter(
        prepared.types[index] ?? 0,
        formatOf(bind.parameterFormats, index),
        value,
      ) as unknown as JsonObject
    })
    const portal = newPortal({
      name: bind.portal,
      prepared,
      statement,
      parameters,
      values: bind.parameters,
      hold: false,
    })
    this.#held = { bytes, prepared, portal, describe: null }
  }

  /** The server is asked for the types, once for each statement, and the pipeline waits for one answer. */
  #askForTypes(prepared: Prepared): Promise<void> {
    const relay = this.#relay
    const { promise, resolve } = Promise.withResolvers<void>()
    relay.originate(describeStatement(prepared.name))
    relay.outgoing.originate(FLUSH)
    relay.replies.push({ kind: 'describe', own: true, prepared, portal: null, told: resolve })
    return relay.sent(promise)
  }

  #describeStatement(name: string): void {
    const relay = this.#relay
    const prepared = relay.statements.get(name)
    if (prepared === undefined) {
      return this.#refuse(unknownStatement(name))
    }
    relay.originate(describeStatement(prepared.name))
    relay.replies.push({ kind: 'describe', own: false, prepared, portal: null, told: null })
  }

  #describePortal(name: string): void {
    const relay = this.#relay
    const portal = relay.portals.get(name)
    if (portal === undefined) {
      return this.#refuse(unknownPortal(name))
    }
    relay.originate(describePortal(portal.name))
    relay.replies.push({ kind: 'describe', own: false, prepared: null, portal, told: null })
    portal.described = true
  }

  /** Judges Bind and Execute, one of them or both, as one command. */
  #run(portal: Portal, held: Held | null, execute: { bytes: Buffer; maxRows: number } | null): void | Promise<void> {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    if (portal.statement === null) return this.#runNothing(portal, held, execute !== null)
    const settling = relay.settling(portal.statement)
    if (settling !== undefined) return relay.sent(settling).then(() => this.#run(portal, held, execute))
    const statement = relay.resolve(portal.statement, null)
    if ('refusal' in statement) {
      relay.refuse(portal.statement.shape.text, statement.refusal)
      return this.#refuse(statement)
    }
    const request = new RunRequest(relay, statement, portal, held, execute, this.#revoked)
    return relay.judge(request, (verdict) => this.#ruled(request, verdict))
  }

  #ruled(request: RunRequest, verdict: Verdict): void {
    if (verdict.kind === 'refused') return this.#refuse(refused(verdict.refusal))
    const relay = this.#relay
    const { permit } = verdict
    request.permit = permit
    const { statement, portal, bound: held } = request
    const names = request.executes ? relay.changeNames(statement) : NO_CHANGES
    const { plan } = request
    const execution = new Execution({ permit, index: 0, statement, plan, portal, ...names })
    if (held !== null) {
      const version = relay.portals.define(portal.name, portal)
      relay.replies.push({
        kind: 'bind',
        version,
        execution: request.executes ? null : execution,
        scrub: execution.scrub,
      })
    }
    if (request.describes) {
      relay.replies.push({ kind: 'describe', own: held?.describe == null, prepared: null, portal, told: null })
      portal.described = true
    }
    relay.forward(permit)
    if (!request.executes) return
    relay.replies.push({ kind: 'execute', execution })
    relay.executions++
    if (execution.limited && statement.readsOnly) relay.limited = { execution, query: false }
    if (execution.role.is === 'copy-in') relay.copies.push(execution)
  }

  #runNothing(portal: Portal, held: Held | null, executes: boolean): void {
    const relay = this.#relay
    if (portal.name !== '' || portal.parameters.length > 0) {
      const because = refusal('command.unsupported', 'an empty statement takes neither a portal name nor parameters')
      return this.#refuse(refused(because))
    }
    if (held !== null) {
      relay.originate(BIND_NOTHING)
      relay.replies.push({ kind: 'bind', version: relay.portals.define('', portal), execution: null, scrub: false })
      if (held.describe !== null) this.#describePortal('')
    }
    if (!executes) return
    relay.originate(EXECUTE_NOTHING)
    relay.replies.push({ kind: 'empty-execute' })
  }
}

/** Parse before the gate: nothing runs yet, and no parameter is known. */
class ParseRequest implements Request {
  readonly bytes: Uint8Array
  readonly commands: readonly Command[]
  readonly #relay: Relay
  readonly #statement: Statement

  constructor(relay: Relay, statement: Statement, prepared: Prepared, bytes: Uint8Array) {
    this.#relay = relay
    this.#statement = statement
    this.bytes = bytes
    this.commands = [{ shape: statement.shape, varying: relay.preparing(statement, prepared.types) }]
  }

  get signal(): AbortSignal {
    return this.#relay.leaving
  }

  held(demands: Decision['approvals']): void {
    this.#relay.held(demands)
  }

  honour(_command: Command, decision: Decision): Refusal | null {
    return this.#relay.obligations.honour(this.#statement, decision, true, [])
  }
}

/** Bind, Execute, or both, before the gate. */
class RunRequest implements Request {
  readonly statement: Statement
  readonly portal: Portal
  readonly bound: Held | null
  readonly commands: readonly Command[]
  readonly revoked?: (because: Refusal) => void
  permit: Permit | null = null
  readonly #relay: Relay
  readonly #execute: { readonly bytes: Buffer; readonly maxRows: number } | null
  /** How the masks of the decision are kept. */
  plan: MaskPlan = CLEAR
  #decision: Decision | null = null

  constructor(
    relay: Relay,
    statement: Statement,
    portal: Portal,
    held: Held | null,
    execute: { readonly bytes: Buffer; readonly maxRows: number } | null,
    revoked: Revoked,
  ) {
    this.#relay = relay
    this.statement = statement
    this.portal = portal
    this.bound = held
    this.#execute = execute
    const { role } = statement
    const parameters = role.is === 'execute' ? role.parameters : portal.parameters
    this.commands = [{ shape: statement.shape, varying: relay.varying(parameters) }]
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
    const { obligations } = this.#relay
    this.#decision = decision
    this.plan = obligations.plan(this.statement, decision)
    return obligations.honour(this.statement, decision, true, this.portal.values)
  }

  /** What goes upstream follows from the decision: a Describe to check masks by, a bound on the rows. */
  get bytes(): Uint8Array {
    const parts: Buffer[] = []
    if (this.bound !== null) parts.push(this.bound.bytes)
    if (this.bound !== null && this.bound.describe !== null) parts.push(this.bound.describe)
    else if (this.describes) parts.push(describePortal(this.portal.name))
    if (this.#execute !== null) parts.push(this.#bounded(this.#execute))
    return joined(parts)
  }

  /** One row more than is permitted shows that there were more. */
  #bounded({ bytes, maxRows }: { readonly bytes: Buffer; readonly maxRows: number }): Buffer {
    const limit = this.#decision?.limits.rows ?? null
    if (limit === null || !this.statement.readsOnly) return bytes
    const most = Math.min(limit - this.portal.rows, MOST_ROWS) + 1
    return maxRows > 0 && maxRows < most ? bytes : encodeExecute(this.portal.name, Math.max(most, 1))
  }
}

/** In the server's own words and codes: drivers prepare anew when they read them. */
function unknownStatement(name: string): Refused {
  const what = name === '' ? 'unnamed prepared statement' : `prepared statement "${name}"`
  return refused(refusal('command.unsupported', `${what} does not exist`), '26000')
}

function unknownPortal(name: string): Refused {
  return refused(refusal('command.unsupported', `portal "${name}" does not exist`), '34000')
}

/** Execute counts rows in 32 bits. */
const MOST_ROWS = 0x7ffffffe

/** Frames that already lie one behind the other are not copied. */
function joined(parts: readonly Buffer[]): Buffer {
  const first = parts[0]
  if (first === undefined) return Buffer.alloc(0)
  let end = first.byteOffset
  for (const part of parts) {
    if (part.buffer !== first.buffer || part.byteOffset !== end) return Buffer.concat(parts)
    end += part.length
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset)
}

/** A value whose type nobody has said cannot be read; policy that looks at parameters gets the server's answer first. */
function needsTypes(bind: Bind, { types }: Prepared, relay: Relay): boolean {
  const untyped = bind.parameters.some((value, index) => value !== null && (types[index] ?? 0) === 0)
  return untyped && relay.gate.reads('parameters')
}
