/**
 * A program upstream: an exec, a recorded shell, a subsystem that policy lets through as opaque.
 *
 *     judged ─▶ (held) ─▶ on record ─▶ the channel upstream is open ─▶ env, pty-req, exec ─▶ data both ways ─▶ settled
 *
 * The agent's channel is read from the start and its window given back only by what the host has taken, so nothing that comes
 * early is lost and nothing piles up. Whoever ends it (the host, the agent, policy, a limit, an operator), it is settled once.
 */
import type { Command } from '../../../gate/command.ts'
import type { Permit, Verdict } from '../../../gate/gate.ts'
import type { OutcomeStatus } from '../../../gate/ports.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { Allowance } from '../../../stream/allowance.ts'
import { recorded } from '../../../stream/journal.ts'
import { Recording } from '../../../stream/recording.ts'
import type { AgentEnd } from './agent-end.ts'
import type { Channel, ChannelEvents } from './channel.ts'
import { failureRefusal, upstreamRefusal } from './failure.ts'
import { fields, type Request } from './messages.ts'
import { Holding } from './holding.ts'
import type { Prepared, Program, Setting, Size } from './program.ts'
import { ProgramFlow } from './program-flow.ts'
import { type Exit, readExit } from './exit.ts'
import { writeSize } from './terminal.ts'

export interface Asked {
  readonly request: 'exec' | 'shell' | 'subsystem'
  readonly command: Command
  /** The command line, or the subsystem's name, as it goes upstream; empty for a shell. */
  readonly bytes: Buffer
}

/** What ssh itself says of a program of which nobody knows how it ended. */
const UNKNOWN_STATUS = 255

export class UpstreamProgram implements Program {
  readonly #setting: Setting
  readonly #agent: AgentEnd
  readonly #prepared: Prepared
  readonly #asked: Asked
  readonly #holding: Holding
  /** What the agent sent before there was anybody to take it; never more than its window. */
  #unread: Buffer[] = []
  #ended = false
  #permit: Permit | null = null
  #upstream: Channel | null = null
  #recording: Recording | null = null
  #flow: ProgramFlow | null = null
  #exit: Exit | null = null
  #eow = false
  #over = false

  constructor(setting: Setting, agent: AgentEnd, prepared: Prepared, asked: Asked) {
    this.#setting = setting
    this.#agent = agent
    this.#prepared = prepared
    this.#asked = asked
    this.#holding = new Holding(agent, prepared.terminal !== null)
  }

