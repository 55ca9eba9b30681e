/** The server's side: each reply to the request that it answers, and on to the agent. */
import { refusal } from '../../../gate/refusal.ts'
import type { Exchange, Pending } from './exchange.ts'
import { PacketReader } from './framing.ts'
import { keyOf, type OpenFile } from './handles.ts'
import { LOGIN_DIRECTORY, realpath } from './origination.ts'
import { offers } from './packets/extensions.ts'
import {
  decodeReply,
  decodeVersion,
  encodeReply,
  encodeVersion,
  type ExtendedReply,
  type Handle,
  type SftpReply,
} from './packets/replies.ts'
import type { Pairs } from './packets/requests.ts'
import { LARGEST_CONTENT, LARGEST_PACKET, REPLY, REPLY_TABLE, STATUS, VERSION_3 } from './packets/types.ts'
import { ProtocolViolation } from './packets/violation.ts'
import { refusalStatus } from './refusal.ts'
import { realpathOf } from './resolution.ts'
import { NOTE } from './transfer.ts'

export class ServerSide {
  readonly #exchange: Exchange
  readonly #reader = new PacketReader(REPLY_TABLE)
  #offered: Pairs = []

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  receive(chunk: Buffer): void {
    this.#reader.feed(chunk)
    for (let packet = this.#reader.next(); packet !== null; packet = this.#reader.next()) {
      if (this.#exchange.phase === 'version') this.#version(packet)
      else this.#packet(packet)
    }
  }

  #version(packet: Buffer): void {
    const exchange = this.#exchange
    const { version, extensions } = decodeVersion(packet)
    if (version !== VERSION_3) throw new ProtocolViolation('VERSION', `version ${version}, and only 3 is inspected`)
    this.#offered = extensions.filter(([bytes, data]) => {
      const name = bytes.toString('latin1')
      if (!offers(name, data.toString('latin1'))) return false
      exchange.extensions.add(name)
      return true
    })
    exchange.phase = 'login'
    const id = exchange.freeId()
    exchange.await(id, { kind: 'own', answer: REPLY.NAME, answered: (reply) => this.#login(reply) })
    exchange.step({ kind: 'originate', bytes: realpath(id, LOGIN_DIRECTORY) })
  }

  /** The agent is welcome once it is known where its relative paths begin. */
  #login(reply: SftpReply): void {
    this.#exchange.home = realpathOf(reply)
    this.#exchange.phase = 'ready'
    this.#exchange.answer(encodeVersion(VERSION_3, this.#offered))
  }

  #packet(packet: Buffer): void {
    const reply = decodeReply(packet)
    const pending = this.#exchange.pending.get(reply.id)
    if (pending === undefined)
      throw new ProtocolViolation('the server', `an answer to ${reply.id}, which was not asked`)
    if (reply.type !== REPLY.STATUS && reply.type !== pending.answer) {
      throw new ProtocolViolation('the server', `${REPLY_TABLE.names[reply.type]} is no answer to the request`)
    }
    this.#exchange.answered(reply.id)
    if (pending.kind === 'own') return pending.answered(reply)
    this.#exchange.answer(this.#take(pending, reply, packet))
    if ('file' in pending) this.#exchange.finishIfOver(pending.file)
  }

  /** What the agent is sent of an answer. */
  #take(pending: Exclude<Pending, { kind: 'own' }>, reply: SftpReply, packet: Buffer): Buffer {
    switch (pending.kind) {
      case 'judged':
        this.#exchange.settleStatus(pending.permit, codeOf(reply))
        return packet
      case 'open':
        return this.#opened(pending, reply, packet)
      case 'read':
        return this.#read(pending, reply, packet)
      case 'write':
        this.#wrote(pending, codeOf(reply))
        return packet
      case 'list':
        return this.#listed(pending, reply, packet)
      case 'look':
        return packet
      case 'close':
        pending.file.closed = codeOf(reply)
        return packet
      case 'limits':
        return reply.type === REPLY.EXTENDED_REPLY ? ownLimits(reply, this.#exchange.settings.files) : packet
    }
  }

  #opened({ file }: Extract<Pending, { kind: 'open' }>, reply: SftpReply, packet: Buffer): Buffer {
    const exchange = this.#exchange
    if (reply.type === REPLY.HANDLE) this.#name(reply, file)
    else {
      exchange.live.delete(file)
      exchange.settleStatus(file.permit, codeOf(reply))
      if (codeOf(reply) === STATUS.OK) throw new ProtocolViolation('the server', 'success without a handle')
    }
    return packet
  }

  /** A file is known by its handle from here on. */
  #name({ handle }: Handle, file: OpenFile): void {
    const key = keyOf(handle)
    if (this.#exchange.files.has(key)) throw new ProtocolViolation('HANDLE', 'the handle is of another open file')
    this.#exchange.files.set(key, file)
  }

  #read({ file, offset, length }: Extract<Pending, { kind: 'read' }>, reply: SftpReply, packet: Buffer): Buffer {
    if (reply.type !== REPLY.DATA) return packet
    const { data } = reply
    if (data.length > length) throw new ProtocolViolation('DATA', `${data.length} bytes, and ${length} were asked for`)
    if (!file.admits(data.length, this.#exchange.settings.now())) return this.#stopped(reply.id, file)
    file.volume.read += data.length
    file.volume.pass('read', offset, data)
    return packet
  }

  #wrote({ file, length }: Extract<Pending, { kind: 'write' }>, code: number): void {
    file.volume.unanswered -= length
    if (code === STATUS.OK) file.volume.written += length
    else file.volume.spoil(NOTE.failed)
  }

  #listed({ file }: { readonly file: OpenFile }, reply: SftpReply, packet: Buffer) {
    if (reply.type !== REPLY.NAME) return packet
    if (!file.admits(packet.length, this.#exchange.settings.now())) return this.#stopped(reply.id, file)
    file.volume.read += packet.length
    return packet
  }

  #stopped(id: number, file: OpenFile): Buffer {
    return refusalStatus(id, file.stopped ?? refusal('policy.revoked'))
  }
}

/** Of an answer that is no STATUS, success. */
function codeOf(reply: SftpReply): number {
  return reply.type === REPLY.STATUS ? reply.code : STATUS.OK
}

/** The server's limits where they are lower than what is let through; 0 is none. */
function ownLimits(reply: ExtendedReply, files: number): Buffer {
  const limits = [LARGEST_PACKET, LARGEST_CONTENT, LARGEST_CONTENT, files]
  if (reply.body.length < limits.length * 8)
    throw new ProtocolViolation('limits@openssh.com', 'four numbers are expected')
  const body = Buffer.alloc(limits.length * 8)
  for (const [index, own] of limits.entries()) {
    const theirs = reply.body.readBigUInt64BE(index * 8)
    const lower = theirs === 0n || theirs > BigInt(own) ? BigInt(own) : theirs
    body.writeBigUInt64BE(lower, index * 8)
  }
  return encodeReply({ ...reply, body })
}
