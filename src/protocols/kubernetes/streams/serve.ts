/** One request to become another protocol's connection: the same path as any request's, and what follows it. */
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import { recorded } from '../../../stream/journal.ts'
import { sealForward, type Upgrade, unjudged } from '../commands.ts'
import { failureOf } from '../refusal.ts'
import type { Request } from '../request/facts.ts'
import { parseRequest } from '../request/parse.ts'
import { type Conversation, newAuditId } from '../session.ts'
import { answerUpgrade } from '../transport/answer.ts'
import { checkClaims, forwardedHeaders, type Headers, readHeaders } from '../transport/headers.ts'
import { type Handshake, newKey, readHandshake, SPDY, spdyVersions, upgradeOf } from './handshake.ts'
import { ProgramEnd } from './program.ts'
import { SpliceEnd } from './splice.ts'
import { type AgentEnd, Stream } from './stream.ts'
import { TunnelEnd } from './tunnel.ts'
import { verdictsOf } from './verdicts.ts'

/** A peer that is gone without a word is noticed within minutes. */
const KEEPALIVE_MS = 60_000

/** What may become something else. A watch and a log are served over WebSocket too, and would escape masks there. */
const OFFERED: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward'])

/** Serves one upgrade. Never rejects. The connection ends with it. */
export async function serveUpgrade(
  conversation: Conversation,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { shared } = conversation
  socket.on('error', () => {})
  if (socket instanceof Socket) socket.setTimeout(0).setNoDelay(true).setKeepAlive(true, KEEPALIVE_MS)
  if (shared.running >= shared.config.limits.requests) {
    return answerUpgrade(socket, refusal('session.limit', 'too many requests at once', 'try again later'), null)
  }
  shared.running++
  socket.once('close', () => shared.running--)
  const upgrading = new Upgrading(conversation, incoming, socket)
  try {
    await upgrading.run(head)
  } catch (error) {
    conversation.log.error({ err: error }, 'an upgrade failed')
    // It may have become another protocol's by then.
    if (upgrading.begun) socket.destroy()
    else answerUpgrade(socket, failureOf(error), null)
  }
}

type Wanted =
  | { readonly kind: 'websocket'; readonly handshake: Handshake }
  | { readonly kind: 'spdy'; readonly versions: readonly string[] }

class Upgrading {
  readonly #conversation: Conversation
  readonly #incoming: IncomingMessage
  readonly #socket: Duplex
  /** There is a stream, which tells the agent itself. */
  begun = false

  constructor(conversation: Conversation, incoming: IncomingMessage, socket: Duplex) {
    this.#conversation = conversation
    this.#incoming = incoming
    this.#socket = socket
  }

  async run(head: Buffer): Promise<void> {
    const headers = readHeaders(this.#incoming.rawHeaders)
    if ('code' in headers) return answerUpgrade(this.#socket, headers, null)
    const session = await this.#conversation.session(headers)
    if ('code' in session) return answerUpgrade(this.#socket, session, null)
    await this.#serve(session, headers, head)
  }

  async #serve(session: Session, headers: Headers, head: Buffer): Promise<void> {
    const { method = '', url = '' } = this.#incoming
    const malformed = checkClaims(headers) ?? checkForm(this.#incoming, headers, head)
    if (malformed !== null) return await this.#refuse(session, null, malformed)
    const parsed = parseRequest(method, url)
    if (parsed.kind === 'refused') return await this.#refuse(session, null, parsed.refusal)
    const { request } = parsed
    const wanted = wantedOf(request, headers)
    if ('code' in wanted) return await this.#refuse(session, request, wanted, upgradeOf(headers))
    await this.#stream(session, request, headers, wanted)
  }

  async #stream(session: Session, request: Request, headers: Headers, wanted: Wanted): Promise<void> {
    const { shared } = this.#conversation
    const verdicts = verdictsOf(shared)
    const asked = verdicts.recall(session, request)
    if (asked !== null && wanted.kind === 'spdy') return await this.#refuse(session, request, asked, wanted.kind)
    const key = newKey()
    // The agent may leave before there is a stream that could be told.
    let stream: Stream | null = null
    const end = this.#end(request, wanted, key, () => stream?.left())
    stream = new Stream(
      {
        conversation: this.#conversation,
        session,
        request,
        command: shared.commands.of(request, wanted.kind, null),
        bytes: sealForward({
          method: request.method,
          target: request.target,
          headers: forwarded(headers, wanted),
          body: null,
        }),
        auditId: newAuditId(),
        transport: wanted.kind === 'spdy' ? {} : { 'sec-websocket-key': key, 'sec-websocket-version': '13' },
      },
      end,
    )
    const running = stream
    this.begun = true
    const stop = (because: Refusal) => running.stop(because)
    const forget = this.#conversation.track({ session, endless: false, stop })
    this.#socket.once('close', () => {
      forget()
      end.left()
      running.left()
    })
    const refused = await stream.run()
    if (refused !== null && wanted.kind === 'websocket') verdicts.remember(session, request, refused)
  }

