/**
 * Public keys of SSH, as configuration, `authorized_keys` and `known_hosts` write them: `ssh-ed25519 AAAA… comment`. What is
 * not exactly one plain key of a kind that is still trusted is refused; a certificate is never a key (CVE-2025-49825).
 */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

export const PUBLIC_KEY_TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const
export type PublicKeyType = (typeof PUBLIC_KEY_TYPES)[number]

export interface PublicKey {
  readonly type: PublicKeyType
  /** As it goes over the wire (RFC 4253, section 6.6): two keys are the same exactly if these are. */
  readonly blob: Buffer
  /** `SHA256:` and 43 characters, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  /** For verifying signatures. */
  readonly key: KeyObject
  readonly comment: string
}

/** Why something is no public key; the message completes a sentence that begins with its name. */
export class PublicKeyError extends Error {
  override readonly name = 'PublicKeyError'
  readonly code = 'config.public-key'
  /** What would be right. */
  readonly remedy: string

  constructor(message: string, remedy: string = PLAIN) {
    super(message)
    this.remedy = remedy
  }
}

const PLAIN = 'write it as ssh-keygen does in a .pub file: ssh-ed25519 AAAA…'

/** RSA below 2048 bits is broken soon or already; above 16384 a verification is a burden that a peer could choose. */
const RSA_BITS = { least: 2_048, most: 16_384 } as const
/** A key of {@link RSA_BITS}.most with a long exponent has some 4,200 bytes. */
const MAX_BLOB = 8 * 1024
/** A type, a key and a comment. */
const MAX_LINE = 16 * 1024

/** Parses one line. Throws {@link PublicKeyError}. */
export function parsePublicKey(line: string): PublicKey {
  const text = line.trim()
  if (text.length > MAX_LINE || /\p{Cc}/u.test(text.replaceAll('\t', ' ')))
    throw new PublicKeyError('is not one line with one key')
  const [type = '', base64, ...comment] = text.split(/[ \t]+/)
  if (text.includes('PRIVATE KEY')) throw new PublicKeyError('is a private key', 'give the public key (the .pub file)')
  if (!isType(type)) throw unknownType(type)
  if (base64 === undefined) throw new PublicKeyError(`has the type ${type} and no key`)
  const blob = Buffer.from(base64, 'base64')
  if (blob.toString('base64') !== base64) throw new PublicKeyError('is not whole: its base64 is cut off or damaged')
  const parsed = parsePublicKeyBlob(blob)
  if (parsed.type !== type) throw new PublicKeyError(`says ${type} and holds a key of type ${parsed.type}`)
  return { ...parsed, comment: comment.join(' ') }
}

/** Parses a key as it goes over the wire. Throws {@link PublicKeyError}. */
export function parsePublicKeyBlob(blob: Buffer): PublicKey {
  if (blob.length > MAX_BLOB) throw new PublicKeyError('is larger than any key')
  const fields = fieldsOf(blob)
  const type = fields[0]?.toString('latin1') ?? ''
  if (!isType(type)) throw unknownType(type)
  const jwk = KINDS[type](fields.slice(1))
  let key: KeyObject
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw new PublicKeyError(`is no valid ${type} key`)
  }
  return { type, blob, fingerprint: fingerprintOf(blob), key, comment: '' }
}

/** `SHA256:…` of a key, or of a certificate, as it goes over the wire. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** What each type holds after its name (RFC 8709, RFC 5656, RFC 4253), as a JSON Web Key. */
const KINDS: Readonly<Record<PublicKeyType, (fields: readonly Buffer[]) => JsonWebKey>> = {
  'ssh-ed25519': (fields) => {
    const [point] = exactly(fields, 1)
    if (point?.length !== 32) throw new PublicKeyError('is no valid ssh-ed25519 key')
    return { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') }
  },
  'ecdsa-sha2-nistp256': (fields) => curve(fields, 'nistp256', 'P-256', 32),
  'ecdsa-sha2-nistp384': (fields) => curve(fields, 'nistp384', 'P-384', 48),
  'ecdsa-sha2-nistp521': (fields) => curve(fields, 'nistp521', 'P-521', 66),
  'ssh-rsa': (fields) => {
    const [exponent, modulus] = exactly(fields, 2).map(positive)
    if (exponent === undefined || modulus === undefined) throw new PublicKeyError('is no valid ssh-rsa key')
    const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
    if (bits < RSA_BITS.least) {
      throw new PublicKeyError(
        `is an RSA key of ${bits} bits`,
        `make a new one: ssh-ed25519, or RSA of ${RSA_BITS.least} bits`,
      )
    }
    if (bits > RSA_BITS.most) throw new PublicKeyError(`is an RSA key of ${bits} bits`, `${RSA_BITS.most} at most`)
    // An even exponent, or 1, signs nothing.
    if (((exponent.at(-1) ?? 0) & 1) === 0 || exponent.equals(Buffer.of(1)))
      throw new PublicKeyError('is no valid ssh-rsa key')
    return { kty: 'RSA', e: exponent.toString('base64url'), n: modulus.toString('base64url') }
  },
}

function curve(fields: readonly Buffer[], name: string, crv: string, size: number): JsonWebKey {
  const [curveName, point] = exactly(fields, 2)
  // 4: an uncompressed point, the only form that RFC 5656 demands and OpenSSH takes.
  if (curveName?.toString('latin1') !== name || point?.length !== 1 + 2 * size || point[0] !== 4) {
    throw new PublicKeyError(`is no valid ecdsa-sha2-${name} key`)
  }
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)]
  return { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') }
}

function exactly(fields: readonly Buffer[], count: number): readonly Buffer[] {
  if (fields.length !== count) throw new PublicKeyError('is no valid key: it holds too little or too much')
  return fields
}

/** The magnitude of an mpint (RFC 4251, section 5), which must be positive and in its only form. */
function positive(mpint: Buffer): Buffer {
  const [first = 0x80, second = 0x80] = mpint
  const padded = first === 0
  if (first >= 0x80 || (padded && second < 0x80)) throw new PublicKeyError('is no valid ssh-rsa key')
  return padded ? mpint.subarray(1) : mpint
}

/** A run of strings, each after its length, up to exactly the end. */
function fieldsOf(blob: Buffer): Buffer[] {
  const fields: Buffer[] = []
  let offset = 0
  while (offset < blob.length) {
    const end = offset + 4 + (offset + 4 <= blob.length ? blob.readUInt32BE(offset) : blob.length)
    if (end > blob.length) throw new PublicKeyError('is no valid key: it is cut off')
    fields.push(blob.subarray(offset + 4, end))
    offset = end
  }
  return fields
}

function isType(type: string): type is PublicKeyType {
  return PUBLIC_KEY_TYPES.some((known) => known === type)
}

function unknownType(type: string): PublicKeyError {
  if (type.includes('-cert-v')) return new PublicKeyError('is a certificate', 'give the plain public key')
  if (type === 'ssh-dss') return new PublicKeyError('is a DSA key', 'make a new one: ssh-ed25519')
  if (type.startsWith('sk-')) {
    return new PublicKeyError(
      'is the key of a security token, which cannot be used here',
      'give a plain key: ssh-ed25519',
    )
  }
  const named = /^[\x21-\x7e]{1,64}$/.test(type) ? `begins with ${type}, not with a type of key` : 'is no public key'
  return new PublicKeyError(named, `${PLAIN}, without options before it (${PUBLIC_KEY_TYPES.join(', ')})`)
}
