import type { Socket } from 'node:net'

/** An accepted connection. Nothing has been read from it yet, and it is paused. */
export interface Connection {
  readonly socket: Socket
  /** Where the agent meant to go: the listener's own address in explicit mode. */
  readonly destination: { readonly address: string; readonly port: number }
  readonly peer: { readonly address: string; readonly port: number }
  /** The peer is on this host's loopback. */
  readonly local: boolean
  /** Aborts when the sidecar wants the session to end (shutdown, kill switch). */
  readonly signal: AbortSignal
}
