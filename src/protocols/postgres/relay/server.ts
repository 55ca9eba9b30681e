/** The server's side of a session: each message belongs to the head of what is owed, and goes on to the agent, or not. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import {
  BACKEND,
  backendTable,
  decodeCommandComplete,
  decodeErrorResponse,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeNoticeResponse,
  rowsOf,
} from '../messages.ts'
import { FRAME, type FrameReader, NONE, PIECE, RUN } from '../framing.ts'
import { scrubError } from '../masking.ts'
import { refusedBind, refusedQuery } from '../origination.ts'
import { refusalResponse } from '../refusal.ts'
import type { Execution } from './execution.ts'
import { Failures } from './failures.ts'
import { isChecked } from './obligations.ts'
import { Passing } from './passing.ts'
import { refused } from './refused.ts'
import type { Relay } from './relay.ts'
import type { Reply } from './replies.ts'
import { Rows } from './rows.ts'

/** Frames of the server that are held in memory to be read: RowDescription of the widest table, long errors. */
const LARGEST_HELD = 16 * 1024 ** 2

const NO_ROWS = Buffer.alloc(0)

export class ServerSide {
  readonly #relay: Relay
  readonly #reader: FrameReader
  readonly #pinned: ReadonlyMap<string, string>
  readonly #passing = new Passing()
  readonly #rows: Rows
  readonly #failures: Failures

