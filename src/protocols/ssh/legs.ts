/**
 * The two legs of a connection. The sidecar is a server of SSH to the agent and a client of SSH to the upstream host; nothing
 * is spliced, and the legs share neither a key nor a host's identity.
 */
import type { Client, Connection as ServerConnection } from 'ssh2'
import type { Principal } from '../../gate/principal.ts'
import type { Refusal } from '../../gate/refusal.ts'

/** What an agent may ask for besides running commands, in the words of OpenSSH's certificates. */
export type Permission = 'permit-pty' | 'permit-port-forwarding' | 'permit-agent-forwarding' | 'permit-X11-forwarding'

/** What the authority that certified an agent leaves it, before any policy is asked. What is not permitted is absent. */
export interface Restriction {
  /** Runs in place of whatever the agent asks for, a shell and sftp included. */
  readonly forcedCommand: string | null
  readonly permits: ReadonlySet<Permission>
}

/** An agent that has proven who it is. */
export interface Proven {
  readonly principal: Principal
  /** The login name that it gave: a claim, by which the upstream login is chosen. */
  readonly user: string
  readonly method: 'none' | 'password' | 'key' | 'certificate'
  /** What the session's record says of the proof: a key's fingerprint, a certificate's serial and key id. Never a secret. */
  readonly attributes: Readonly<Record<string, string>>
  /** Only with a certificate; who proves itself otherwise is restricted by policy alone. */
  readonly restriction?: Restriction
}

export interface AgentLeg {
  /**
   * Authenticated; its `session`, `tcpip` and other events have no listeners yet, and none was lost: what the agent opened
   * and asked for meanwhile comes one turn after the first of them (or `handshake`) has a listener. Attach all in one go.
   */
  readonly client: ServerConnection
  readonly proven: Proven
  /** The agent's greeting after `SSH-2.0-`. */
  readonly software: string
}

export type AcceptedAgent =
  | { readonly kind: 'session'; readonly leg: AgentLeg }
  /** It was told, and the connection ends. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** It left, or spoke something else, before it was authenticated. */
  | { readonly kind: 'lost'; readonly error: Error }

export interface UpstreamLeg {
  /** Authenticated, and verified to be the host. */
  readonly client: Client
  /** The login name upstream. */
  readonly user: string
  /** The host's greeting after `SSH-2.0-`. */
  readonly software: string
  /** The fingerprint of the host's key, and how it is known. */
  readonly host: { readonly fingerprint: string; readonly by: 'key' | 'known-hosts' | 'authority' }
}

/** Why there is no upstream leg. Its code is `upstream.unavailable`, `upstream.untrusted` or `upstream.rejected`; an agent may read the message. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly refusal: Refusal

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options)
    this.refusal = refusal
  }
}
