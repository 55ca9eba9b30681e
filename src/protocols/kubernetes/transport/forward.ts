/** One permitted request on its way: to the API server, and its answer back at the agent's pace. */
import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Permit } from '../../../gate/gate.ts'
import type { Outcome, OutcomeStatus } from '../../../gate/ports.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { openForward } from '../commands.ts'
import { UpstreamError, upstreamRefusal } from '../credential/failure.ts'
import { type MaskPlan, type Rewriter, Unmaskable } from '../masking/plan.ts'
import type { Request } from '../request/facts.ts'
import type { Proof, Upstream } from '../upstream.ts'
import { answerRefusal } from './answer.ts'
import { returnedHeaders } from './headers.ts'
import { farewell } from './watch.ts'

type Controller = Dispatcher.DispatchController
type IncomingHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** Timers count milliseconds in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const UNAUTHORIZED = 401
const LINE_FEED = 0x0a
/** How a connection fails that the API server closed while a request was on its way to it. */
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

export interface ForwardOf {
  readonly request: Request
  readonly permit: Permit
  readonly plan: MaskPlan
  readonly response: ServerResponse
  readonly upstream: Upstream
  /** Ties the record to the audit log of the API server. */
  readonly auditId: string
  settled(outcome: Outcome): void
}

export class Forward implements Dispatcher.DispatchHandler {
  readonly #of: ForwardOf
  readonly #options: Omit<Dispatcher.DispatchOptions, 'headers'>
  readonly #headers: Readonly<Record<string, string>>
  readonly #byteLimit: number
  #proof: Proof | null = null
  #timer: NodeJS.Timeout | null = null
  #controller: Controller | null = null
  /** Attempts that nobody waits for any more. */
  readonly #abandoned = new WeakSet<Controller>()
  #rewriter: Rewriter | null = null
  /** Begins the answer; null before there is one, and after. */
  #head: (() => void) | null = null
  #status = 0
  #bytes = 0
  /** What was sent of it ends with a line. */
  #whole = true
  /** It was asked a second time, with another proof. */
  #again = false
  /** It was asked a second time, on another connection. */
  #anew = false
  /** The whole answer is here: there is nothing left to abort. */
  #answered = false
  #over = false
  /** Why Sidegate itself ends it. */
  #stopped: Refusal | null = null

