/** One request, from its head to what the agent is answered. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Command } from '../../gate/command.ts'
import type { Decision } from '../../gate/decision.ts'
import type { Verdict } from '../../gate/gate.ts'
import { type Refusal, refusal } from '../../gate/refusal.ts'
import type { Session } from '../../gate/session.ts'
import { recorded } from '../../stream/journal.ts'
import type { Body } from './body/body.ts'
import { decodeBody } from './body/decode.ts'
import { sealForward, unjudged } from './commands.ts'
import { type MaskPlan, NO_MASKS, planMasks } from './masking/plan.ts'
import { objectRequest } from './masking/single.ts'
import { failureOf } from './refusal.ts'
import type { Request } from './request/facts.ts'
import { type Conversation, endOf, newAuditId } from './session.ts'
import { answerRefusal } from './transport/answer.ts'
import { readWhole } from './transport/body.ts'
import { Forward } from './transport/forward.ts'
import { checkClaims, forwardedHeaders, type Headers, readHeaders } from './transport/headers.ts'

/** Serves one request. Never rejects. */
export async function serveRequest(
  conversation: Conversation,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { shared } = conversation
  const turn = conversation.enter(response)
  if (shared.running >= shared.config.limits.requests) {
    return answerRefusal(response, refusal('session.limit', 'too many requests at once', 'try again later'), {
      last: true,
    })
  }
  shared.running++
  response.once('close', () => shared.running--)
  try {
    if (turn !== null) await turn
    if (response.destroyed) return
    await new Exchange(conversation, incoming, response).run()
  } catch (error) {
    if (response.destroyed || incoming.destroyed) return
    conversation.log.error({ err: error }, 'a request failed')
    answerRefusal(response, failureOf(error), { last: true })
  }
}

/** What is to become another protocol's connection comes here where others are still to be answered on it. */
function checkAlone(headers: Headers): Refusal | null {
  if (!/\bupgrade\b/i.test(headers.get('connection') ?? '')) return null
  return refusal('command.unparsable', 'an upgrade was asked for before others were answered', 'wait for them')
}

/** Aborts when the agent leaves. */
function signalOf(response: ServerResponse): AbortSignal {
  const leaving = new AbortController()
  if (response.destroyed) leaving.abort()
  else response.once('close', () => leaving.abort())
  return leaving.signal
}

interface Judged {
  readonly session: Session
  readonly request: Request
  readonly body: Body | null
  readonly decision: Decision
}

class Exchange {
  readonly #conversation: Conversation
  readonly #incoming: IncomingMessage
  readonly #response: ServerResponse
  #plan: MaskPlan = NO_MASKS
  #forward: Forward | null = null
  #revoked: Refusal | null = null

  constructor(conversation: Conversation, incoming: IncomingMessage, response: ServerResponse) {
    this.#conversation = conversation
    this.#incoming = incoming
    this.#response = response
  }

