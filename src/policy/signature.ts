/** OPA's bundle signatures: https://www.openpolicyagent.org/docs/management-bundles#signing */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { compactVerify } from 'jose'
import { z } from 'zod'
import type { BundleFiles } from './archive.ts'
import { canonicalJson } from './canonical.ts'
import { BundleError } from './errors.ts'

export const SIGNATURES_FILE = '.signatures.json'
export const MANIFEST_FILE = '.manifest'
export const DATA_FILE = 'data.json'

/** What a bundle is verified with. The algorithm is the key's; what a signature's header says is not asked. */
export interface VerificationKey {
  readonly key: KeyObject
  readonly algorithm: string
}

/** Extra claims under the signature, which OPA's `--claims-file` puts there. */
export interface SignedClaims {
  /** Grows with every release; null where the signer does not count. */
  readonly serial: number | null
}

const refuse = (message: string, cause?: unknown) => new BundleError('bundle.signature', message, cause)

const EC_ALGORITHMS: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
])

const RSA_ALGORITHMS = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])

/** Reads a public key: PEM, or a JSON Web Key, which may name its algorithm. RSA without a name is RS256, as with OPA. */
export function verificationKey(text: string): VerificationKey {
  if (/PRIVATE KEY/.test(text)) throw refuse('the key is a private key; the public one is all that is needed here')
  let key: KeyObject
  let named: string | undefined
  try {
    if (text.trimStart().startsWith('{')) {
      const jwk = JSON.parse(text) as JsonWebKey
      if (jwk.kty === 'oct' || jwk['d'] !== undefined) throw refuse('the key is a secret; a public one is needed')
      named = typeof jwk['alg'] === 'string' ? jwk['alg'] : undefined
      key = createPublicKey({ key: jwk, format: 'jwk' })
    } else {
      key = createPublicKey(text)
    }
  } catch (error) {
    throw error instanceof BundleError ? error : refuse('the key is neither PEM nor a JSON Web Key', error)
  }
  const algorithm = algorithmOf(key, named)
  if (algorithm === null)
    throw refuse(`a key of type ${key.asymmetricKeyType ?? 'unknown'} is not for ${named ?? 'signatures'}`)
  return { key, algorithm }
}

function algorithmOf(key: KeyObject, named: string | undefined): string | null {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return named === undefined ? 'RS256' : RSA_ALGORITHMS.has(named) ? named : null
    case 'ec': {
      const algorithm = EC_ALGORITHMS.get(key.asymmetricKeyDetails?.namedCurve)
      return algorithm !== undefined && (named ?? algorithm) === algorithm ? algorithm : null
    }
    case 'ed25519':
      return named === undefined || named === 'EdDSA' || named === 'Ed25519' ? 'EdDSA' : null
    default:
      return null
  }
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
  ['SHA-512', 'sha512'],
])

const signatures = z.strictObject({ signatures: z.tuple([z.string()]), plugin: z.literal('').optional() })

/** Seconds since 1970. */
const time = z.number().optional()

const payload = z.looseObject({
  files: z.array(z.looseObject({ name: z.string(), hash: z.string().regex(/^[0-9a-f]+$/i), algorithm: z.string() })),
  /** None is configured, so none may be claimed. */
  scope: z.literal('').optional(),
  nbf: time,
  exp: time,
  serial: z.int().nonnegative().optional(),
})

/** Proves that every file is as its signer saw it, none is missing and none was added. */
export async function verifySignature(
  files: BundleFiles,
  { key, algorithm }: VerificationKey,
  now: number = Date.now(),
): Promise<SignedClaims> {
  const file = files.get(SIGNATURES_FILE)
  if (file === undefined) throw new BundleError('bundle.unsigned', `the bundle has no ${SIGNATURES_FILE}`)
  const {
    signatures: [token],
  } = parse(signatures, file, SIGNATURES_FILE)
  const verified = await compactVerify(token, key, { algorithms: [algorithm] }).catch((error: unknown) => {
    throw refuse('the signature was not made with the key that is configured', error)
  })
  const claims = parse(payload, verified.payload, "the signature's payload")
  checkTime(claims, now)
  const listed = new Map(claims.files.map((entry) => [entry.name.replace(/^\//, ''), entry]))
  if (listed.size !== claims.files.length) throw refuse('the signature lists a file twice')
  for (const [name, content] of files) {
    if (name === SIGNATURES_FILE) continue
    const entry = listed.get(name)
    if (entry === undefined) throw refuse(`${name} is not covered by the signature`)
    listed.delete(name)
    checkHash(name, content, entry)
  }
  const [left] = listed.keys()
  if (left !== undefined) throw refuse(`${left} is signed but not in the bundle`)
  return { serial: claims.serial ?? null }
}

function checkTime(
  { nbf, exp }: { readonly nbf?: number | undefined; readonly exp?: number | undefined },
  now: number,
): void {
  if (nbf !== undefined && nbf * 1000 > now) throw new BundleError('bundle.expired', 'the signature is not valid yet')
  if (exp !== undefined && exp * 1000 <= now) throw new BundleError('bundle.expired', 'the signature has expired')
}

function checkHash(name: string, content: Buffer, entry: { readonly hash: string; readonly algorithm: string }): void {
  const algorithm = HASHES.get(entry.algorithm)
  if (algorithm === undefined)
    throw refuse(`${name} is hashed with ${entry.algorithm}; SHA-256, -384 and -512 are accepted`)
  const actual = createHash(algorithm).update(hashed(name, content)).digest()
  const claimed = Buffer.from(entry.hash, 'hex')
  if (actual.length !== claimed.length || !timingSafeEqual(actual, claimed)) {
    throw refuse(`${name} is not as it was signed`)
  }
}

/** JSON files are hashed by their meaning, all others by their bytes. */
function hashed(name: string, content: Buffer): string | Buffer {
  if (name !== DATA_FILE && name !== MANIFEST_FILE) return content
  try {
    return canonicalJson(content)
  } catch (error) {
    throw new BundleError('bundle.malformed', `${name} is not JSON`, error)
  }
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (error) {
    throw refuse(`${what} is not of the form that OPA writes`, error)
  }
}
