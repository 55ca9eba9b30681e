/** Signatures of SSH: `string algorithm, string value` (RFC 8709, RFC 5656, RFC 8332), and never RSA with SHA-1. */
import { type KeyObject, sign, verify } from 'node:crypto'
import type { PublicKeyType } from '../../../config/public-key.ts'
import type { SIGNATURES } from '../algorithms.ts'
import { mpint, wire, WireError, WireReader } from './wire.ts'

export type SignatureAlgorithm = (typeof SIGNATURES)[number]

interface Scheme {
  readonly type: PublicKeyType
  readonly hash: string | null
  /** Of an elliptic curve: the bytes of each of the two numbers. */
  readonly size: number | null
}

const SCHEMES = {
  'ssh-ed25519': { type: 'ssh-ed25519', hash: null, size: null },
  'ecdsa-sha2-nistp256': { type: 'ecdsa-sha2-nistp256', hash: 'sha256', size: 32 },
  'ecdsa-sha2-nistp384': { type: 'ecdsa-sha2-nistp384', hash: 'sha384', size: 48 },
  'ecdsa-sha2-nistp521': { type: 'ecdsa-sha2-nistp521', hash: 'sha512', size: 66 },
  'rsa-sha2-512': { type: 'ssh-rsa', hash: 'sha512', size: null },
  'rsa-sha2-256': { type: 'ssh-rsa', hash: 'sha256', size: null },
} as const satisfies Record<SignatureAlgorithm, Scheme>

/** What each type of key signs with, most wanted first. */
export function algorithmsOf(type: PublicKeyType): readonly SignatureAlgorithm[] {
  return (Object.keys(SCHEMES) as SignatureAlgorithm[]).filter((name) => SCHEMES[name].type === type)
}

/** A public key, as far as a signature needs it. */
export interface Verifying {
  readonly type: PublicKeyType
  readonly key: KeyObject
}

/** Whether the key made this signature of the data, in one of the algorithms that its type has. */
export function verifySignature(by: Verifying, data: Uint8Array, signature: Buffer): boolean {
  try {
    const reader = new WireReader(signature)
    const algorithm = reader.string().toString('latin1')
    const value = reader.string()
    reader.end()
    return verifyValue(by, algorithm, data, value)
  } catch (error) {
    if (error instanceof WireError) return false
    throw error
  }
}

function verifyValue({ type, key }: Verifying, algorithm: string, data: Uint8Array, value: Buffer): boolean {
  const scheme = schemeOf(algorithm)
  if (scheme === null || scheme.type !== type) return false
  const { hash, size } = scheme
  return size === null
    ? safely(() => verify(hash, data, key, value))
    : safely(() => verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, numbers(value, size)))
}

/** The same for a value that is in ASN.1 already where it is of an elliptic curve, which is how ssh2 gives it. */
export function verifyDecoded({ type, key }: Verifying, algorithm: string, data: Uint8Array, value: Buffer): boolean {
  const scheme = schemeOf(algorithm)
  return scheme !== null && scheme.type === type && safely(() => verify(scheme.hash, data, key, value))
}

/** Signs as the first algorithm of the key's type, or as the one that is asked for. */
export function makeSignature(
  { type, key }: Verifying,
  data: Uint8Array,
  algorithm: SignatureAlgorithm | undefined = algorithmsOf(type)[0],
): Buffer {
  if (algorithm === undefined || SCHEMES[algorithm].type !== type) {
    throw new TypeError(`a key of type ${type} does not sign as ${algorithm}`)
  }
  const { hash, size } = SCHEMES[algorithm]
  if (size === null) return wire(algorithm, sign(hash, data, key))
  const value = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
  return wire(algorithm, wire(mpint(value.subarray(0, size)), mpint(value.subarray(size))))
}

const BY_NAME = new Map<string, Scheme>(Object.entries(SCHEMES))

function schemeOf(algorithm: string): Scheme | null {
  return BY_NAME.get(algorithm) ?? null
}

/** The two numbers of RFC 5656, section 3.1.2, each to its full length. */
function numbers(value: Buffer, size: number): Buffer {
  const reader = new WireReader(value)
  const pair = [reader.string(), reader.string()].map((bytes) => {
    const magnitude = mpint(bytes)
    if (!magnitude.equals(bytes)) throw new WireError('a number is not in its only form')
    const bare = magnitude[0] === 0 ? magnitude.subarray(1) : magnitude
    if (bare.length > size) throw new WireError('a number is too large')
    return Buffer.concat([Buffer.alloc(size - bare.length), bare])
  })
  reader.end()
  return Buffer.concat(pair)
}

/** A signature that OpenSSL cannot even read is none. */
function safely(verified: () => boolean): boolean {
  try {
    return verified()
  } catch {
    return false
  }
}
