/** The agent's side: its packets one after the other, each to what judges it or by the permit of its handle. */
import type { Verdict } from '../../../gate/gate.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { ask } from './asking.ts'
import type { Exchange, Pending } from './exchange.ts'
import type { Facts, Refusable } from './facts.ts'
import { PacketReader } from './framing.ts'
import { keyOf, OpenFile, type Opening } from './handles.ts'
import { type Judged, operationOf } from './kinds.ts'
import { close, INIT, limits, lstat, realpath } from './origination.ts'
import {
  decodeInit,
  decodeRequest,
  type OnHandle,
  type Read,
  type SftpRequest,
  type UnknownExtended,
  type Write,
} from './packets/requests.ts'
import type { SftpReply } from './packets/replies.ts'
import { REPLY, REQUEST, REQUEST_TABLE, VERSION_3 } from './packets/types.ts'
import { ProtocolViolation } from './packets/violation.ts'
import { refusalStatus } from './refusal.ts'
import type { Judge } from './steps.ts'
import { NOTE } from './transfer.ts'
import { Turn } from './turn.ts'

/** As many requests of one agent wait for the server at once; more wait here. Some libraries ask for a whole file at once. */
export const MOST_IN_FLIGHT = 1024

export class AgentSide {
  readonly #exchange: Exchange
  readonly #reader = new PacketReader(REQUEST_TABLE)
  /** Requests are taken up in order: those behind the one that is judged wait, and cannot change what it means. */
  #turn: Turn | null = null
  readonly #opened = new WeakMap<Judge, OpenFile>()

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get buffered(): number {
    return this.#reader.buffered
  }

  /** Nothing of what came waits for anything. */
  get idle(): boolean {
    return this.#turn === null && this.#reader.buffered === 0
  }

  receive(chunk: Buffer): void {
    this.#reader.feed(chunk)
    this.resume()
  }

  /** Goes on as far as possible. */
  resume(): void {
    const exchange = this.#exchange
    if (this.#turn?.paused === true) this.#advance(this.#turn)
    while (this.#turn === null && exchange.pending.size < MOST_IN_FLIGHT) {
      if (exchange.phase !== 'ready' && exchange.phase !== 'init') return
      const packet = this.#reader.next()
      if (packet === null) return
      if (exchange.phase === 'init') this.#init(packet)
      else this.#packet(packet)
    }
  }

  /** The gate's verdict on the last `judge`. */
  ruled(verdict: Verdict): void {
    const turn = this.#turn
    const judge = turn?.judge ?? null
    if (turn === null || judge === null) throw new Error('a verdict came that was not asked for')
    this.#turn = null
    if (verdict.kind === 'refused') {
      this.#exchange.answer(refusalStatus(turn.asked.id, verdict.refusal))
    } else {
      this.#permitted(turn, judge, verdict)
    }
    this.resume()
  }

  revoked(judge: Judge, because: Refusal): void {
    this.#opened.get(judge)?.stop(because)
  }

  /** A packet by a handle's permit, which was taken back before it could be sent. */
  undelivered(packet: Buffer): void {
    const request = decodeRequest(packet)
    const pending = this.#exchange.answered(request.id)
    if (pending === undefined || !('file' in pending)) return
    const { file } = pending
    if (pending.kind === 'close' && 'handle' in request) return this.#originateClose(request.id, request.handle, file)
    if (pending.kind === 'write') file.volume.lose(pending.length)
    this.#exchange.answer(refusalStatus(request.id, file.stopped ?? refusal('policy.revoked')))
    this.#exchange.finishIfOver(file)
  }

  #init(packet: Buffer): void {
    if (packet[4] !== REQUEST.INIT) throw new ProtocolViolation('the agent', 'its first packet is not INIT')
    const { version } = decodeInit(packet)
    if (version < VERSION_3) throw new ProtocolViolation('INIT', `version ${version}, and only 3 is inspected`)
    this.#exchange.phase = 'version'
    this.#exchange.step({ kind: 'originate', bytes: INIT })
  }

