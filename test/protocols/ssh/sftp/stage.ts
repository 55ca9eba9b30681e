/** A relay between an agent that the test plays and a server that it simulates, over the real gate. */
import type { Command } from '../../../../src/gate/command.ts'
import type { Decision } from '../../../../src/gate/decision.ts'
import { Gate } from '../../../../src/gate/gate.ts'
import type { Question } from '../../../../src/gate/ports.ts'
import type { Settings } from '../../../../src/protocols/ssh/sftp/exchange.ts'
import { PacketReader } from '../../../../src/protocols/ssh/sftp/framing.ts'
import {
  decodeReply,
  decodeVersion,
  encodeReply,
  encodeVersion,
  type SftpReply,
} from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import {
  decodeInit,
  decodeRequest,
  encodeInit,
  encodeRequest,
  type Pairs,
  type SftpRequest,
} from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { REPLY_TABLE, REQUEST_TABLE } from '../../../../src/protocols/ssh/sftp/packets/types.ts'
import { SftpRelay } from '../../../../src/protocols/ssh/sftp/relay.ts'
import type { Transfer } from '../../../../src/protocols/ssh/sftp/transfer.ts'
import { ALLOW, CONTEXT, FakeApproval, FakePolicy, FakeRecord } from '../../../support/fakes.ts'

export const HOME = '/home/agent'

export const SETTINGS: Settings = {
  user: 'agent',
  order: { agent: 'target-first', server: 'target-first' },
  resolves: () => true,
  files: 64,
  digests: true,
  now: Date.now,
}

const EVERY_EXTENSION = [
  ['posix-rename@openssh.com', '1'],
  ['statvfs@openssh.com', '2'],
  ['fstatvfs@openssh.com', '2'],
  ['hardlink@openssh.com', '1'],
  ['fsync@openssh.com', '1'],
  ['lsetstat@openssh.com', '1'],
  ['limits@openssh.com', '1'],
  ['expand-path@openssh.com', '1'],
  ['copy-data', '1'],
  ['home-directory', '1'],
  ['users-groups-by-id@openssh.com', '1'],
] as const

export const pairsOf = (pairs: readonly (readonly [string, string])[]): Pairs =>
  pairs.map(([name, version]) => [Buffer.from(name), Buffer.from(version)] as const)

export const OK = (id: number, code = 0): SftpReply => ({
  type: 101,
  id,
  code,
  text: { message: Buffer.alloc(0), language: Buffer.alloc(0) },
})
export const nameOf = (id: number, path: string): SftpReply => ({
  type: 104,
  id,
  entries: [{ name: Buffer.from(path), long: Buffer.from(path), attributes: {} }],
})

export class Stage {
  readonly policy: FakePolicy
  readonly record = new FakeRecord()
  readonly approval = new FakeApproval()
  readonly relay: SftpRelay
  /** What the server got and the agent got, since they were last looked at. */
  readonly received: SftpRequest[] = []
  readonly replies: SftpReply[] = []
  readonly transfers: Transfer[] = []
  readonly violations: string[] = []
  readonly failures: unknown[] = []
  /** VERSION as the agent sees it. */
  offered: Pairs | null = null
  readonly #fromRelay = new PacketReader(REQUEST_TABLE)
  readonly #toAgent = new PacketReader(REPLY_TABLE)
  #greeted = false

  constructor(rule: (question: Question) => Decision = () => ALLOW, settings: Partial<Settings> = {}) {
    this.policy = new FakePolicy(rule)
    this.record.automatic = false
    const gate = new Gate(this.policy, this.record, this.approval)
    this.relay = new SftpRelay(
      gate,
      gate.open(CONTEXT),
      { ...SETTINGS, ...settings },
      {
        toServer: (bytes) => this.#server(Buffer.from(bytes)),
        toAgent: (bytes) => this.#agent(Buffer.from(bytes)),
        transferred: (transfer) => this.transfers.push(transfer),
        violated: (by, violation) => this.violations.push(`${by}: ${violation.message}`),
        failed: (error) => this.failures.push(error),
      },
    )
  }

  /** INIT to VERSION, with every extension that is inspected and what more the test says. */
  begin(home: string | null = HOME, more: readonly (readonly [string, string])[] = []): this {
    this.bytes(encodeInit(3))
    this.fromServer(encodeVersion(3, pairsOf([...EVERY_EXTENSION, ...more])))
    const [login] = this.received.splice(0)
    if (login === undefined) throw new Error('the login directory was not asked for')
    this.reply(home === null ? OK(login.id, 4) : nameOf(login.id, home))
    return this
  }

  bytes(chunk: Buffer): void {
    this.relay.fromAgent(Buffer.from(chunk))
    this.record.flush()
  }

  fromServer(chunk: Buffer): void {
    this.relay.fromServer(Buffer.from(chunk))
    this.record.flush()
  }

  send(...requests: SftpRequest[]): void {
    this.bytes(Buffer.concat(requests.map(encodeRequest)))
  }

  reply(...replies: SftpReply[]): void {
    this.fromServer(Buffer.concat(replies.map(encodeReply)))
  }

  /** What the server has got; REALPATH and LSTAT that come before it are answered as given, the path itself by default. */
  got(resolve: (path: string) => string | null = (path) => path): SftpRequest[] {
    const real: SftpRequest[] = []
    for (;;) {
      const request = this.received.shift()
      if (request === undefined) return real
      const own = (request.type === 16 || request.type === 7) && request.id > 0xffff_0000
      if (!own) real.push(request)
      else {
        const path = resolve(request.path.toString())
        this.reply(path === null ? OK(request.id, 2) : nameOf(request.id, path))
      }
    }
  }

  /** Sends one request and takes what the server gets of it. */
  one(request: SftpRequest, resolve?: (path: string) => string | null): SftpRequest | undefined {
    this.send(request)
    return this.got(resolve).at(-1)
  }

  /** Opens a file for the agent. */
  open(id: number, path: string, pflags: number, handle: string): void {
    this.one({ type: 3, id, path: Buffer.from(path), pflags, attributes: {} })
    this.reply({ type: 102, id, handle: Buffer.from(handle) })
    this.replies.pop()
  }

  get commands(): Command[] {
    return this.policy.questions.map(({ command }) => command)
  }

  get lastDetail() {
    return this.commands.at(-1)?.shape.detail
  }

  #server(bytes: Buffer): void {
    this.#fromRelay.feed(bytes)
    for (let packet = this.#fromRelay.next(); packet !== null; packet = this.#fromRelay.next()) {
      if (this.#greeted) this.received.push(decodeRequest(packet))
      else this.#greeted = decodeInit(packet).version === 3
    }
  }

  #agent(bytes: Buffer): void {
    this.#toAgent.feed(bytes)
    for (let packet = this.#toAgent.next(); packet !== null; packet = this.#toAgent.next()) {
      if (this.offered === null) this.offered = decodeVersion(packet).extensions
      else this.replies.push(decodeReply(packet))
    }
  }
}

export function messageOf(reply: SftpReply | undefined): string {
  return reply?.type === 101 ? `${reply.code} ${reply.text?.message.toString() ?? ''}` : 'no STATUS'
}
