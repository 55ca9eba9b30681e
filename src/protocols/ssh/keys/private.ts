/** Private keys, in OpenSSH's own format, in PEM (PKCS #1, #8, SEC 1) or in PuTTY's. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import ssh2 from 'ssh2'
import { parsePublicKeyBlob, type PublicKey, type PublicKeyType } from '../../../config/public-key.ts'
import { KeyError } from './errors.ts'
import { makeSignature, type SignatureAlgorithm } from './signature.ts'
import { mpint, wire } from './wire.ts'

export interface PrivateKey {
  readonly type: PublicKeyType
  readonly publicKey: PublicKey
  /** The whole signature, with its algorithm; RSA signs with SHA-512 unless it is asked otherwise. */
  sign(data: Uint8Array, algorithm?: SignatureAlgorithm): Buffer
  /** In a form that ssh2 reads. Holds the secret. */
  exported(): string
}

/** Fails with a {@link KeyError} whose message holds nothing of the key. */
export function parsePrivateKey(text: string, passphrase?: string): PrivateKey {
  const pem = /-----BEGIN OPENSSH PRIVATE KEY-----|^PuTTY-User-Key-File-/.test(text)
    ? unwrapped(text, passphrase)
    : text
  let key: KeyObject
  try {
    key = createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch (error) {
    throw unreadable(pem, passphrase, error)
  }
  return privateKeyOf(key)
}

/** A new one, of Ed25519. */
export function generatePrivateKey(): PrivateKey {
  return privateKeyOf(generateKeyPairSync('ed25519').privateKey)
}

function privateKeyOf(key: KeyObject): PrivateKey {
  const publicKey = publicKeyOf(key)
  const { type } = publicKey
  return {
    type,
    publicKey,
    sign: (data, algorithm) => makeSignature({ type, key }, data, algorithm),
    exported: () => exported(key, publicKey),
  }
}

const CURVES = new Map([
  ['P-256', 'nistp256'],
  ['P-384', 'nistp384'],
  ['P-521', 'nistp521'],
])

function publicKeyOf(key: KeyObject): PublicKey {
  const { kty, crv = '', x = '', y = '', n = '', e = '' } = createPublicKey(key).export({ format: 'jwk' })
  const bytes = (part: unknown) => Buffer.from(String(part), 'base64url')
  const curve = CURVES.get(crv)
  try {
    if (kty === 'OKP' && crv === 'Ed25519') return parsePublicKeyBlob(wire('ssh-ed25519', bytes(x)))
    if (kty === 'EC' && curve !== undefined) {
      const point = Buffer.concat([Buffer.of(4), bytes(x), bytes(y)])
      return parsePublicKeyBlob(wire(`ecdsa-sha2-${curve}`, curve, point))
    }
    if (kty === 'RSA') return parsePublicKeyBlob(wire('ssh-rsa', mpint(bytes(e)), mpint(bytes(n))))
  } catch (error) {
    throw new KeyError('key.malformed', `the private key ${(error as Error).message}`, { cause: error })
  }
  throw new KeyError('key.malformed', 'the private key is of a kind that SSH does not use')
}

/** ssh2 takes RSA and ECDSA in PEM, and Ed25519 in OpenSSH's format only (PROTOCOL.key). */
function exported(key: KeyObject, { type, blob }: PublicKey): string {
  if (type === 'ssh-rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString()
  if (type !== 'ssh-ed25519') return key.export({ type: 'sec1', format: 'pem' }).toString()
  const { d = '', x = '' } = key.export({ format: 'jwk' })
  const point = Buffer.from(x, 'base64url')
  const check = 0
  const secret = wire(check, check, type, point, Buffer.concat([Buffer.from(d, 'base64url'), point]), '')
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (secret.length % 8)) % 8))
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    wire('none', 'none', '', 1, blob, Buffer.concat([secret, padding])),
  ])
  const lines = body.toString('base64').match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

function unwrapped(text: string, passphrase: string | undefined): string {
  const parsed = ssh2.utils.parseKey(text, passphrase)
  if (parsed instanceof Error) throw unreadable(text, passphrase, parsed)
  const [key] = [parsed].flat()
  if (key?.isPrivateKey() !== true) throw new KeyError('key.malformed', 'it is no private key')
  return key.getPrivatePEM()
}

function unreadable(text: string, passphrase: string | undefined, cause: unknown): KeyError {
  const why = cause instanceof Error ? cause.message : ''
  const locked = /passphrase|encrypted|bad decrypt|integrity check|interrupted or cancelled/i.test(why)
  if (locked && passphrase === undefined) {
    return new KeyError('key.passphrase', 'the private key is encrypted, and no passphrase is given')
  }
  if (locked) return new KeyError('key.passphrase', 'the passphrase does not open the private key')
  const what = text.includes('PRIVATE KEY') ? 'the private key cannot be read' : 'it holds no private key'
  // The cause may quote what it read.
  return new KeyError('key.malformed', what)
}
