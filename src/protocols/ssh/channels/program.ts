/** What runs on a session channel, one for each channel, and what it stands in. */
import type { Logger } from 'pino'
import type { SshTargetConfig } from '../../../config/schema.ts'
import type { Gate } from '../../../gate/gate.ts'
import type { Refusal } from '../../../gate/refusal.ts'
import type { Session } from '../../../gate/session.ts'
import type { Commands } from '../commands.ts'
import type { Forwarding, UpstreamSide } from '../forwards/forwarding.ts'
import type { Channel } from './channel.ts'

/** The upstream leg, as programs see it. */
export interface Upstream extends UpstreamSide {
  /** The host's greeting after `SSH-2.0-`. */
  readonly software: string
}

/** What all channels of one connection share. */
export interface Setting {
  readonly gate: Gate
  readonly session: Session
  readonly log: Logger
  readonly config: SshTargetConfig
  /** The login name upstream. */
  readonly user: string
  readonly commands: Commands
  /** What runs in place of whatever the agent asks for, where its certificate says so. */
  readonly forcedCommand: string | null
  /** The leg to the host, which is dialled where there is none. Fails with an {@link UpstreamError}. */
  upstream(): Promise<Upstream>
  readonly forwarding: Forwarding
  /** The journal failed, or Sidegate did: the connection has to end. */
  failed(error: unknown): void
}

/** A terminal's size, as `pty-req` and `window-change` give it: in characters, then in pixels. */
export interface Size {
  readonly columns: number
  readonly rows: number
  readonly width: number
  readonly height: number
}

/** A permitted request of the agent's that goes before the program. */
export interface Setup {
  /** The request's. */
  readonly name: string
  /** Sends it upstream, on the program's channel; the record of it has to be durable. A variable may go to more than one. */
  send(upstream: Channel): void
  /** The agent's channel is over, or never came to a program. Safe to repeat. */
  release(): void
}

/** What the agent has set on a channel before the program. */
export interface Prepared {
  readonly setups: readonly Setup[]
  /** Null without a terminal. */
  readonly terminal: { readonly name: string; readonly size: Size } | null
}

export interface Program {
  /** Judges it, and runs it where it may. */
  start(): void
  /** What the agent sent; its window is given back by the program. */
  data(bytes: Buffer): void
  eof(): void
  /** The agent reads again. */
  writable(): void
  resized(size: Size): void
  /** Named without SIG. False: it does not run. */
  signalled(name: string): boolean
  /** The agent reads no more of the output (`eow@openssh.com`). */
  unread(): void
  /** It has to end, and the agent is told why. */
  end(because: Refusal): void
  /** The agent has closed its side, and takes nothing more but how it ended. Its channel is closed in the end. */
  leaving(): void
  /** The agent's channel is gone. */
  left(): void
}
