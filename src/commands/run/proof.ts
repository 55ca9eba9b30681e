/**
 * How the admin port proves that it holds the token before anybody sends it: where the sidecar is away, whoever shares its loopback can
 * listen in its place.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** What the digest is about, so that it is of use for nothing else. */
const PURPOSE = 'sidegate admin port'
/** 32 bytes, chosen by who asks, so that no answer is of use a second time. */
export const NONCE = /^[0-9a-f]{64}$/

export function proofOf(token: string, nonce: string): string {
  return createHmac('sha256', token).update(`${PURPOSE}\0${nonce}`).digest('hex')
}

export function isProof(proof: unknown, token: string, nonce: string): boolean {
  const wanted = Buffer.from(proofOf(token, nonce))
  const given = Buffer.from(typeof proof === 'string' ? proof : '')
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