  start(): void {
    const { command, bytes } = this.#asked
    this.#holding.rule(this.#setting, {
      command,
      bytes,
      ruled: (verdict) => this.#ruled(verdict),
      failed: (error) => this.#failed(error),
      revoked: (because) => this.#stop(because, 'refused'),
    })
  }

  #ruled(verdict: Verdict): void {
    if (verdict.kind === 'refused') return this.#over ? undefined : this.#stop(verdict.refusal, 'skipped')
    this.#permit = verdict.permit
    if (this.#over) return this.#settle('skipped', '')
    this.#recording = new Recording(this.#setting.gate, verdict.permit, this.#agent.recorded)
    void this.#begin(verdict.permit, this.#recording)
  }

  async #begin(permit: Permit, recording: Recording): Promise<void> {
    const opening = this.#open()
    // It may fail before anybody waits for it.
    opening.catch(() => {})
    try {
      await recorded(this.#setting.gate)
      const channel = await opening
      if (this.#over) return channel.abort()
      this.#run(permit, recording, channel)
    } catch (error) {
      opening.then((channel) => channel.abort()).catch(() => {})
      const because = upstreamRefusal(error)
      if (because === null) this.#failed(error)
      else this.#stop(because, 'skipped')
    }
  }

  async #open(): Promise<Channel> {
    const { channels } = await this.#setting.upstream()
    const channel = await channels.open('session')
    channel.events = this.#fromUpstream
    return channel
  }

  #run(permit: Permit, recording: Recording, channel: Channel): void {
    this.#upstream = channel
    this.#agent.begun()
    for (const setup of this.#prepared.setups) setup.send(channel)
    const bytes = permit.take()
    const { request } = this.#asked
    channel.request(request, request === 'shell' ? Buffer.alloc(0) : fields(bytes), (succeeded) => {
      if (!succeeded && !channel.lost)
        this.#stop(refusal('upstream.rejected', `the target did not accept the ${request} request`), 'failed')
    })
    const exhausted = (because: Refusal) => this.#stop(because, 'refused')
    this.#flow = new ProgramFlow({
      agent: this.#agent,
      upstream: channel,
      permit,
      recording,
      allowance: new Allowance(permit, exhausted),
      exhausted,
      failed: (error) => this.#failed(error),
    })
    this.#guarded(() => {
      const { terminal } = this.#prepared
      if (terminal !== null) recording.resized(terminal.size.columns, terminal.size.rows)
    })
    const unread = this.#unread
    this.#unread = []
    for (const chunk of unread) this.data(chunk)
    if (this.#ended && !this.#over) channel.eof()
    if (this.#eow) this.unread()
  }

  readonly #fromUpstream: ChannelEvents = {
    data: (bytes, stream) => this.#flow?.output(bytes, stream),
    eof: () => this.#agent.eof(),
    request: (request) => this.#requested(request),
    writable: () => this.#flow?.payAgent(),
    closed: () => this.#upstreamClosed(),
  }

  data(bytes: Buffer): void {
    if (this.#over) return
    if (this.#flow === null) this.#unread.push(bytes)
    else this.#flow.input(bytes)
  }

  writable(): void {
    this.#flow?.payUpstream()
  }

  eof(): void {
    this.#ended = true
    if (!this.#over) this.#upstream?.eof()
  }

  resized(size: Size): void {
    if (this.#over || this.#upstream === null) return
    this.#upstream.request('window-change', writeSize(size))
    this.#guarded(() => this.#recording?.resized(size.columns, size.rows))
  }

  signalled(name: string): boolean {
    if (this.#over || this.#upstream === null) return false
    this.#upstream.request('signal', fields(name))
    this.#guarded(() => this.#recording?.signalled(name))
    return true
  }

  unread(): void {
    this.#eow = true
    if (!this.#over) this.#upstream?.request(EOW, Buffer.alloc(0))
  }

  #requested({ name, wantReply, body }: Request): void {
    if (wantReply) this.#upstream?.reply(false)
    if (this.#over) return
    if (name === EOW) return this.#agent.request(EOW, body)
    const exit = this.#exit === null ? readExit(name, body) : null
    if (exit === null) return
    this.#exit = exit
    // In its place behind all that was written, on both streams.
    this.#agent.request(name, body)
  }

  #upstreamClosed(): void {
    const lost = this.#upstream?.lost ?? true
    if (this.#over) return
    if (lost && this.#exit === null) {
      return this.#stop(refusal('upstream.unavailable', 'the connection to the target was lost'), 'lost')
    }
    const told = this.#exit !== null
    this.#finish()
    if (!told) this.#agent.request('exit-status', fields(UNKNOWN_STATUS))
    this.#agent.close()
  }

  /** The host is told, behind all that the agent had sent before it left; how it ends is still told to the agent. */
  leaving(): void {
    if (this.#over) return
    if (this.#upstream !== null) return this.#upstream.close()
    this.left()
    this.#agent.close()
  }

  left(): void {
    if (this.#over) return
    this.#holding.withdraw()
    this.#upstream?.close()
    this.#finish('cancelled')
  }

  end(because: Refusal): void {
    this.#stop(because, 'cancelled')
  }

  /** Ends it before its time: the agent reads why, and what runs upstream is killed. */
  #stop(because: Refusal, status: OutcomeStatus): void {
    if (this.#over) return
    this.#holding.withdraw()
    this.#finish(status, because.code)
    this.#agent.refuse(because, this.#exit !== null)
    this.#upstream?.request('signal', fields('KILL'))
    this.#upstream?.abort()
  }

  #finish(status?: OutcomeStatus, code?: string): void {
    if (this.#over) return
    this.#over = true
    this.#unread = []
    this.#flow?.end()
    try {
      this.#recording?.ended(this.#exit)
    } catch (error) {
      this.#setting.failed(error)
    }
    const exit = this.#exit
    if (exit === null) this.#settle(status ?? 'failed', code ?? '')
    else if ('signal' in exit) this.#settle('failed', `SIG${exit.signal}`)
    else this.#settle(exit.status === 0 ? 'completed' : 'failed', String(exit.status))
  }

  #settle(status: OutcomeStatus, code: string): void {
    const bytes = this.#recording?.sent ?? 0
    if (this.#permit !== null) this.#setting.gate.settle(this.#permit, 0, { status, code, rows: 0, bytes, masked: [] })
  }

  /** What cannot be recorded does not go on. */
  #guarded(record: () => void): void {
    try {
      record()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#stop(failureRefusal(error), 'failed')
    this.#setting.failed(error)
  }
}

/** What OpenSSH says when its reader has gone, so that the writer gets SIGPIPE. */
const EOW = 'eow@openssh.com'