  private constructor(of: ForwardOf) {
    this.#of = of
    const { method, target, headers, body } = openForward(of.permit.take())
    this.#options = { method, path: target, body }
    this.#headers = headers
    const limits = of.permit.decisions[0]?.limits
    this.#byteLimit = limits?.bytes ?? Number.POSITIVE_INFINITY
    if (limits?.seconds != null) this.#watchTime(limits.seconds)
    of.response.once('close', () => this.#left())
    of.response.on('drain', () => this.#controller?.resume())
  }

  /** Takes the permit's bytes, which must be on record. The returned function ends it for a reason that the agent is told. */
  static begin(of: ForwardOf): Forward {
    const forward = new Forward(of)
    forward.#prove()
    return forward
  }

  stop(because: Refusal): void {
    if (this.#over || this.#stopped !== null) return
    this.#stopped = because
    if (this.#of.response.headersSent) {
      const last = farewell(this.#of.request, because, this.#whole)
      if (last === null) this.#of.response.destroy()
      else this.#of.response.end(last)
    } else answerRefusal(this.#of.response, because, { facts: this.#of.request.facts })
    this.#end('refused', because.code)
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('the agent left'))
  }

  onResponseStart(controller: Controller, status: number, headers: IncomingHeaders): void {
    if (this.#over || status < 200) return
    // What stands behind a proxy has a 401 of its own, which is not about the sidecar.
    if (status !== UNAUTHORIZED || this.#of.request.facts.subresource === 'proxy') return this.#begin(status, headers)
    // Nothing of the answer is kept: it is about the sidecar, and the agent can do nothing about it.
    this.#abandoned.add(controller)
    this.#controller = null
    controller.abort(new Error('the proof was rejected'))
    void this.#proveAgain()
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#over || this.#abandoned.has(controller)) return
    if (this.#rewriter === null) return this.#send(controller, chunk)
    try {
      for (const part of this.#rewriter.chunk(chunk)) this.#send(controller, part)
    } catch (error) {
      this.#unmaskable(error)
    }
  }

  onResponseEnd(controller: Controller): void {
    if (this.#over || this.#abandoned.has(controller)) return
    try {
      for (const part of this.#rewriter?.end() ?? []) this.#send(null, part)
    } catch (error) {
      return this.#unmaskable(error)
    }
    if (this.#over) return
    this.#answered = true
    this.#head?.()
    this.#of.response.end()
    this.#end(this.#status < 400 ? 'completed' : 'failed', String(this.#status))
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.#over || this.#abandoned.has(controller)) return
    if (!this.#mayAskAnew(error)) return this.#fail('lost', upstreamRefusal(error))
    this.#anew = true
    this.#prove()
  }

  /** A kept connection may end just as it is used. What only reads is asked once more, as HTTP libraries do (RFC 9110, section 9.2.2). */
  #mayAskAnew(error: Error): boolean {
    const { method, facts } = this.#of.request
    const reads = (method === 'GET' || method === 'HEAD') && facts.subresource !== 'proxy'
    const closed = 'code' in error && CLOSED.has(String(error.code))
    return reads && closed && !this.#anew && this.#status === 0
  }

  #prove(): void {
    const { upstream, permit } = this.#of
    const proof = upstream.prove(permit.session.context.principal)
    if (!(proof instanceof Promise)) return this.#dispatch(proof)
    proof.then(
      (proven) => this.#dispatch(proven),
      (error: unknown) => this.#fail('failed', upstreamRefusal(error)),
    )
  }

  #dispatch(proof: Proof): void {
    if (this.#over) return
    this.#proof = proof
    const headers = { ...this.#headers, ...proof.headers, 'audit-id': this.#of.auditId }
    proof.pool.dispatch({ ...this.#options, headers }, this)
  }

  /** The credential may have been rotated between its reading and its use: one more try, with another one. */
  async #proveAgain(): Promise<void> {
    const { upstream, permit } = this.#of
    try {
      const rejected = this.#proof
      const proof =
        this.#again || rejected === null ? null : await upstream.proveAgain(permit.session.context.principal, rejected)
      if (proof === null)
        throw new UpstreamError('upstream.rejected', 'the API server did not accept the credential of the sidecar')
      this.#again = true
      this.#dispatch(proof)
    } catch (error) {
      this.#fail('failed', upstreamRefusal(error))
    }
  }

  #fail(status: OutcomeStatus, because: Refusal): void {
    if (this.#over) return
    if (this.#of.response.headersSent) this.#of.response.destroy()
    else answerRefusal(this.#of.response, because, { facts: this.#of.request.facts })
    this.#end(status, because.code)
  }

  #begin(status: number, headers: IncomingHeaders): void {
    this.#status = status
    const { response, plan, auditId } = this.#of
    const type = headers['content-type']
    const rewriter = plan.rewriter(status, typeof type === 'string' ? type : '')
    if (rewriter !== null && 'code' in rewriter) return this.stop(rewriter)
    const coding = headers['content-encoding'] ?? 'identity'
    if (rewriter !== null && coding !== 'identity') {
      return this.stop(refusal('obligation.unsupported', 'the answer is packed, and cannot be masked', 'ask for JSON'))
    }
    this.#rewriter = rewriter
    const length = rewriter === null ? headers['content-length'] : undefined
    this.#head = () => {
      this.#head = null
      response.writeHead(status, {
        ...returnedHeaders(headers, plan.quotes),
        'audit-id': auditId,
        ...(typeof length === 'string' ? { 'content-length': length } : {}),
      })
    }
    // What turns out not to be shown at all is refused with a head of its own.
    if (rewriter !== null && !this.#of.request.endless) return
    this.#head()
    // Who watches waits for the head, and events may be long in coming.
    if (length === undefined) response.flushHeaders()
  }

  #send(controller: Controller | null, bytes: Uint8Array): void {
    if (this.#over || bytes.length === 0) return
    this.#bytes += bytes.length
    if (this.#bytes > this.#byteLimit) {
      const message = `the policy limits a response to ${this.#byteLimit} bytes`
      return this.stop(refusal('obligation.limit', message, 'ask for less at once: a limit, or a selector'))
    }
    this.#head?.()
    this.#whole = bytes.at(-1) === LINE_FEED
    if (!this.#of.response.write(bytes)) controller?.pause()
  }

  #unmaskable(error: unknown): void {
    if (!(error instanceof Unmaskable)) throw error
    this.stop(refusal('obligation.unsupported', error.message, 'ask for what can be inspected'))
  }

  #watchTime(seconds: number): void {
    const because = refusal('obligation.limit', `the policy lets this run for ${seconds} s`, 'ask for less at once')
    this.#timer = setTimeout(() => this.stop(because), Math.min(seconds * 1000, LONGEST_TIMER_MS))
  }

  #left(): void {
    if (!this.#over) this.#end('cancelled', String(this.#status))
  }

  #end(status: OutcomeStatus, code: string): void {
    if (this.#over) return
    this.#over = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (!this.#answered) this.#controller?.abort(new Error('it is over'))
    this.#of.settled({ status, code, rows: 0, bytes: this.#bytes, masked: this.#of.plan.masked })
  }
}
