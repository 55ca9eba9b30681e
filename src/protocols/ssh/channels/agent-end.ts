import type { Refusal } from '../../../gate/refusal.ts'
import type { Recorded } from '../../../stream/recording.ts'
import type { Channel } from './channel.ts'
import type { Stream } from './outgoing.ts'
import { refuseProgram } from './refused-program.ts'

/** The agent's side of a program: its channel, or a line of a shell that Sidegate edits. */
export interface AgentEnd {
  readonly full: boolean
  write(bytes: Buffer, stream: Stream): void
  credit(bytes: number): void
  eof(): void
  /** How it ended, as the host said it. */
  request(name: string, body: Buffer): void
  close(): void
  /** It was refused, or ended before its time; `exited`: how it ended was told already. */
  refuse(because: Refusal, exited: boolean): void
  /** It goes upstream now. */
  begun(): void
  readonly recorded: Recorded
}

/** A channel of the agent's as a program's own. */
export function channelEnd(channel: Channel, terminal: boolean, recorded: Recorded): AgentEnd {
  return {
    get full() {
      return channel.full
    },
    write: (bytes, stream) => channel.write(bytes, stream),
    credit: (bytes) => channel.credit(bytes),
    eof: () => channel.eof(),
    request: (name, body) => channel.request(name, body),
    close: () => channel.close(),
    refuse: (because, exited) => refuseProgram(channel, because, terminal, exited),
    begun() {},
    recorded,
  }
}
