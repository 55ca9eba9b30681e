/** The `sftp` subsystem: accepted as it is, and then judged operation by operation. What was set before it means nothing to it. */
import type { Refusal } from '../../../gate/refusal.ts'
import { refusal } from '../../../gate/refusal.ts'
import type { SymlinkOrder } from '../sftp/names.ts'
import { SftpRelay } from '../sftp/relay.ts'
import type { Channel, ChannelEvents } from './channel.ts'
import { upstreamRefusal } from './failure.ts'
import { readExit } from './exit.ts'
import { bufferOf, fields, type Request } from './messages.ts'
import type { Program, Setting } from './program.ts'
import { refuseProgram } from './refused-program.ts'

/** Requests that wait for those before them: while there are more, the agent sends no more. */
const MOST_BUFFERED = 512 * 1024
const UNKNOWN_STATUS = 255

/** Agents are greeted in OpenSSH's name, so that all of them send SYMLINK's arguments as it does. */
const AGENTS_ORDER: SymlinkOrder = 'target-first'

/** OpenSSH has the arguments of SYMLINK the other way round than the draft that all others follow. */
function symlinkOrder(software: string): SymlinkOrder {
  return software.startsWith('OpenSSH') ? 'target-first' : 'link-first'
}

export class SftpProgram implements Program {
  readonly #setting: Setting
  readonly #agent: Channel
  #relay: SftpRelay | null = null
  #upstream: Channel | null = null
  #unread: Buffer[] = []
  #eof = false
  #exited = false
  #unpaid = { agent: 0, upstream: 0 }
  #over = false

  constructor(setting: Setting, agent: Channel) {
    this.#setting = setting
    this.#agent = agent
  }

  start(): void {
    void this.#begin()
  }

  async #begin(): Promise<void> {
    try {
      const { channels, software } = await this.#setting.upstream()
      const channel = await channels.open('session')
      if (this.#over) return channel.abort()
      this.#run(channel, software)
    } catch (error) {
      const because = upstreamRefusal(error)
      if (because === null) this.#setting.failed(error)
      else this.end(because)
    }
  }

  #run(channel: Channel, software: string): void {
    const { gate, session, config, user } = this.#setting
    this.#upstream = channel
    channel.events = this.#fromUpstream
    channel.request('subsystem', fields('sftp'), (succeeded) => {
      if (!succeeded && !channel.lost) this.end(refusal('upstream.rejected', 'the target offers no sftp'))
    })
    const settings = {
      user,
      order: { agent: AGENTS_ORDER, server: symlinkOrder(software) },
      resolves: () => true,
      files: config.limits.files,
      digests: true,
      now: Date.now,
    }
    this.#relay = new SftpRelay(gate, session, settings, {
      toServer: (bytes) => {
        channel.write(bufferOf(bytes))
        this.#payAgent()
      },
      toAgent: (bytes) => {
        this.#agent.write(bufferOf(bytes))
        this.#payAgent()
      },
      transferred: (transfer, permit) => gate.frame(permit, 0, 'transfer', Buffer.from(JSON.stringify(transfer))),
      violated: (by, violation) => {
        this.#setting.log.info({ by, reason: violation.message }, 'an sftp channel broke its protocol')
        this.end(refusal('protocol.violation', violation.message))
      },
      failed: (error) => this.#setting.failed(error),
    })
    for (const chunk of this.#unread.splice(0)) this.data(chunk)
    this.#passEof()
  }

  readonly #fromUpstream: ChannelEvents = {
    data: (bytes, stream) => {
      if (this.#over) return
      if (stream === 'error') this.#agent.write(bytes, 'error')
      else this.#guarded((relay) => relay.fromServer(bytes))
      this.#unpaid.upstream += bytes.length
      this.#payUpstream()
      this.#payAgent()
    },
    eof: () => this.#agent.eof(),
    request: (request) => this.#requested(request),
    writable: () => this.#payAgent(),
    closed: () => this.#upstreamClosed(),
  }

  data(bytes: Buffer): void {
    if (this.#over) return
    if (this.#relay === null) return void this.#unread.push(bytes)
    this.#unpaid.agent += bytes.length
    this.#guarded((relay) => relay.fromAgent(bytes))
    this.#payAgent()
  }

  #payUpstream(): void {
    if (this.#unpaid.upstream === 0 || this.#agent.full) return
    this.#upstream?.credit(this.#unpaid.upstream)
    this.#unpaid.upstream = 0
  }

  #payAgent(): void {
    const relay = this.#relay
    const upstream = this.#upstream
    if (relay === null || upstream === null || this.#over) return
    this.#passEof()
    if (this.#unpaid.agent === 0 || relay.buffered > MOST_BUFFERED || upstream.full || this.#agent.full) return
    this.#agent.credit(this.#unpaid.agent)
    this.#unpaid.agent = 0
  }

  /** Behind all that was sent before it. */
  #passEof(): void {
    if (this.#eof && this.#relay?.idle === true) this.#upstream?.eof()
  }

  writable(): void {
    this.#payUpstream()
    this.#payAgent()
  }

  eof(): void {
    this.#eof = true
    this.#passEof()
  }

  #requested({ name, wantReply, body }: Request): void {
    if (wantReply) this.#upstream?.reply(false)
    if (this.#over || this.#exited || readExit(name, body) === null) return
    this.#exited = true
    this.#agent.request(name, body)
  }

  #upstreamClosed(): void {
    if (this.#over) return
    if (this.#upstream?.lost === true) {
      return this.end(refusal('upstream.unavailable', 'the connection to the target was lost'))
    }
    this.#finish()
    if (!this.#exited) this.#agent.request('exit-status', fields(UNKNOWN_STATUS))
    this.#agent.close()
  }

  end(because: Refusal): void {
    if (this.#over) return
    this.#finish()
    refuseProgram(this.#agent, because, false, this.#exited)
    this.#upstream?.abort()
  }

  leaving(): void {
    this.left()
    this.#agent.close()
  }

  left(): void {
    if (this.#over) return
    this.#finish()
    this.#upstream?.close()
  }

  #finish(): void {
    this.#over = true
    this.#unread = []
    try {
      this.#relay?.end()
    } catch (error) {
      this.#setting.failed(error)
    }
  }

  #guarded(pass: (relay: SftpRelay) => void): void {
    try {
      if (this.#relay !== null) pass(this.#relay)
    } catch (error) {
      this.#setting.failed(error)
    }
  }

  resized(): void {}
  unread(): void {}
  signalled(): boolean {
    return false
  }
}
