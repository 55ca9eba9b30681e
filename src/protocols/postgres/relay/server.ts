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
  encodeErrorResponse,
  encodeNoticeResponse,
  type ErrorFields,
  rowsOf,
} from '../messages.ts'
import { FRAME, type FrameReader, NONE, PIECE, RUN } from '../framing.ts'
import { scrubError } from '../masking.ts'
import { refusedBind, refusedQuery } from '../origination.ts'
import { refusalResponse } from '../refusal.ts'
import type { Execution } from './execution.ts'
import { isChecked } from './obligations.ts'
import { refused, type Relay } from './relay.ts'
import type { Reply } from './replies.ts'

/** Frames of the server that are held in memory to be read: RowDescription of the widest table, long errors. */
const LARGEST_HELD = 16 * 1024 ** 2

/** SQLSTATE of what was cancelled. */
const QUERY_CANCELED = '57014'

const NO_ROWS = Buffer.alloc(0)

export class ServerSide {
  readonly #relay: Relay
  readonly #reader: FrameReader
  readonly #pinned: ReadonlyMap<string, string>
  /** Of the chunk: what goes on to the agent unchanged, up to here. */
  #chunk: Buffer = Buffer.alloc(0)
  #passFrom = 0
  #passTo = 0
  #out: Uint8Array[] = []
  #dropPieces = false

  /** `reader` may still hold what came with ReadyForQuery; `pinned` settings may not change. */
  constructor(relay: Relay, reader: FrameReader, pinned: ReadonlyMap<string, string>) {
    this.#relay = relay
    this.#pinned = pinned
    this.#reader = reader
    reader.expect(backendTable(LARGEST_HELD))
    this.#reader.runOf = BACKEND.DataRow
  }