  async run(): Promise<void> {
    const headers = readHeaders(this.#incoming.rawHeaders)
    if ('code' in headers) return answerRefusal(this.#response, headers, { last: true })
    const session = await this.#conversation.session(headers)
    if ('code' in session) return answerRefusal(this.#response, session, { last: true })
    await this.#serve(session, headers)
  }

  async #serve(session: Session, headers: Headers): Promise<void> {
    const { method = '', url = '', httpVersion } = this.#incoming
    const claims = checkClaims(headers) ?? checkAlone(headers)
    if (claims !== null) return await this.#refuse(session, unjudged(method, url), claims)
    if (httpVersion !== '1.1') {
      const because = refusal('command.unsupported', 'only HTTP/1.1 is understood', 'use HTTP/1.1')
      return await this.#refuse(session, unjudged(method, url), because)
    }
    const parsed = this.#conversation.shared.requests.parse(method, url)
    if (parsed.kind === 'refused') return await this.#refuse(session, unjudged(method, url), parsed.refusal)
    const body = await this.#body(parsed.request, headers)
    if (body !== null && 'code' in body) return await this.#refuse(session, unjudged(method, url), body, parsed.request)
    await this.#rule(session, parsed.request, headers, body)
  }

  async #body(request: Request, headers: Headers): Promise<Body | Refusal | null> {
    const has = headers.has('transfer-encoding') || Number(headers.get('content-length') ?? 0) > 0
    if (!has) return null
    if (request.method === 'GET' || request.method === 'HEAD') {
      return refusal('command.unparsable', `a ${request.method} has no body`, 'send it without one')
    }
    const bytes = await readWhole(this.#incoming, this.#conversation.shared.config.limits.body)
    if ('code' in bytes) return bytes
    return bytes.length === 0 ? null : decodeBody(request, headers.get('content-type') ?? '', bytes)
  }

  async #rule(session: Session, request: Request, headers: Headers, body: Body | null): Promise<void> {
    const { shared } = this.#conversation
    const { gate } = shared.wiring
    const command = shared.commands.of(request, null, body)
    const forwarded = forwardedHeaders(headers)
    if (body !== null) forwarded['content-type'] = body.contentType
    const seal = () => this.#seal(request, forwarded, body)
    const leaving = () => signalOf(this.#response)
    const honour = (decision: Decision) => this.#honour({ session, request, body, decision }, forwarded['accept'] ?? '')
    const verdict = await gate.rule(session, {
      commands: [command],
      // Made after the decision, which may ask for another representation.
      get bytes() {
        return seal()
      },
      honour: (_command: Command, decision: Decision) => honour(decision),
      // Only a hold asks for it.
      get signal() {
        return leaving()
      },
      ...(request.endless ? { revoked: (because: Refusal) => this.#revoke(because) } : {}),
    })
    await recorded(gate)
    this.#conclude(session, request, verdict)
  }

  #conclude(session: Session, request: Request, verdict: Verdict): void {
    if (verdict.kind === 'refused') {
      return answerRefusal(this.#response, verdict.refusal, { facts: request.facts })
    }
    const { shared } = this.#conversation
    const { gate } = shared.wiring
    const { permit } = verdict
    // The agent is gone, or was told that the sidecar stops.
    if (this.#response.destroyed || this.#response.writableEnded) {
      return gate.settle(permit, 0, { status: 'skipped', code: '', rows: 0, bytes: 0, masked: [] })
    }
    const over = this.#revoked ?? endOf(session, permit.commands[0] as Command)
    if (over !== null) {
      gate.settle(permit, 0, { status: 'skipped', code: over.code, rows: 0, bytes: 0, masked: [] })
      return answerRefusal(this.#response, over, { facts: request.facts, last: true })
    }
    let settled = false
    let forget = (): void => {}
    this.#forward = Forward.begin({
      request,
      permit,
      plan: this.#plan,
      response: this.#response,
      upstream: shared.upstream,
      auditId: newAuditId(),
      settled: (outcome) => {
        settled = true
        forget()
        gate.settle(permit, 0, outcome)
      },
    })
    const stop = (because: Refusal) => this.#forward?.stop(because)
    if (!settled) forget = this.#conversation.track({ session, endless: request.endless, stop })
  }

  /** Policy takes its permit back; what has not begun yet will not. */
  #revoke(because: Refusal): void {
    this.#revoked = because
    this.#forward?.stop(because)
  }

  #seal(request: Request, headers: Record<string, string>, body: Body | null): Uint8Array {
    const { target, accept } = this.#plan.instead ?? { target: request.target, accept: null }
    return sealForward({
      method: request.method,
      target,
      headers: accept === null ? headers : { ...headers, accept },
      body: body?.bytes ?? null,
    })
  }

  /** Says whether the decision's masks and limits can be kept for this request. */
  #honour({ session, request, body, decision }: Judged, accept: string): Refusal | null {
    if (decision.limits.rows !== null) {
      return refusal('obligation.unsupported', 'rows cannot be limited here', 'limit bytes or seconds')
    }
    const { config, wiring, commands } = this.#conversation.shared
    const plan = planMasks({
      request,
      body,
      accept,
      decision,
      methods: wiring.masks,
      limit: config.limits.object,
      get: (namespace, name) => {
        const single = objectRequest(request, namespace, name)
        return single === null ? null : wiring.gate.permits(session, commands.once(single))
      },
    })
    if ('code' in plan) return plan
    this.#plan = plan
    return null
  }

  async #refuse(session: Session, command: Command, because: Refusal, request: Request | null = null): Promise<void> {
    const { gate } = this.#conversation.shared.wiring
    const told = gate.refuse(session, command, because)
    await recorded(gate)
    answerRefusal(this.#response, told, { facts: request?.facts ?? null, last: !this.#incoming.complete })
  }
}
