/**
 * The seam between a line-gated shell and the session that gives it a channel: the shell edits lines and keeps what
 * outlasts them; the session judges each line as a Command of its own, runs it, and records.
 */
import type { Readable, Writable } from 'node:stream'
import type { Refusal } from '../../../gate/refusal.ts'

/** What a channel with a terminal says of it (`pty-req`); 0 is not known. */
export interface Terminal {
  readonly name: string
  readonly columns: number
  readonly rows: number
}

export interface ShellSettings {
  /** The login name upstream, and the target's name, for the prompt. */
  readonly user: string
  readonly target: string
  /** Null without a terminal: then there is no echo and no prompt, and the input is a script. */
  readonly terminal: Terminal | null
  /** Bytes of a line; `limits.command`. */
  readonly command: number
}

/** What keys send, as RFC 4254, section 6.10, names it. */
export type KeySignal = 'INT' | 'QUIT'

/** One line that runs: what its upstream exec is plugged into. */
export interface Running {
  /** What the agent types for it. Ends with ^D, and at once where there is no terminal. */
  readonly input: Readable
  /** Where it writes; both keep back while the agent does not read. Their end is not the shell's. */
  readonly output: Writable
  readonly error: Writable
  /** The decision is made and the exec goes upstream: from now on what is typed is the command's. */
  begun(): void
  /** ^C, and what the agent asks for, to be sent upstream as a `signal` request. */
  onSignal(listener: (name: string) => void): void
  /** Aborts when the line has to end: a hold is withdrawn, the upstream channel is closed. `run` then settles soon. */
  readonly signal: AbortSignal
}

/** What became of a line. */
export type LineEnd =
  | { readonly status: number }
  /** Ended by a signal, named as in `exit-signal`: without SIG. */
  | { readonly signal: string }
  /** Not run, or stopped by an obligation. The shell tells the agent. */
  | { readonly refused: Refusal }

/** What the session does for the shell. */
export interface ShellHost {
  /**
   * Judges the line, exactly as it is given here, as one Command (`exec` of mode `line-gated`), and runs it without a
   * terminal where that is permitted. Settles when its output has been written to `running`. While people are asked it
   * may say so on `running.error`. Rejects only where the connection has to end.
   */
  run(line: string, running: Running): Promise<LineEnd>
  /** To the agent. False: it is slow, and nothing more should come until `drained` was called. */
  output(bytes: Buffer): boolean
  /** To the agent's standard error; never called where there is a terminal. */
  error(bytes: Buffer): boolean
  /** `typed` said false, and may be called again. */
  resume(): void
}

/** The shell, as the session uses it. */
export interface Shell {
  /** Greets, and serves until the agent leaves. The channel's exit status. Rejects as `run` does. Called once. */
  serve(): Promise<number>
  /** What the agent sent. False: no more of it, until `resume`. */
  typed(chunk: Buffer): boolean
  /** The agent sends nothing more: what it entered still runs. */
  ended(): void
  /** The agent reads again, after `output` or `error` said false. */
  drained(): void
  resized(columns: number, rows: number): void
  /** A `signal` request of the agent's, named without SIG. */
  signalled(name: string): void
  /** Ends it now: policy's change, an operator's end, a limit (the agent is told why), or null: the channel is gone. */
  end(because: Refusal | null): void
}
