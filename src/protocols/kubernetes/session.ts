/** One agent connection: TLS, then requests, each of which takes the one path by itself. */
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { KubernetesTargetConfig } from '../../config/targets/kubernetes.ts'
import type { Principal } from '../../gate/principal.ts'
import { type Refusal, type RefusalCode, refusal, REFUSALS } from '../../gate/refusal.ts'
import { context, type Session } from '../../gate/session.ts'
import type { Connection } from '../../net/connection.ts'
import type { TokenVerifier, Wiring } from '../protocol.ts'
import type { Commands } from './commands.ts'
import type { RecentRequests } from './request/recent.ts'
import { bearerOf, type Headers } from './transport/headers.ts'
import type { Progress } from './transport/server.ts'
import type { Upstream } from './upstream.ts'
import { type Running, Work } from './work.ts'

/** What all connections of a target share. */
export interface Shared {
  readonly config: KubernetesTargetConfig
  readonly wiring: Wiring
  readonly upstream: Upstream
  readonly commands: Commands
  readonly requests: RecentRequests
  /** Null where agents prove nothing. */
  readonly verifier: TokenVerifier | null
  /** Requests under way, of all connections. */
  running: number
}

/** A session, and how long the proof of who acts in it holds. Milliseconds since 1970. */
interface Proven {
  readonly session: Session
  readonly expiresAt: number
  checkAt: number
  timer: NodeJS.Timeout | null
}

/** Tokens that one connection may present at a time: clients renew theirs, and do not try many. */
const TOKENS = 16
/** A token is verified again after this, so that a key that its issuer withdrew stops working soon. */
const PROOF_LIFE_MS = 60_000
/** Of the clocks of machines; what verifies tokens grants it too. */
const TOLERANCE_MS = 5_000
/** Timers count milliseconds in 31 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** What an agent is told at the end of its session has this long to be sent. */
const LINGER_MS = 2_000
/** What may still end at a shutdown has this long; the sidecar's patience, 10 s, ends without a word. */
const LAST_WORDS_MS = 7_000
/** Of what a client calls itself, as an operator sees it. */
const LONGEST_AGENT = 200

export class Conversation {
  readonly shared: Shared
  readonly connection: Connection
  readonly log: Logger
  /** By the token that proved them, or by nothing. */
  readonly #proven = new Map<string, Proven>()
  readonly #proving = new Map<string, Promise<Session | Refusal>>()
  /** Sessions whose proof is over, with why, while something of theirs may still be under way. */
  readonly #leaving = new Map<Session, string>()
  readonly #work = new Work(() => this.#rest())
  /** Nothing more is read from it. */
  #ending = false
  /** Why no request is served any more, whoever's; null while they are. */
  #leavingFor: Refusal | null = null
  #lastWords: NodeJS.Timeout | null = null
  #linger: NodeJS.Timeout | null = null
  #over = false
  /** Ends the connection once what was written is sent. */
  #finish = (): void => void this.connection.socket.end()

  constructor(connection: Connection, shared: Shared) {
    this.connection = connection
    this.shared = shared
    this.log = shared.wiring.log
  }

  /** TLS stands; what ends the connection from here on says so within it. */
  secured(end: () => void): void {
    this.#finish = end
  }

  /** A request began. Resolves at its turn, null at once. */
  enter(response: ServerResponse): Promise<void> | null {
    return this.#work.enter(response)
  }

  /** What its requests have come to. */
  get progress(): Progress {
    return this.#work.progress
  }

