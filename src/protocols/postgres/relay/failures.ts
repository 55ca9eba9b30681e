/** What an error of the server's means: for what it was owed to, for all that is skipped behind it, and to the agent. */
import type { FrameReader } from '../framing.ts'
import { encodeErrorResponse, type ErrorFields } from '../messages.ts'
import { scrubError } from '../masking.ts'
import { refusalResponse } from '../refusal.ts'
import type { Passing } from './passing.ts'
import type { Relay } from './relay.ts'
import type { Reply } from './replies.ts'

/** SQLSTATE of what was cancelled. */
const QUERY_CANCELED = '57014'

export class Failures {
  readonly #relay: Relay
  readonly #reader: FrameReader
  readonly #passing: Passing

  constructor(relay: Relay, reader: FrameReader, passing: Passing) {
    this.#relay = relay
    this.#reader = reader
    this.#passing = passing
  }

  /** An ErrorResponse, which is the reader's frame. */
  failed(fields: ErrorFields): void {
    const relay = this.#relay
    const reply = relay.replies.head
    const fatal = fields.get('V') === 'FATAL' || fields.get('V') === 'PANIC'
    const code = fields.get('C') ?? ''
    this.#tell(fields, reply)
    if (fatal || reply === undefined || reply.kind === 'sync') return
    if (reply.kind === 'query') return this.#failQuery(reply, code)
    if (reply.kind === 'refused' && reply.ready) return
    relay.replies.shift()
    if (reply.kind === 'refused') relay.names.dropped(reply.unnamed, true)
    else this.#drop(reply, 'failed', code)
    const { skipped, synced } = relay.replies.skip()
    for (const skip of skipped.toReversed()) this.#drop(skip, 'skipped')
    if (!synced) relay.skipping = true
  }

  /** The server is gone: whatever was under way is lost. */
  lost(): void {
    for (const reply of this.#relay.replies.drain()) this.#drop(reply, 'lost')
  }

  /** Texts of the server's about this may not pass. */
  scrubs(reply: Reply | undefined): boolean {
    if (this.#relay.scrubTransaction) return true
    if (reply === undefined) return false
    if (reply.kind === 'execute') return reply.execution.scrub
    if (reply.kind === 'parse') return reply.execution?.scrub ?? false
    if (reply.kind === 'bind') return reply.scrub
    return (
      reply.kind === 'query' && (reply.executions[reply.done]?.scrub ?? reply.executions.some(({ scrub }) => scrub))
    )
  }

  /** What the agent is told of an error: the refusal if it is a refusal's, a fixed text if its own could show too much. */
  #tell(fields: ErrorFields, reply: Reply | undefined): void {
    const message = fields.get('M') ?? ''
    if (reply?.kind === 'refused' && !reply.told && message.includes(reply.token)) {
      reply.told = true
      if (!reply.silent) this.#passing.emit(refusalResponse(reply.refusal, reply.sqlstate))
      return
    }
    const execution = this.#relay.replies.running
    const late = fields.get('C') === QUERY_CANCELED ? execution?.overdue : null
    const because = execution?.stopped?.refusal ?? late
    if (because !== null && because !== undefined) return this.#passing.emit(refusalResponse(because))
    if (this.scrubs(reply)) return this.#passing.emit(encodeErrorResponse(scrubError(fields)))
    const { buffer, start, end } = this.#reader
    this.#passing.pass(buffer, start, end)
  }

  #failQuery(reply: Extract<Reply, { kind: 'query' }>, code: string): void {
    const failed = reply.executions[reply.done]
    for (const execution of reply.executions.slice(reply.done + 1).toReversed()) {
      this.#relay.settle(execution, { status: 'skipped', code: '' })
    }
    if (failed !== undefined) this.#relay.settle(failed, { status: 'failed', code })
    reply.done = reply.executions.length
  }

  /** The reply will not come, or has failed: what it stood for has not happened. */
  #drop(reply: Reply, status: 'failed' | 'skipped' | 'lost', code = ''): void {
    const relay = this.#relay
    const { statements, portals } = relay.names
    switch (reply.kind) {
      case 'parse':
        statements.revert(reply.version)
        if (reply.execution !== null) relay.settle(reply.execution, { status, code })
        return
      case 'bind':
        portals.revert(reply.version)
        if (reply.execution !== null) relay.settle(reply.execution, { status, code })
        return
      case 'execute':
        return relay.settle(reply.execution, { status, code })
      case 'query':
        relay.names.dropped(reply.unnamed, false)
        for (const execution of reply.executions.toReversed()) relay.settle(execution, { status, code })
        return
      case 'close':
        if (reply.statement !== null) statements.revert(reply.statement)
        if (reply.portal !== null) portals.revert(reply.portal)
        return
      case 'describe':
        if (reply.portal !== null && reply.portal.description === null) reply.portal.described = false
        return reply.told?.()
      case 'refused':
        return relay.names.dropped(reply.unnamed, false)
      case 'empty-execute':
      case 'sync':
    }
  }
}
