/** The API server: verified TLS, a pool of connections, and the sidecar's own proof on every request. */
import { Pool } from 'undici'
import type { KubernetesTargetConfig } from '../../config/targets/kubernetes.ts'
import type { Principal } from '../../gate/principal.ts'
import type { Refusal } from '../../gate/refusal.ts'
import type { Wiring } from '../protocol.ts'
import { AccountToken } from './credential/account-token.ts'
import { bearerFile } from './credential/bearer.ts'
import { checkImpersonation, impersonation } from './credential/impersonation.ts'
import { TlsFiles, type TlsOptions } from './credential/tls.ts'

/** Idle connections are closed before the API server would (it waits 90 s or more). */
const KEEP_ALIVE_MS = 60_000

/** How one request is sent as somebody whom the API server knows. Nothing in it is the agent's. */
export interface Proof {
  /** Values are Latin-1: the bytes of UTF-8, one character each. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** For a request that is dispatched at once: a pool that was replaced takes none after this turn of the event loop. */
  readonly pool: Pool
  /** For a connection of one's own, which an upgrade needs. */
  readonly tls: TlsOptions
}

export interface Upstream {
  /** Why a principal cannot act upstream at all; null where it can. */
  refuses(principal: Principal): Refusal | null
  /** At once where nothing was rotated. Fails with an error for `upstreamRefusal`. */
  prove(principal: Principal): Proof | Promise<Proof>
  /** After a 401: another proof, where there is another by now; null where there is none, which is logged. */
  proveAgain(principal: Principal, rejected: Proof): Promise<Proof | null>
  close(): Promise<void>
}

/** Throws a coded error when a file that is needed cannot be used. */
export async function openUpstream(config: KubernetesTargetConfig, wiring: Wiring): Promise<Upstream> {
  const upstream = new ApiServerUpstream(config, wiring)
  await upstream.ready()
  return upstream
}

/** A bearer token that is held, or fetched. */
interface Tokens {
  current(): string | Promise<string>
  replace(rejected: string): Promise<string>
}

class ApiServerUpstream implements Upstream {
  readonly #config: KubernetesTargetConfig
  readonly #wiring: Wiring
  readonly #tls: TlsFiles
  readonly #pools: Pools
  /** Null where a certificate proves the sidecar. */
  readonly #tokens: Tokens | null
  /** The last one of each principal. */
  readonly #proofs = new WeakMap<Principal, { readonly token: string | null; readonly proof: Proof }>()

  constructor(config: KubernetesTargetConfig, wiring: Wiring) {
    this.#config = config
    this.#wiring = wiring
    this.#tls = new TlsFiles(config, wiring.secret)
    this.#pools = new Pools(config)
    this.#tokens = this.#tokensOf(config.credential)
  }

  async ready(): Promise<void> {
    this.#pools.of(await this.#tls.current())
    const { credential } = this.#config
    if ('tokenFile' in credential) await bearerFile(credential.tokenFile, this.#wiring.secret).current()
  }

  refuses(principal: Principal): Refusal | null {
    return this.#config.credential.impersonate === 'principal' ? checkImpersonation(principal) : null
  }

  prove(principal: Principal): Proof | Promise<Proof> {
    const [tls, token] = [this.#tls.current(), this.#tokens?.current() ?? null]
    if (tls instanceof Promise || token instanceof Promise) return this.#proveLater(principal, tls, token)
    return this.#proof(principal, tls, token)
  }

  async proveAgain(principal: Principal, rejected: Proof): Promise<Proof | null> {
    const before = this.#proofs.get(principal)
    // Somebody else may have found a new one since.
    if (before !== undefined && before.proof !== rejected) return before.proof
    const token = await (this.#tokens?.replace(before?.token ?? '') ?? null)
    const proof = this.#proof(principal, await this.#tls.reread(), token)
    if (proof !== rejected) return proof
    this.#wiring.log.error({ code: 'upstream.rejected' }, 'the API server did not accept the credential')
    return null
  }

  async close(): Promise<void> {
    await this.#pools.close()
  }

  async #proveLater(
    principal: Principal,
    tls: TlsOptions | Promise<TlsOptions>,
    token: string | null | Promise<string>,
  ): Promise<Proof> {
    const [options, bearer] = await Promise.all([tls, token])
    return this.#proof(principal, options, bearer)
  }

  #proof(principal: Principal, tls: TlsOptions, token: string | null): Proof {
    const known = this.#proofs.get(principal)
    if (known !== undefined && known.token === token && known.proof.tls === tls) return known.proof
    const proof: Proof = Object.freeze({
      headers: Object.freeze({
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(this.#config.credential.impersonate === 'principal' ? impersonation(principal) : {}),
      }),
      pool: this.#pools.of(tls),
      tls,
    })
    this.#proofs.set(principal, { token, proof })
    return proof
  }

  #tokensOf(credential: KubernetesTargetConfig['credential']): Tokens | null {
    if (!('tokenFile' in credential)) return null
    const file = bearerFile(credential.tokenFile, this.#wiring.secret)
    if (!('serviceAccount' in credential)) return { current: () => file.current(), replace: () => file.reread() }
    return new AccountToken({
      account: credential.serviceAccount,
      asking: file,
      server: async () => this.#pools.of(await this.#tls.current()),
      failed: (error) => this.#wiring.log.error({ err: error, code: error.code }, 'no token of the service account'),
    })
  }
}

/** One pool for each state of the files; older ones go on with what they began. */
class Pools {
  readonly #config: KubernetesTargetConfig
  readonly #open = new Set<Pool>()
  #current: { readonly tls: TlsOptions; readonly pool: Pool } | null = null

  constructor(config: KubernetesTargetConfig) {
    this.#config = config
  }

  of(tls: TlsOptions): Pool {
    if (this.#current?.tls === tls) return this.#current.pool
    const old = this.#current?.pool
    const pool = this.#connect(tls)
    this.#open.add(pool)
    this.#current = { tls, pool }
    // Whoever was given the old one in this turn dispatches in this turn.
    if (old !== undefined) setImmediate(() => void this.#retire(old))
    return pool
  }

  /** It ends when the last request on it does: a watch may take an hour. */
  async #retire(pool: Pool): Promise<void> {
    await pool.close().catch(() => {})
    this.#open.delete(pool)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((pool) => pool.destroy()))
  }

  #connect({ host = '', port, ...connect }: TlsOptions): Pool {
    const { limits } = this.#config
    return new Pool(`https://${host.includes(':') ? `[${host}]` : host}:${port}`, {
      connect: { timeout: limits.handshake, ...connect },
      // A watch is silent for as long as nothing happens, and a hold of a webhook's may take its time.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: limits.headers,
    })
  }
}
