/**
 * The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync.
 *
 * A Bind is kept back until it is known what follows: with its Execute (and a Describe between them) it is one
 * command, judged with its parameters and forwarded in one piece. A Bind without its Execute is judged alone, since
 * planning may already evaluate functions.
 */
import type { Verdict } from '../../../gate/gate.ts'
import type { JsonObject } from '../../../gate/json.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { HEADER } from '../framing.ts'
import { type Bind, decodeBind, decodeClose, decodeDescribe, decodeExecute, formatOf } from '../messages.ts'
import { decodeParameter } from '../messages/values.ts'
import {
  BIND_NOTHING,
  closePortal,
  closeStatement,
  describePortal,
  describeStatement,
  EXECUTE_NOTHING,
  FLUSH,
  newToken,
  refusedBind,
  SYNC,
} from '../origination.ts'
import { Execution, type Portal, type Prepared } from './execution.ts'
import { newPortal, NO_CHANGES } from './naming.ts'
import { Preparing } from './preparing.ts'
import { type Refused, refused } from './refused.ts'
import type { Relay } from './relay.ts'
import { type Execute, type Held, type Revoked, RunRequest } from './requests.ts'
import type { Span } from './spans.ts'
import { weightOfValues } from './weight.ts'

export class ExtendedQuery {
  readonly #relay: Relay
  readonly #revoked: Revoked
  readonly #preparing: Preparing
  #held: Held | null = null

  constructor(relay: Relay, revoked: Revoked) {
    this.#relay = relay
    this.#revoked = revoked
    this.#preparing = new Preparing(relay)
  }

