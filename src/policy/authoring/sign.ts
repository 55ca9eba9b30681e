/** Signs a bundle as OPA does: https://www.openpolicyagent.org/docs/management-bundles#signing */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { CompactSign } from 'jose'
import type { BundleFiles } from '../archive.ts'
import { canonicalJson } from '../canonical.ts'
import { DATA_FILE, MANIFEST_FILE, SIGNATURES_FILE, verificationKey } from '../signature.ts'
import { AuthoringError } from './findings.ts'

export interface SigningKey {
  readonly key: KeyObject
  /** PEM. */
  readonly publicKey: string
  /** Follows from the key: ES256 for P-256, EdDSA for Ed25519, RS256 for RSA. */
  readonly algorithm: string
  /** How verifiers may call it; empty for no name. */
  readonly id: string
}

export function signingKey(pem: string, id: string): SigningKey {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (error) {
    throw new AuthoringError('policy.key', 'the key is not a private key in PEM', [], error)
  }
  const publicKey = createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString()
  return { key, publicKey, algorithm: verificationKey(publicKey).algorithm, id }
}

/** The bundle with its signature. `serial` grows with every release, so that an older one is told from a newer one. */
export async function sign(
  files: BundleFiles,
  { key, algorithm, id }: SigningKey,
  serial: number | null,
): Promise<BundleFiles> {
  const claims = {
    files: [...files].map(([name, content]) => ({ name, hash: hashOf(name, content), algorithm: 'SHA-256' })),
    ...(id === '' ? {} : { keyid: id }),
    ...(serial === null ? {} : { serial }),
  }
  const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: algorithm, ...(id === '' ? {} : { kid: id }) })
    .sign(key)
  return new Map([...files, [SIGNATURES_FILE, Buffer.from(JSON.stringify({ signatures: [token] }))]])
}

function hashOf(name: string, content: Buffer): string {
  const bytes = name === DATA_FILE || name === MANIFEST_FILE ? canonicalJson(content) : content
  return createHash('sha256').update(bytes).digest('hex')
}
