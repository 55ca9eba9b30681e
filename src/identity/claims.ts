import type { JWTPayload } from 'jose'
import type { Json, JsonObject } from '../gate/json.ts'
import type { Delegate, Principal } from '../gate/principal.ts'
import { IdentityError } from './errors.ts'

/** Deeper delegation (`act` within `act`) is a mistake or an attack on whoever walks it. */
const LONGEST_CHAIN = 16
/** The most groups that are kept; directories put hundreds into a token, policy compares a few. */
const MOST_GROUPS = 1_000

/** The principal that a verified token names. `sub` was demanded when it was verified. */
export function principalOf(payload: JWTPayload, issuer: string): Principal {
  const { sub } = payload
  if (typeof sub !== 'string' || sub === '') throw new IdentityError('identity.invalid', 'the token names no subject')
  return deepFrozen({
    subject: sub,
    issuer,
    groups: groupsOf(payload['groups']),
    // What was signed is JSON, because it was parsed from JSON.
    claims: payload as JsonObject,
    chain: chainOf(payload['act'], issuer),
  })
}

function groupsOf(claim: unknown): string[] {
  if (!Array.isArray(claim)) return []
  if (claim.length > MOST_GROUPS) throw new IdentityError('identity.invalid', 'the token names too many groups')
  return claim.filter((group) => typeof group === 'string')
}

/**
 * RFC 8693, section 4.1: `act` is who acts for the subject, its own `act` who acted before. The issuer vouches for all
 * of them at once, nobody else did: they inform, and only the outermost is meant for decisions.
 */
function chainOf(act: unknown, issuer: string): Delegate[] {
  const chain: Delegate[] = []
  for (let actor = act; actor !== undefined;) {
    if (chain.length === LONGEST_CHAIN)
      throw new IdentityError('identity.invalid', 'the token’s delegation is too long')
    if (actor === null || typeof actor !== 'object' || !('sub' in actor) || typeof actor.sub !== 'string') {
      throw new IdentityError('identity.invalid', 'the token’s delegation names no subject')
    }
    chain.push({ subject: actor.sub, issuer: 'iss' in actor && typeof actor.iss === 'string' ? actor.iss : issuer })
    actor = 'act' in actor ? actor.act : undefined
  }
  return chain
}

function deepFrozen<Value extends Json | Principal>(value: Value): Value {
  if (value !== null && typeof value === 'object') {
    for (const part of Object.values(value)) deepFrozen(part as Json)
    Object.freeze(value)
  }
  return value
}