  #packet(packet: Buffer): void {
    const request = decodeRequest(packet)
    if (this.#exchange.pending.has(request.id)) {
      const because = refusal('protocol.violation', 'a request with this id is still unanswered')
      return this.#exchange.refuse(request.id, { operation: refusableOf(request) }, because)
    }
    switch (request.type) {
      case REQUEST.READ:
        return this.#read(request, packet)
      case REQUEST.WRITE:
        return this.#write(request, packet)
      case REQUEST.CLOSE:
      case REQUEST.FSTAT:
      case REQUEST.READDIR:
        return this.#onHandle(request, packet)
      case REQUEST.EXTENDED:
        if (request.name === null) return this.#unknown(request)
        if (!this.#exchange.extensions.has(request.name)) return this.#unknown(request)
        if (request.name === 'limits@openssh.com') return this.#limits(request.id)
        return this.#judged(request)
      default:
        return this.#judged(request)
    }
  }

  #read(request: Read, packet: Buffer): void {
    const file = this.#file(request, 'read')
    if (file === null || !this.#may(request.id, file, 'read', file.readable)) return
    if (!file.admits(0, this.#now())) return this.#stopped(request.id, file)
    const { id, offset, length } = request
    this.#stream(id, { kind: 'read', answer: REPLY.DATA, file, offset, length }, file, packet)
  }

  #write(request: Write, packet: Buffer): void {
    const file = this.#file(request, 'write')
    if (file === null || !this.#may(request.id, file, 'write', file.writable)) return
    const { id, offset, data } = request
    if (!file.admits(data.length, this.#now())) return this.#stopped(id, file)
    file.volume.unanswered += data.length
    file.volume.pass('written', offset, data)
    this.#stream(id, { kind: 'write', answer: null, file, length: data.length }, file, packet)
  }

  #onHandle(request: OnHandle, packet: Buffer): void {
    const operation = refusableOf(request)
    const file = this.#file(request, operation)
    if (file === null) return
    const { id } = request
    if (request.type === REQUEST.CLOSE) return this.#close(request, file, packet)
    if (!file.admits(0, this.#now())) return this.#stopped(id, file)
    if (request.type === REQUEST.FSTAT) {
      return this.#stream(id, { kind: 'look', answer: REPLY.ATTRS, file }, file, packet)
    }
    if (!this.#may(id, file, operation, file.directory)) return
    this.#stream(id, { kind: 'list', answer: REPLY.NAME, file }, file, packet)
  }

  /** Whatever else may no longer pass, a handle can always be closed. The agent has no name for it from now on. */
  #close({ id, handle }: OnHandle, file: OpenFile, packet: Buffer): void {
    this.#exchange.files.delete(keyOf(handle))
    if (!file.permit.streaming) return this.#originateClose(id, handle, file)
    this.#stream(id, { kind: 'close', answer: null, file }, file, packet)
  }

  #originateClose(id: number, handle: Buffer, file: OpenFile): void {
    this.#exchange.await(id, { kind: 'close', answer: null, file })
    this.#exchange.step({ kind: 'originate', bytes: close(id, handle) })
  }

  #stream(id: number, pending: Pending, file: OpenFile, bytes: Buffer): void {
    this.#exchange.await(id, pending)
    this.#exchange.step({ kind: 'stream', permit: file.permit, bytes })
  }

  #file({ id, handle }: Read | Write | OnHandle, operation: Refusable): OpenFile | null {
    const file = this.#exchange.files.get(keyOf(handle))
    if (file !== undefined) return file
    const because = refusal('protocol.violation', 'the handle is not open')
    this.#exchange.refuse(id, { operation }, because)
    return null
  }

  /** What was opened, and judged, for one thing is not used for another, whatever the server would say. */
  #may(id: number, file: OpenFile, operation: Refusable, may: boolean): boolean {
    if (may) return true
    const because = refusal('target.forbidden', `the handle was not opened for ${operation}`)
    const { path, resolved, flags } = file.opening
    this.#exchange.refuse(id, { operation, path, resolved, flags }, because)
    return false
  }

  /** The handle's outcome has it on record; here each packet only needs its answer. */
  #stopped(id: number, file: OpenFile): void {
    this.#exchange.answer(refusalStatus(id, file.stopped ?? refusal('policy.revoked')))
  }