  /** `reader` may still hold what came with ReadyForQuery; `pinned` settings may not change. */
  constructor(relay: Relay, reader: FrameReader, pinned: ReadonlyMap<string, string>) {
    this.#relay = relay
    this.#pinned = pinned
    this.#reader = reader
    reader.expect(backendTable(LARGEST_HELD))
    reader.runOf = BACKEND.DataRow
    this.#failures = new Failures(relay, reader, this.#passing)
    this.#rows = new Rows(relay, reader, this.#passing, (message, remedy) =>
      this.#fatal(refusal('obligation.unsupported', message, remedy)),
    )
  }

  /** A chunk of the server's, in memory that is the relay's own. */
  receive(chunk: Buffer): void {
    const reader = this.#reader
    this.#passing.begin(chunk)
    reader.feed(chunk)
    for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
      if (kind === FRAME) this.#frame()
      else if (kind === RUN) this.#rows.rows(this.#running('DataRow'), reader.frames)
      else if (kind === PIECE) this.#rows.piece(this.#running('message in pieces'))
    }
    const passed = this.#passing.take()
    if (passed !== null) this.#relay.toAgent(passed)
    this.#relay.outgoing.flush()
    this.#relay.watch()
  }

  /** A frame has been passed on in part: nothing may come between. */
  get cut(): boolean {
    return this.#reader.remaining > 0
  }

  /** The server is gone: whatever was under way is lost. */
  lost(): void {
    this.#failures.lost()
  }

  #frame(): void {
    const { type, buffer, start, end } = this.#reader
    switch (type) {
      case BACKEND.BindComplete:
        return this.#bound()
      case BACKEND.CommandComplete:
        return this.#completed(decodeCommandComplete(buffer, start, end))
      case BACKEND.ReadyForQuery:
        return this.#ready()
      case BACKEND.DataRow:
        return this.#rows.rows(this.#running('DataRow'), 1)
      case BACKEND.RowDescription:
        return this.#rowDescription()
      case BACKEND.ParseComplete:
        return this.#parsed()
      case BACKEND.ParameterDescription:
        return this.#parameterDescription()
      case BACKEND.NoData:
        return this.#noData()
      case BACKEND.CloseComplete:
        return this.#closed()
      case BACKEND.PortalSuspended:
        return this.#completed('')
      case BACKEND.EmptyQueryResponse:
        return this.#nothing()
      case BACKEND.ErrorResponse:
        return this.#failures.failed(decodeErrorResponse(buffer, start, end))
      case BACKEND.NoticeResponse:
        return this.#notice()
      case BACKEND.ParameterStatus:
        return this.#parameterStatus()
      case BACKEND.NotificationResponse:
        return this.#pass()
      case BACKEND.CopyInResponse:
        return this.#copyIn()
      case BACKEND.CopyOutResponse:
      case BACKEND.CopyDone:
      case BACKEND.CopyData:
        return this.#copyOut()
      default:
        return this.#violation(`an unexpected message of type ${String.fromCharCode(type)}`)
    }
  }

  #parsed(): void {
    const reply = this.#take('parse')
    this.#relay.names.statements.confirm(reply.version)
    if (reply.execution !== null) this.#relay.settle(reply.execution, { status: 'completed', code: '' })
    this.#pass()
  }

  #bound(): void {
    const reply = this.#take('bind')
    const { version, execution } = reply
    this.#relay.names.confirmPortal(version)
    if (execution !== null) this.#relay.settle(execution, { status: 'completed', code: '' })
    this.#pass()
  }

  #closed(): void {
    const { statement, portal } = this.#take('close')
    if (statement !== null) this.#relay.names.statements.confirm(statement)
    if (portal !== null) this.#relay.names.portals.confirm(portal)
    this.#pass()
  }

  #parameterDescription(): void {
    const { buffer, start, end } = this.#reader
    const reply = this.#relay.replies.head
    if (reply?.kind !== 'describe' || reply.prepared === null)
      return this.#violation('an unexpected ParameterDescription')
    reply.prepared.types = decodeParameterDescription(buffer, start, end)
    if (!reply.own) this.#pass()
  }

  #noData(): void {
    const reply = this.#take('describe')
    if (reply.portal !== null) reply.portal.description = NO_ROWS
    reply.told?.()
    if (!reply.own) this.#pass()
  }

  #rowDescription(): void {
    const { buffer, start, end } = this.#reader
    const reply = this.#relay.replies.head
    if (reply?.kind === 'describe') {
      this.#relay.replies.shift()
      if (reply.portal !== null) reply.portal.description = buffer.subarray(start, end)
      reply.told?.()
      if (!reply.own) this.#pass()
      return
    }
    const execution = this.#running('RowDescription')
    if (isChecked(execution.plan)) this.#rows.described(execution, buffer.subarray(start, end))
    if (execution.stopped === null) this.#pass()
  }

  /** CommandComplete with its tag, or PortalSuspended without one. */
  #completed(tag: string): void {
    const { replies } = this.#relay
    const reply = replies.head
    const execution = this.#running('CommandComplete')
    if (reply === undefined) return this.#violation('an unexpected CommandComplete')
    if (reply.kind === 'query') reply.done++
    else replies.shift()
    if (execution.stopped !== null) return this.#stoppedTooLate(execution, reply)
    if (execution.rows === 0) execution.rows = rowsOf(tag) ?? 0
    this.#relay.confirm(execution)
    this.#relay.settle(execution, { status: 'completed', code: tag === '' ? 'PortalSuspended' : tag })
    if (execution.scrub) this.#relay.scrubTransaction = true
    this.#pass()
  }

  /** The server was done before it could be stopped. The agent gets the refusal; the server must see a failure too. */
  #stoppedTooLate(execution: Execution, reply: Reply): void {
    const { stopped } = execution
    if (stopped === null) return
    const relay = this.#relay
    relay.settle(execution, { status: 'refused', code: stopped.refusal.code })
    if (reply.kind === 'query') return this.#passing.emit(refusalResponse(stopped.refusal))
    if (relay.replies.head?.kind === 'sync') return this.#passing.emit(refusalResponse(stopped.refusal))
    relay.substitute(refused(stopped.refusal), refusedBind)
  }

  #nothing(): void {
    const reply = this.#relay.replies.head
    if (reply?.kind === 'empty-execute') this.#relay.replies.shift()
    else if (reply?.kind !== 'query') return this.#violation('an unexpected EmptyQueryResponse')
    this.#pass()
  }

  #copyIn(): void {
    const execution = this.#relay.replies.running
    if (execution === null || execution.role.is !== 'copy-in') return this.#violation('an unexpected CopyInResponse')
    execution.taking = true
    execution.tell()
    this.#pass()
  }

  #copyOut(): void {
    const execution = this.#relay.replies.running
    if (execution === null || execution.role.is !== 'copy-out') return this.#violation('unexpected COPY data')
    const { type, start, end } = this.#reader
    if (type === BACKEND.CopyData) execution.bytes += end - start
    if (execution.stopped === null) this.#pass()
  }

  #ready(): void {
    const { buffer, start, end } = this.#reader
    const relay = this.#relay
    const reply = relay.replies.head
    const ends = reply?.kind === 'sync' || reply?.kind === 'query' || (reply?.kind === 'refused' && reply.ready)
    if (!ends) return this.#violation('an unexpected ReadyForQuery')
    relay.replies.shift()
    if (reply.kind !== 'sync') relay.names.dropped(reply.unnamed, true)
    relay.status = decodeReadyForQuery(buffer, start, end)
    if (relay.replies.empty) relay.unsynced = false
    if (relay.status === 'I') {
      relay.scrubTransaction = false
      if (relay.schemaChanged) relay.refresh()
      relay.names.portals.forget((portal) => portal.confirmed && !portal.hold)
    }
    if (reply.kind === 'query' && relay.status === 'T' && reply.executions.some(({ stopped }) => stopped !== null)) {
      return this.#abort(reply)
    }
    this.#pass()
  }

  /** A query was refused after the server had run it in a transaction: the transaction fails, as the agent was told. */
  #abort(reply: Extract<Reply, { kind: 'query' }>): void {
    const stopped = reply.executions.find((execution) => execution.stopped !== null)?.stopped
    if (stopped === null || stopped === undefined) return
    this.#relay.substitute(refused(stopped.refusal), refusedQuery, { ready: true, silent: true })
  }

  #notice(): void {
    const { buffer, start, end } = this.#reader
    if (!this.#failures.scrubs(this.#relay.replies.head)) return this.#pass()
    this.#passing.emit(encodeNoticeResponse(scrubError(decodeErrorResponse(buffer, start, end))))
  }

  #parameterStatus(): void {
    const { buffer, start, end } = this.#reader
    const { parameter, value } = decodeParameterStatus(buffer, start, end)
    const pinned = this.#pinned.get(parameter)
    if (pinned !== undefined && pinned !== value) {
      return this.#fatal(refusal('command.unsupported', `${parameter} became ${value}, and is pinned to ${pinned}`))
    }
    this.#pass()
  }

  /** The frame goes on as it is. */
  #pass(): void {
    const { buffer, start, end } = this.#reader
    this.#passing.pass(buffer, start, end)
  }

  #take<Kind extends Reply['kind']>(kind: Kind): Extract<Reply, { kind: Kind }> {
    const reply = this.#relay.replies.head
    if (reply?.kind !== kind) throw new Error(`the server answered ${kind}, which nothing asked for`)
    this.#relay.replies.shift()
    return reply as Extract<Reply, { kind: Kind }>
  }

  /** What the frame is about; only an execution may be given it. */
  #running(message: string): Execution {
    return this.#relay.replies.running ?? this.#violation(`an unexpected ${message}`)
  }

  /** The server does not follow the protocol, or Sidegate has lost its place in it: nothing more may be believed. */
  #violation(what: string): never {
    throw new Error(`the server sent ${what}`)
  }

  #fatal(because: Refusal): void {
    this.#passing.discard()
    this.#relay.end(because)
  }
}