  #end(request: Request, wanted: Wanted, key: string, left: () => void): AgentEnd {
    const { facts } = request
    const { inFlight } = this.#conversation.shared.config.limits
    const socket = this.#socket
    if (wanted.kind === 'spdy') return new SpliceEnd({ socket, versions: wanted.versions, facts, left })
    const { handshake } = wanted
    const of = { socket, handshake, key, facts, inFlight, left }
    return facts.subresource === 'portforward' ? new TunnelEnd(of) : new ProgramEnd(of)
  }

  async #refuse(session: Session, request: Request | null, because: Refusal, upgrade: Upgrade = null): Promise<void> {
    const { gate } = this.#conversation.shared.wiring
    const { method = '', url = '' } = this.#incoming
    const command =
      request === null ? unjudged(method, url) : this.#conversation.shared.commands.of(request, upgrade, null)
    const told = gate.refuse(session, command, because)
    await recorded(gate)
    answerUpgrade(this.#socket, told, request?.facts ?? null)
  }
}

function checkForm({ httpVersion }: IncomingMessage, headers: Headers, head: Buffer): Refusal | null {
  if (httpVersion !== '1.1') return refusal('command.unsupported', 'only HTTP/1.1 is understood', 'use HTTP/1.1')
  const length = headers.get('content-length')
  if (headers.has('transfer-encoding') || (length !== undefined && length !== '0')) {
    return refusal('command.unparsable', 'a request to upgrade has no body', 'send it without one')
  }
  return head.length === 0
    ? null
    : refusal('command.unparsable', 'bytes came before the upgrade was answered', 'wait for it')
}

function wantedOf(request: Request, headers: Headers): Wanted | Refusal {
  const { group, resource, subresource } = request.facts
  if (group !== '' || resource !== 'pods' || !OFFERED.has(subresource)) {
    return refusal('command.unsupported', 'this is not offered over an upgraded connection', 'ask for it in plain HTTP')
  }
  const kind = upgradeOf(headers)
  if (kind === null) return refusal('command.unsupported', 'the upgrade is of an unknown kind', 'use WebSocket')
  if (kind === 'spdy') return { kind, versions: spdyVersions(headers) }
  const handshake = readHandshake(headers, request.method, subresource)
  return 'code' in handshake ? handshake : { kind, handshake }
}

/** Made anew of what is known: what an agent put beside it, such as a token among the subprotocols, goes nowhere. */
function forwarded(headers: Headers, wanted: Wanted): Record<string, string> {
  const common = { ...forwardedHeaders(headers), connection: 'Upgrade' }
  if (wanted.kind === 'websocket') {
    return { ...common, upgrade: 'websocket', 'sec-websocket-protocol': wanted.handshake.protocols.join(', ') }
  }
  const versions = wanted.versions.join(', ')
  return { ...common, upgrade: SPDY, ...(versions === '' ? {} : { 'x-stream-protocol-version': versions }) }
}