  /** The session of whoever sends these headers, or why there is none. */
  session(headers: Headers): Session | Refusal | Promise<Session | Refusal> {
    if (this.#leavingFor !== null) return this.#leavingFor
    const token = this.shared.verifier === null ? '' : (bearerOf(headers) ?? '')
    const known = this.#proven.get(token)
    if (known !== undefined && Date.now() < known.checkAt) return known.session
    const proving = this.#proving.get(token)
    if (proving !== undefined) return proving
    if (known === undefined && this.#proven.size + this.#proving.size >= TOKENS) return refusal('session.limit')
    const begun = this.#prove(token, known, headers).finally(() => this.#proving.delete(token))
    this.#proving.set(token, begun)
    return begun
  }

  /** Remembers what runs, so that it ends with the session. Returns how to forget it. */
  track(running: Running): () => void {
    return this.#work.track(running)
  }

  /** The sidecar is to end: what ends soon may, what goes on by itself is told at once, and nothing more is begun. */
  leave(): void {
    if (this.#over || this.#ending) return
    const because = refusal('session.limit', 'the sidecar is shutting down', 'try again later')
    this.#ending = true
    this.#leavingFor = because
    this.#work.stop(because, ({ endless }) => endless)
    this.#lastWords = setTimeout(() => {
      this.#work.stop(because, () => true)
      this.#work.refuse(because)
    }, LAST_WORDS_MS).unref()
    this.#rest()
  }

  /** The connection is over. */
  close(): void {
    if (this.#over) return
    this.#over = true
    if (this.#linger !== null) clearTimeout(this.#linger)
    if (this.#lastWords !== null) clearTimeout(this.#lastWords)
    this.#closeLeaving()
    for (const { session, timer } of this.#proven.values()) {
      if (timer !== null) clearTimeout(timer)
      this.shared.wiring.gate.close(session, 'closed')
    }
    this.#proven.clear()
    this.#work.over()
  }

  async #prove(token: string, known: Proven | undefined, headers: Headers): Promise<Session | Refusal> {
    try {
      const principal = await this.#principal(token)
      if (this.#over || this.#ending) return refusal('session.ended', 'the connection is over')
      if (known !== undefined && this.#proven.get(token) === known) {
        known.checkAt = checkTime(known.expiresAt)
        return known.session
      }
      return this.shared.upstream.refuses(principal) ?? this.#open(token, principal, headers)
    } catch (error) {
      const because = refusalFor(error)
      this.log.info({ err: error, code: because.code }, 'an agent was not let in')
      if (known !== undefined && this.#proven.get(token) === known) this.#expire(token, known, because)
      return because
    }
  }

  async #principal(token: string): Promise<Principal> {
    const { verifier, wiring } = this.shared
    return verifier === null ? wiring.identities.workload(wiring.workload) : await verifier.verify(token)
  }

  #open(token: string, principal: Principal, headers: Headers): Session {
    const { wiring } = this.shared
    const { peer } = this.connection
    const of = context(principal, wiring.workload, wiring.identity)
    const agent = (headers.get('user-agent') ?? '').slice(0, LONGEST_AGENT).toWellFormed()
    const session = wiring.gate.open(of, { client: `${peer.address}:${peer.port}`, agent }, (because) =>
      this.#end(session, because),
    )
    const { exp } = principal.claims
    const expiresAt = typeof exp === 'number' ? exp * 1000 + TOLERANCE_MS : Number.POSITIVE_INFINITY
    const checkAt = this.shared.verifier === null ? Number.POSITIVE_INFINITY : checkTime(expiresAt)
    const proven: Proven = { session, expiresAt, checkAt, timer: null }
    this.#proven.set(token, proven)
    if (expiresAt !== Number.POSITIVE_INFINITY) this.#watchExpiry(token, proven)
    return session
  }

  #watchExpiry(token: string, proven: Proven): void {
    const left = proven.expiresAt - Date.now()
    const expired = refusal('identity.expired', 'the token has expired', 'present a new one')
    const look = () =>
      Date.now() < proven.expiresAt ? this.#watchExpiry(token, proven) : this.#expire(token, proven, expired)
    proven.timer = setTimeout(look, Math.max(0, Math.min(left, LONGEST_TIMER_MS))).unref()
  }

  /** The proof is over, and with it all that was begun under it. The connection may go on with another. */
  #expire(token: string, { session, timer }: Proven, because: Refusal): void {
    if (timer !== null) clearTimeout(timer)
    this.#proven.delete(token)
    session.forbids = () => because
    this.#leaving.set(session, because.code)
    this.#work.stop(because, (running) => running.session === session)
    this.#rest()
  }

  /** An operator ended the session: everything of it that runs is told, and the connection closes. */
  #end(ended: Session, because: Refusal): void {
    this.#ending = true
    this.#work.stop(because, ({ session }) => session === ended)
    this.#linger ??= this.#lingering()
    this.#rest()
  }

  /** Nothing may be under way any more: what waited for that is done. */
  #rest(): void {
    if (!this.#work.idle) return
    this.#closeLeaving()
    if (!this.#ending) return
    this.#finish()
    this.#linger ??= this.#lingering()
  }

  #lingering(): NodeJS.Timeout {
    return setTimeout(() => this.connection.socket.destroy(), LINGER_MS).unref()
  }

  #closeLeaving(): void {
    for (const [session, why] of this.#leaving) this.shared.wiring.gate.close(session, why)
    this.#leaving.clear()
  }
}

/** Why nothing may be sent upstream in a session any more; null while something may. */
export function endOf(session: Session, command: Parameters<NonNullable<Session['forbids']>>[0]): Refusal | null {
  return session.ended ?? session.forbids?.(command) ?? null
}

export function newAuditId(): string {
  return randomUUID()
}

function checkTime(expiresAt: number): number {
  return Math.min(expiresAt, Date.now() + PROOF_LIFE_MS)
}

function refusalFor(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string' || !(code in REFUSALS)) return refusal('identity.invalid')
  const message = error instanceof Error && code.startsWith('identity.') ? error.message : REFUSALS[code as RefusalCode]
  return refusal(code as RefusalCode, message, code.startsWith('identity.') ? 'present a token that is valid' : '')
}