  /** A chunk of the server's, in memory that is the relay's own. */
  receive(chunk: Buffer): void {
    const reader = this.#reader
    this.#chunk = chunk
    this.#passFrom = this.#passTo = 0
    reader.feed(chunk)
    for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
      if (kind === FRAME) this.#frame()
      else if (kind === RUN) this.#rows(reader.frames)
      else if (kind === PIECE) this.#piece()
    }
    this.#flush()
    this.#relay.outgoing.flush()
    this.#relay.watch()
  }

  /** A frame has been passed on in part: nothing may come between. */
  get cut(): boolean {
    return this.#reader.remaining > 0
  }

  /** The server is gone: whatever was under way is lost. */
  lost(): void {
    for (const reply of this.#relay.replies.drain()) this.#drop(reply, 'lost')
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
        return this.#rows(1)
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
        return this.#failed(decodeErrorResponse(buffer, start, end))
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
    this.#relay.statements.confirm(reply.version)
    if (reply.execution !== null) this.#relay.settle(reply.execution, { status: 'completed', code: '' })
    this.#pass()
  }

  #bound(): void {
    const reply = this.#take('bind')
    const { version, execution } = reply
    if (version.value !== null) version.value.confirmed = true
    this.#relay.portals.confirm(version)
    if (execution !== null) this.#relay.settle(execution, { status: 'completed', code: '' })
    this.#pass()
  }

  #closed(): void {
    const { statement, portal } = this.#take('close')
    if (statement !== null) this.#relay.statements.confirm(statement)
    if (portal !== null) this.#relay.portals.confirm(portal)
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
    const execution = this.#relay.replies.running
    if (execution === null) return this.#violation('an unexpected RowDescription')
    if (isChecked(execution.plan)) this.#mask(execution, buffer.subarray(start, end))
    if (execution.stopped === null) this.#pass()
  }

  /** A plan that the server's own description contradicts is a defect: nothing of the result may pass. */
  #mask(execution: Execution, description: Buffer): void {
    const masker = this.#relay.obligations.confirm(execution.plan, description)
    if ('message' in masker) {
      this.#relay.log.error({ mismatch: masker.message }, 'a result was discarded')
      const message = 'the columns of the result are not those that were predicted, so that they could be masked'
      return this.#fatal(refusal('obligation.unsupported', message, 'select the columns by their names'))
    }
    execution.masker = masker
  }

  /** One or more whole DataRows. */
  #rows(frames: number): void {
    const execution = this.#relay.replies.running
    if (execution === null) return this.#violation('an unexpected DataRow')
    if (execution.stopped !== null) return
    const { buffer, start, end } = this.#reader
    if (isChecked(execution.plan) && !this.#maskerOf(execution)) return
    if (execution.limited && !this.#within(execution, frames, end - start)) return
    execution.rows += frames
    execution.bytes += end - start
    if (execution.portal !== null) execution.portal.rows += frames
    if (execution.masker === null || execution.masker.passive) return this.#pass()
    this.#emit(execution.masker.rewrite(buffer, start, end))
  }

  /** True when the rows may go on; otherwise the execution is stopped, or was already. */
  #within(execution: Execution, frames: number, bytes: number): boolean {
    const rows = (execution.portal?.rows ?? 0) + frames
    const most = execution.portal === null ? execution.rows + frames : rows
    if (most <= execution.rowLimit && execution.bytes + bytes <= execution.byteLimit) return true
    if (frames > 1) return this.#oneByOne(execution)
    const what = most > execution.rowLimit ? `${execution.rowLimit} rows` : `${execution.byteLimit} bytes of rows`
    const because = refusal(
      'obligation.limit',
      `the policy limits a result to ${what}`,
      'ask for less: a narrower WHERE, or LIMIT',
    )
    // The server stops by itself where Execute carries the limit; it has to be told in all other cases.
    execution.stopped = { refusal: because, token: null }
    if (this.#relay.replies.head?.kind === 'query' || most <= execution.rowLimit) this.#relay.cancel()
    return false
  }

  /** Gives the agent as many rows of a run as the limit lets through. */
  #oneByOne(execution: Execution): boolean {
    const { buffer, start, end } = this.#reader
    for (let at = start; at < end && execution.stopped === null;) {
      const next = at + 1 + buffer.readUInt32BE(at + 1)
      if (!this.#within(execution, 1, next - at)) break
      execution.rows++
      execution.bytes += next - at
      if (execution.portal !== null) execution.portal.rows++
      if (execution.masker === null || execution.masker.passive) this.#emit(buffer.subarray(at, next))
      else this.#emit(execution.masker.rewrite(buffer, at, next))
      at = next
    }
    return false
  }

  #maskerOf(execution: Execution): boolean {
    if (execution.masker !== null) return true
    const description = execution.portal?.description
    if (description === null || description === undefined) {
      this.#violation('rows came before their description')
      return false
    }
    this.#mask(execution, description)
    return execution.masker !== null
  }

  /** A part of one large DataRow or CopyData. */
  #piece(): void {
    const { first, type, start, end } = this.#reader
    const execution = this.#relay.replies.running
    if (execution === null) return this.#violation('an unexpected large message')
    if (first) {
      if (execution.plan.kind === 'mask') {
        const message = 'a row is too large to be masked'
        return this.#fatal(refusal('obligation.unsupported', message, 'select fewer or shorter columns'))
      }
      const rows = type === BACKEND.DataRow ? 1 : 0
      if (rows === 1 && isChecked(execution.plan) && !this.#maskerOf(execution)) return
      this.#dropPieces =
        execution.stopped !== null ||
        (execution.limited && !this.#within(execution, rows, end - start + this.#reader.remaining))
      if (!this.#dropPieces) execution.rows += rows
      if (!this.#dropPieces && execution.portal !== null) execution.portal.rows += rows
    }
    if (this.#dropPieces) return
    execution.bytes += end - start
    this.#pass()
  }

  /** CommandComplete with its tag, or PortalSuspended without one. */
  #completed(tag: string): void {
    const { replies } = this.#relay
    const reply = replies.head
    const execution = this.#relay.replies.running
    if (execution === null || reply === undefined) return this.#violation('an unexpected CommandComplete')
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
    if (reply.kind === 'query') return this.#emit(refusalResponse(stopped.refusal))
    if (relay.replies.head?.kind === 'sync') return this.#emit(refusalResponse(stopped.refusal))
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

  #failed(fields: ErrorFields): void {
    const relay = this.#relay
    const reply = relay.replies.head
    const fatal = fields.get('V') === 'FATAL' || fields.get('V') === 'PANIC'
    this.#tell(fields, reply)
    if (fatal || reply === undefined) return
    if (reply.kind === 'query' || (reply.kind === 'refused' && reply.ready))
      return this.#failQuery(reply, fields.get('C') ?? '')
    if (reply.kind === 'sync') return
    relay.replies.shift()
    if (reply.kind === 'refused') relay.dropped(reply.unnamed, true)
    else this.#drop(reply, 'failed', fields.get('C') ?? '')
    const { skipped, synced } = relay.replies.skip()
    for (const skip of skipped.toReversed()) this.#drop(skip, 'skipped')
    if (!synced) relay.skipping = true
  }

  /** What the agent is told of an error: the refusal if it is a refusal's, a fixed text if its own could show too much. */
  #tell(fields: ErrorFields, reply: Reply | undefined): void {
    const message = fields.get('M') ?? ''
    if (reply?.kind === 'refused' && !reply.told && message.includes(reply.token)) {
      reply.told = true
      if (!reply.silent) this.#emit(refusalResponse(reply.refusal, reply.sqlstate))
      return
    }
    const execution = this.#relay.replies.running
    const late = fields.get('C') === QUERY_CANCELED ? execution?.overdue : null
    const because = execution?.stopped?.refusal ?? late
    if (because !== null && because !== undefined) return this.#emit(refusalResponse(because))
    if (this.#scrubs(reply)) return this.#emit(encodeErrorResponse(scrubError(fields)))
    this.#pass()
  }

  #failQuery(reply: Extract<Reply, { kind: 'query' | 'refused' }>, code: string): void {
    if (reply.kind === 'refused') return
    const failed = reply.executions[reply.done]
    for (let index = reply.executions.length - 1; index > reply.done; index--) {
      const execution = reply.executions[index]
      if (execution !== undefined) this.#relay.settle(execution, { status: 'skipped', code: '' })
    }
    if (failed !== undefined) this.#relay.settle(failed, { status: 'failed', code })
    reply.done = reply.executions.length
  }

  #ready(): void {
    const { buffer, start, end } = this.#reader
    const relay = this.#relay
    const reply = relay.replies.head
    const ends = reply?.kind === 'sync' || reply?.kind === 'query' || (reply?.kind === 'refused' && reply.ready)
    if (!ends) return this.#violation('an unexpected ReadyForQuery')
    relay.replies.shift()
    if (reply.kind !== 'sync') relay.dropped(reply.unnamed, true)
    relay.status = decodeReadyForQuery(buffer, start, end)
    if (relay.replies.empty) relay.unsynced = false
    if (relay.status === 'I') {
      relay.scrubTransaction = false
      if (relay.schemaChanged) relay.refresh()
      relay.portals.forget((portal) => portal.confirmed && !portal.hold)
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
    if (!this.#scrubs(this.#relay.replies.head)) return this.#pass()
    this.#emit(encodeNoticeResponse(scrubError(decodeErrorResponse(buffer, start, end))))
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

  #scrubs(reply: Reply | undefined): boolean {
    if (this.#relay.scrubTransaction) return true
    if (reply === undefined) return false
    if (reply.kind === 'execute') return reply.execution.scrub
    if (reply.kind === 'parse') return reply.execution?.scrub ?? false
    if (reply.kind === 'bind') return reply.scrub
    return (
      reply.kind === 'query' && (reply.executions[reply.done]?.scrub ?? reply.executions.some(({ scrub }) => scrub))
    )
  }

  /** The reply will not come, or has failed: what it stood for has not happened. */
  #drop(reply: Reply, status: 'failed' | 'skipped' | 'lost', code = ''): void {
    const relay = this.#relay
    switch (reply.kind) {
      case 'parse':
        relay.statements.revert(reply.version)
        if (reply.execution !== null) relay.settle(reply.execution, { status, code })
        return
      case 'bind':
        relay.portals.revert(reply.version)
        if (reply.execution !== null) relay.settle(reply.execution, { status, code })
        return
      case 'execute':
        return relay.settle(reply.execution, { status, code })
      case 'query':
        relay.dropped(reply.unnamed, false)
        for (const execution of reply.executions.toReversed()) relay.settle(execution, { status, code })
        return
      case 'close':
        if (reply.statement !== null) relay.statements.revert(reply.statement)
        if (reply.portal !== null) relay.portals.revert(reply.portal)
        return
      case 'describe':
        if (reply.portal !== null && reply.portal.description === null) reply.portal.described = false
        return reply.told?.()
      case 'refused':
        return relay.dropped(reply.unnamed, false)
      case 'empty-execute':
      case 'sync':
    }
  }

  /** The message goes on as it is. Adjacent ones are written as one. */
  #pass(): void {
    const { buffer, start, end } = this.#reader
    if (buffer !== this.#chunk) return this.#emit(buffer.subarray(start, end))
    if (start !== this.#passTo) {
      this.#passed()
      this.#passFrom = start
    }
    this.#passTo = end
  }

  #passed(): void {
    if (this.#passTo > this.#passFrom) this.#out.push(this.#chunk.subarray(this.#passFrom, this.#passTo))
    this.#passFrom = this.#passTo = 0
  }

  #emit(bytes: Uint8Array): void {
    this.#passed()
    this.#out.push(bytes)
  }

  #flush(): void {
    this.#passed()
    const out = this.#out
    if (out.length === 0) return
    this.#out = []
    this.#relay.toAgent(out.length === 1 ? (out[0] as Uint8Array) : Buffer.concat(out))
  }

  #take<Kind extends Reply['kind']>(kind: Kind): Extract<Reply, { kind: Kind }> {
    const reply = this.#relay.replies.head
    if (reply?.kind !== kind) throw new Error(`the server answered ${kind}, which nothing asked for`)
    this.#relay.replies.shift()
    return reply as Extract<Reply, { kind: Kind }>
  }

  /** The server does not follow the protocol, or Sidegate has lost its place in it: nothing more may be believed. */
  #violation(what: string): never {
    throw new Error(`the server sent ${what}`)
  }

  #fatal(because: Refusal): void {
    this.#out = []
    this.#passFrom = this.#passTo = 0
    this.#relay.end(because)
  }
}
