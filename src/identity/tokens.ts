/** JSON Web Tokens as proof of identity: signature, issuer, audience, expiry and subject are demanded, always. */
import { createHash } from 'node:crypto'
import { errors, jwtVerify, type JWTVerifyOptions } from 'jose'
import type { Principal } from '../gate/principal.ts'
import { principalOf } from './claims.ts'
import { IdentityError } from './errors.ts'
import { type Keys, keySet } from './keys.ts'

/** Clocks of machines that are kept in time differ by less. */
const CLOCK_TOLERANCE = 5
/** PostgreSQL's own limit for what a client may send as password. */
const LONGEST_TOKEN = 65_535
/** A verified token is not verified again for this long: a key that was withdrawn must stop working soon. */
const VERDICT_LIFE = 60_000
/** Verdicts kept. */
const VERDICTS = 1_024

export interface TokenDemands {
  readonly issuer: string
  readonly audience: string
  readonly keys: { readonly file: string } | { readonly url: string }
  readonly algorithms: readonly string[]
}

interface Verdict {
  readonly principal: Principal
  /** Milliseconds since 1970. */
  readonly until: number
}

export class TokenVerifier {
  readonly #demands: TokenDemands
  readonly #keys: Keys
  readonly #verdicts = new Map<string, Verdict>()

  constructor(demands: TokenDemands, keys: Keys) {
    this.#demands = demands
    this.#keys = keys
  }

  async verify(token: string): Promise<Principal> {
    if (token === '') throw new IdentityError('identity.missing', 'no token was presented')
    if (token.length > LONGEST_TOKEN) throw new IdentityError('identity.invalid', 'the token is too long')
    const id = createHash('sha256').update(token).digest('base64')
    const known = this.#verdicts.get(id)
    if (known !== undefined && known.until > Date.now()) return known.principal
    this.#verdicts.delete(id)
    const verdict = await this.#verify(token)
    if (this.#verdicts.size >= VERDICTS) this.#verdicts.delete(this.#verdicts.keys().next().value ?? '')
    this.#verdicts.set(id, verdict)
    return verdict.principal
  }

  async #verify(token: string): Promise<Verdict> {
    const { issuer, audience, algorithms } = this.#demands
    // What jose is not told to demand, it does not miss: a token without `exp` would hold for ever.
    const options: JWTVerifyOptions = {
      issuer,
      audience,
      algorithms: [...algorithms],
      requiredClaims: ['exp', 'sub', 'iss', 'aud'],
      clockTolerance: CLOCK_TOLERANCE,
    }
    try {
      const { payload } = await jwtVerify(token, this.#keys, options)
      const expires = (payload.exp ?? 0) * 1_000
      return { principal: principalOf(payload, issuer), until: Math.min(expires, Date.now() + VERDICT_LIFE) }
    } catch (error) {
      throw refused(error)
    }
  }
}

/** Fails with `identity.keys` when the keys cannot be read. */
export async function createTokenVerifier(demands: TokenDemands): Promise<TokenVerifier> {
  return new TokenVerifier(demands, await keySet(demands.keys))
}

function refused(error: unknown): IdentityError {
  if (error instanceof IdentityError) return error
  if (error instanceof errors.JWTExpired) return new IdentityError('identity.expired', 'the token has expired', error)
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new IdentityError('identity.invalid', `the token’s claim ${error.claim} was not accepted`, error)
  }
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return new IdentityError('identity.invalid', 'the token was not signed by a key of its issuer', error)
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return new IdentityError('identity.invalid', 'the token is signed by an algorithm that is not permitted', error)
  }
  return new IdentityError('identity.invalid', 'the token could not be verified', error)
}