  #unknown(request: UnknownExtended | { readonly id: number; readonly name: string }): void {
    const name = 'unknown' in request ? request.unknown.toString('utf8') : request.name
    const because = refusal('command.unsupported', 'the extension is not offered')
    this.#exchange.refuse(request.id, { operation: 'extended', about: name.slice(0, LONGEST_SHOWN_NAME) }, because)
  }

  #limits(id: number): void {
    this.#exchange.await(id, { kind: 'limits', answer: REPLY.EXTENDED_REPLY })
    this.#exchange.step({ kind: 'originate', bytes: limits(id) })
  }

  #judged(request: Judged): void {
    const exchange = this.#exchange
    const { home, files } = exchange
    const asked = ask(request, { home, files, order: exchange.settings.order })
    if ('because' in asked) return exchange.refuse(asked.id, asked.facts, asked.because)
    const { files: most } = exchange.settings
    if (asked.answer === REPLY.HANDLE && exchange.live.size >= most) {
      const because = refusal('session.limit', `only ${most} files may be open at once`, 'close some')
      return exchange.refuse(asked.id, asked.facts, because)
    }
    this.#turn = new Turn(asked, exchange.settings.resolves())
    this.#advance(this.#turn)
  }

  #advance(turn: Turn): void {
    const exchange = this.#exchange
    // Where paths lead is only asked when nothing is under way that could change it.
    turn.paused = turn.needsServer && exchange.mutating > 0
    if (turn.paused) return
    const query = turn.query()
    if (query === null) return exchange.step(turn.judgement(exchange.settings.user))
    const id = exchange.freeId()
    const answered = (reply: SftpReply): void => {
      turn.answer(reply)
      turn.paused = true
    }
    const answer = query.kind === 'realpath' ? REPLY.NAME : REPLY.ATTRS
    exchange.await(id, { kind: 'own', answer, answered })
    exchange.step({
      kind: 'originate',
      bytes: query.kind === 'realpath' ? realpath(id, query.path) : lstat(id, query.path),
    })
  }

  #permitted(turn: Turn, judge: Judge, { permit }: Extract<Verdict, { kind: 'permitted' }>): void {
    const exchange = this.#exchange
    const { id, answer, mutates } = turn.asked
    if (judge.streams) {
      const { digests: digest, now } = exchange.settings
      const file = new OpenFile(openingOf(turn.facts()), permit, { digest, now: now() })
      this.#opened.set(judge, file)
      exchange.live.add(file)
      exchange.await(id, { kind: 'open', answer, file, mutates })
    } else {
      exchange.await(id, { kind: 'judged', answer, permit, mutates })
      turn.asked.fills?.volume.spoil(NOTE.copied)
    }
    exchange.step({ kind: 'forward', permit })
  }

  #now(): number {
    return this.#exchange.settings.now()
  }
}

/** Extensions have short names; a long one is cut in the record. */
const LONGEST_SHOWN_NAME = 128

function openingOf({ operation, path, resolved, flags }: Facts): Opening {
  return {
    operation: operation === 'opendir' ? 'opendir' : 'open',
    path: path ?? '',
    resolved: resolved ?? null,
    flags: flags ?? [],
  }
}

function refusableOf(request: SftpRequest): Refusable {
  switch (request.type) {
    case REQUEST.READ:
      return 'read'
    case REQUEST.WRITE:
      return 'write'
    case REQUEST.CLOSE:
      return 'close'
    case REQUEST.FSTAT:
      return 'fstat'
    case REQUEST.READDIR:
      return 'readdir'
    case REQUEST.EXTENDED:
      return request.name === null ? 'extended' : operationOf(request)
    default:
      return operationOf(request)
  }
}
