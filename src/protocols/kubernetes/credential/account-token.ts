/**
 * A short-lived token of a service account, asked for with another one and renewed before it expires:
 * https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
 */
import type { Dispatcher } from 'undici'
import type { KubernetesTargetConfig } from '../../../config/targets/kubernetes.ts'
import type { RotatedFile } from './file.ts'
import { UpstreamError, upstreamError } from './failure.ts'

/** The same part of a token's life after which the kubelet renews those that it projects. */
const RENEW_AT = 0.8
/** A renewal that failed is tried again after this, while the token that is there still holds. */
const RETRY_MS = 10_000
/** Agents wait for the first one meanwhile. */
const ASK_MS = 10_000
/** A token and its envelope have 2 KiB. */
const LONGEST_ANSWER = 64 * 1024
/** A token that the API server gave so lately, and rejects: the next one would fare no better. */
const FRESH_MS = 5_000

export type Account = Extract<KubernetesTargetConfig['credential'], { serviceAccount: unknown }>['serviceAccount']

interface Given {
  readonly token: string
  readonly since: number
  readonly renewAt: number
  readonly expiresAt: number
}

export interface AccountTokenOptions {
  readonly account: Account
  /** The token that may ask for others. */
  readonly asking: RotatedFile
  /** The API server, as it is connected to now. */
  readonly server: () => Dispatcher | Promise<Dispatcher>
  /** Told when a token could not be renewed, and the one that is there goes on. */
  readonly failed: (error: UpstreamError) => void
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

export class AccountToken {
  readonly #of: AccountTokenOptions
  readonly #now: () => number
  #given: Given | null = null
  #renewal: Promise<string> | null = null
  #retryAt = 0

  constructor(options: AccountTokenOptions) {
    this.#of = options
    this.#now = options.now ?? Date.now
  }

  /** At once while there is one that holds. Fails with an {@link UpstreamError}. */
  current(): string | Promise<string> {
    const now = this.#now()
    const given = this.#given
    if (given === null || now >= given.expiresAt) return this.#renew()
    if (now >= given.renewAt && now >= this.#retryAt) void this.#renew().catch(() => {})
    return given.token
  }

  /** Another one in place of one that was rejected; the same where that would not help. */
  async replace(rejected: string): Promise<string> {
    const given = this.#given
    if (given?.token === rejected && this.#now() - given.since >= FRESH_MS) return await this.#renew()
    return await this.current()
  }

  /** One request at a time, whoever waits for it. */
  #renew(): Promise<string> {
    this.#renewal ??= this.#ask().finally(() => (this.#renewal = null))
    return this.#renewal
  }

  async #ask(): Promise<string> {
    // Whatever the way takes is off the token's life, never on top of it.
    const since = this.#now()
    try {
      const { token, seconds } = await this.#request()
      const life = seconds * 1000
      this.#given = { token, since, renewAt: since + life * RENEW_AT, expiresAt: since + life }
      return token
    } catch (error) {
      const failure = upstreamError(error)
      this.#retryAt = since + RETRY_MS
      this.#of.failed(failure)
      throw failure
    }
  }

  async #request(): Promise<{ token: string; seconds: number }> {
    const { asking, account } = this.#of
    const bearer = await asking.current()
    const first = await this.#post(bearer)
    if (first.status !== 401) return readToken(first, account)
    // It may have been rotated between its reading and its use.
    const again = await asking.reread()
    return readToken(again === bearer ? first : await this.#post(again), account)
  }

  async #post(bearer: string): Promise<Answer> {
    const { account, server } = this.#of
    const { namespace, name, audience, expiry } = account
    const response = await (
      await server()
    ).request({
      method: 'POST',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}/token`,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          expirationSeconds: Math.floor(expiry / 1000),
          ...(audience === undefined ? {} : { audiences: [audience] }),
        },
      }),
      signal: AbortSignal.timeout(ASK_MS),
    })
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > LONGEST_ANSWER) throw rejected('gave an answer that is too long', null)
      chunks.push(chunk)
    }
    return { status: response.statusCode, text: Buffer.concat(chunks).toString() }
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

interface TokenRequest {
  readonly spec?: { readonly expirationSeconds?: unknown }
  readonly status?: { readonly token?: unknown }
  readonly message?: unknown
}

function readToken({ status, text }: Answer, { namespace, name }: Account): { token: string; seconds: number } {
  let answer: TokenRequest
  try {
    answer = JSON.parse(text) as TokenRequest
  } catch (error) {
    throw rejected('gave an answer that is no JSON', error)
  }
  if (status !== 201 && status !== 200) {
    // The server's own words name accounts and rights, and are for whoever reads the log.
    throw rejected(`gives no token of ${namespace}/${name} (${status})`, new Error(String(answer.message)))
  }
  const { token } = answer.status ?? {}
  const { expirationSeconds } = answer.spec ?? {}
  if (typeof token !== 'string' || token === '' || typeof expirationSeconds !== 'number' || expirationSeconds <= 0) {
    throw rejected('gave an answer without a token', null)
  }
  return { token, seconds: expirationSeconds }
}

function rejected(what: string, cause: unknown): UpstreamError {
  return new UpstreamError('upstream.rejected', `the API server ${what}`, cause)
}
