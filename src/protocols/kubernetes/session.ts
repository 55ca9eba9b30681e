/** One agent connection: TLS, then requests, each of which takes the one path by itself. */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { KubernetesTargetConfig } from '../../config/targets/kubernetes.ts'
import type { Principal } from '../../gate/principal.ts'
import { type Refusal, type RefusalCode, refusal, REFUSALS } from '../../gate/refusal.ts'
import { context, type Session } from '../../gate/session.ts'
import type { Connection } from '../../net/connection.ts'
import type { TokenVerifier, Wiring } from '../protocol.ts'
import type { Commands } from './commands.ts'
import { bearerOf, type Headers } from './transport/headers.ts'
import type { Upstream } from './upstream.ts'

/** What all connections of a target share. */
export interface Shared {
  readonly config: KubernetesTargetConfig
  readonly wiring: Wiring
  readonly upstream: Upstream
  readonly commands: Commands
  /** Null where agents prove nothing. */
  readonly verifier: TokenVerifier | null
  /** Requests under way, of all connections. */
  running: number
}

/** Ends what runs, for a reason that the agent is told. */
export type Stop = (because: Refusal) => void

interface Proven {
  readonly session: Session
  /** When the proof ends, in milliseconds since 1970. */
  readonly until: number
}

/** Tokens that one connection may present: clients renew theirs, and do not try many. */
const TOKENS = 16

export class Conversation {
  readonly shared: Shared
  readonly connection: Connection
  readonly log: Logger
  /** By the token that proved them, or by nothing. */
  readonly #sessions = new Map<string, Proven>()
  readonly #running = new Map<object, { readonly session: Session; readonly stop: Stop }>()
  #over = false

  constructor(connection: Connection, shared: Shared) {
    this.connection = connection
    this.shared = shared
    this.log = shared.wiring.log
  }

  /** The session of whoever sends these headers, or why there is none. */
  async session(headers: Headers): Promise<Session | Refusal> {
    const token = this.shared.verifier === null ? '' : (bearerOf(headers) ?? '')
    const known = this.#sessions.get(token)
    if (known !== undefined && known.until > Date.now()) return known.session
    try {
      if (known === undefined && this.#sessions.size >= TOKENS) return refusal('session.limit')
      const proven = this.#open(await this.#principal(token))
      if (known !== undefined) this.shared.wiring.gate.close(known.session, 'the token was proven anew')
      this.#sessions.set(token, proven)
      return proven.session
    } catch (error) {
      return refusalFor(error)
    }
  }

  /** Remembers what runs, so that it ends with the session. Returns how to forget it. */
  track(session: Session, stop: Stop): () => void {
    const key = {}
    this.#running.set(key, { session, stop })
    return () => this.#running.delete(key)
  }

  /** The connection is over. */
  close(): void {
    if (this.#over) return
    this.#over = true
    for (const { session } of this.#sessions.values()) this.shared.wiring.gate.close(session, 'closed')
  }

  async #principal(token: string): Promise<Principal> {
    const { verifier, wiring } = this.shared
    return verifier === null ? wiring.identities.workload(wiring.workload) : await verifier.verify(token)
  }

  #open(principal: Principal): Proven {
    const { wiring } = this.shared
    const { peer } = this.connection
    const of = context(principal, wiring.workload, wiring.identity)
    const session = wiring.gate.open(of, { client: `${peer.address}:${peer.port}` }, (because) =>
      this.#end(session, because),
    )
    const { exp } = principal.claims
    return { session, until: typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY }
  }

  /** An operator ended the session: everything of it that runs is told, and the connection closes. */
  #end(ended: Session, because: Refusal): void {
    for (const { session, stop } of this.#running.values()) if (session === ended) stop(because)
    this.connection.socket.end()
  }
}

export function newAuditId(): string {
  return randomUUID()
}

function refusalFor(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string' || !(code in REFUSALS)) return refusal('identity.invalid')
  const message = error instanceof Error && code.startsWith('identity.') ? error.message : REFUSALS[code as RefusalCode]
  return refusal(code as RefusalCode, message, code.startsWith('identity.') ? 'present a token that is valid' : '')
}