  parse(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.parse(buffer, start, end))
    return this.#relay.skipping ? undefined : this.#preparing.parse(buffer, start, end)
  }

  bind(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.bind(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const bind = decodeBind(buffer, start + HEADER, end)
    const settling = relay.names.statements.settling(bind.statement)
    if (settling !== undefined) return relay.sent(settling).then(() => this.bind(buffer, start, end))
    const prepared = relay.names.statements.get(bind.statement)
    if (prepared === undefined) {
      return this.#refuse(unknownStatement(bind.statement))
    }
    const tooMuch = relay.misread(bind.portal) ?? this.#tooMuch(bind)
    if (tooMuch !== null) return this.#refuse(refused(relay.refuse(prepared.text ?? '', tooMuch)))
    const frame = { buffer, start, end }
    if (!needsTypes(bind, prepared, relay)) return this.#hold(bind, prepared, frame)
    return this.#askForTypes(prepared).then(() => this.#hold(bind, prepared, frame))
  }

  #tooMuch({ portal, parameters }: Bind): Refusal | null {
    const { limits, names } = this.#relay
    if (parameters.length > limits.parameters) {
      const message = `${parameters.length} parameters, and ${limits.parameters} are permitted`
      return refusal('command.too-large', message, 'bind fewer at once')
    }
    if (names.roomFor('portals', portal, weightOfValues(parameters))) return null
    return refusal('session.limit', 'the session holds too many portals, or too large ones', 'CLOSE some')
  }

  describe(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { of, target } = decodeDescribe(buffer, start + HEADER, end)
    const held = this.#held
    if (held !== null && of === 'portal' && held.portal.name === target && held.describe === null) {
      held.describe = { buffer, start, end }
      return
    }
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.describe(buffer, start, end))
    if (this.#relay.skipping) return
    const relay = this.#relay
    const settling = (of === 'statement' ? relay.names.statements : relay.names.portals).settling(target)
    if (settling !== undefined) return relay.sent(settling).then(() => this.describe(buffer, start, end))
    return of === 'statement' ? this.#describeStatement(target) : this.#describePortal(target)
  }

  execute(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const { portal: name, maxRows } = decodeExecute(buffer, start + HEADER, end)
    const execute = { frame: { buffer, start, end }, maxRows }
    const held = this.#held
    if (held !== null && held.portal.name === name) {
      this.#held = null
      return this.#run(held.portal, held, execute)
    }
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.execute(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const settling = relay.names.portals.settling(name)
    if (settling !== undefined) return relay.sent(settling).then(() => this.execute(buffer, start, end))
    const portal = relay.names.portals.get(name)
    if (portal === undefined) {
      return this.#refuse(unknownPortal(name))
    }
    return this.#run(portal, null, execute)
  }

  close(buffer: Buffer, start: number, end: number): void | Promise<void> {
    const waits = this.release()
    if (waits !== undefined) return waits.then(() => this.close(buffer, start, end))
    const relay = this.#relay
    if (relay.skipping) return
    const { of, target } = decodeClose(buffer, start + HEADER, end)
    const settling = (of === 'statement' ? relay.names.statements : relay.names.portals).settling(target)
    if (settling !== undefined) return relay.sent(settling).then(() => this.close(buffer, start, end))
    // Closing what does not exist succeeds: a name that nothing has does as well as the agent's.
    if (of === 'statement') {
      const known = relay.names.statements.get(target)
      relay.originate(closeStatement(known?.name ?? newToken()))
      const statement = known === undefined ? null : relay.names.statements.remove(target)
      relay.replies.push({ kind: 'close', statement, portal: null })
    } else {
      const known = relay.names.portals.get(target)
      relay.originate(closePortal(known?.name ?? newToken()))
      const portal = known === undefined ? null : relay.names.portals.remove(target)
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

  #hold(bind: Bind, prepared: Prepared, frame: Span): void {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    const statement = relay.names.current(prepared)
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
    this.#held = { frame, prepared, portal, describe: null }
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
    const prepared = relay.names.statements.get(name)
    if (prepared === undefined) {
      return this.#refuse(unknownStatement(name))
    }
    relay.originate(describeStatement(prepared.name))
    relay.replies.push({ kind: 'describe', own: false, prepared, portal: null, told: null })
  }

  #describePortal(name: string): void {
    const relay = this.#relay
    const portal = relay.names.portals.get(name)
    if (portal === undefined) {
      return this.#refuse(unknownPortal(name))
    }
    relay.originate(describePortal(portal.name))
    relay.replies.push({ kind: 'describe', own: false, prepared: null, portal, told: null })
    portal.described = true
  }

  /** Judges Bind and Execute, one of them or both, as one command. */
  #run(portal: Portal, held: Held | null, execute: Execute | null): void | Promise<void> {
    const relay = this.#relay
    if (relay.skipping || relay.over) return
    if (portal.statement === null) return this.#runNothing(portal, held, execute !== null)
    const settling = relay.names.settling(portal.statement)
    if (settling !== undefined) return relay.sent(settling).then(() => this.#run(portal, held, execute))
    const statement = relay.names.resolve(portal.statement, null)
    if ('refusal' in statement) {
      relay.refuse(portal.statement.shape.text, statement.refusal)
      return this.#refuse(statement)
    }
    if (execute !== null && !relay.names.roomToRun(statement)) {
      const because = refusal('session.limit', 'the session holds too many names, or too large ones', 'CLOSE some')
      return this.#refuse(refused(relay.refuse(statement.shape.text, because)))
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
    const names = request.executes ? relay.names.change(statement) : NO_CHANGES
    const { plan } = request
    const cursor = relay.names.cursor(statement)
    const execution = new Execution({ permit, index: 0, statement, plan, portal, cursor, names })
    if (held !== null) {
      const version = relay.names.portals.define(portal.name, portal)
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
    if (execution.limited && (statement.readsOnly || cursor !== null)) relay.limited = { execution, query: false }
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
      relay.replies.push({
        kind: 'bind',
        version: relay.names.portals.define('', portal),
        execution: null,
        scrub: false,
      })
      if (held.describe !== null) this.#describePortal('')
    }
    if (!executes) return
    relay.originate(EXECUTE_NOTHING)
    relay.replies.push({ kind: 'empty-execute' })
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

/** A value whose type nobody has said cannot be read; policy that looks at parameters gets the server's answer first. */
function needsTypes(bind: Bind, { types }: Prepared, relay: Relay): boolean {
  const untyped = bind.parameters.some((value, index) => value !== null && (types[index] ?? 0) === 0)
  return untyped && relay.gate.reads('parameters')
}
