/** What each kind of file must hold. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { child } from '../keys.ts'
import { knownHosts, sshCertificate, sshKey } from './ssh.ts'

/** As `mask/key.ts` demands it: shorter ones could be guessed together with the values that they hide. */
const SHORTEST_MASK_KEY = 32

/** What one header can carry. */
const TOKEN = /^[\x21-\x7e]+$/

/** Completes a sentence that begins with the file's name. */
export type Objection = readonly [message: string, remedy: string] | null

export type Content =
  | 'mask-key'
  | 'secret'
  | 'token'
  | 'authorities'
  | 'certificate'
  | 'private-key'
  | 'public-key'
  | 'key-set'
  | 'ssh-key'
  | 'ssh-certificate'
  | 'known-hosts'

export const CONTENT: Readonly<Record<Content, (bytes: Buffer) => Objection>> = {
  'mask-key': (bytes) =>
    bytes.toString().trim().length < SHORTEST_MASK_KEY
      ? ['is too short to be a key', `write ${SHORTEST_MASK_KEY} random bytes into it, as hexadecimal digits for one`]
      : null,
  secret: (bytes) => (bytes.toString().trim() === '' ? ['is empty', 'write the secret into it'] : null),
  token: (bytes) =>
    CONTENT.secret(bytes) ??
    (TOKEN.test(bytes.toString().replace(/\r?\n$/, ''))
      ? null
      : ['holds no token that could be presented', 'write one word of ASCII into it: openssl rand -hex 32']),
  authorities: certificates,
  certificate: certificates,
  'private-key': (bytes) =>
    parses(() => createPrivateKey(bytes), 'holds no private key', 'it must be PEM, unencrypted'),
  'public-key': (bytes) => parses(() => createPublicKey(bytes), 'holds no public key', 'it must be PEM'),
  'key-set': (bytes) => {
    const remedy = 'it must be {"keys": […]}'
    return parses(
      () => {
        const keys = child(JSON.parse(bytes.toString()), 'keys')
        if (!Array.isArray(keys) || keys.length === 0) throw new Error('no keys')
      },
      'is no JSON Web Key Set',
      remedy,
    )
  },
  'ssh-key': sshKey,
  'ssh-certificate': sshCertificate,
  'known-hosts': knownHosts,
}

function certificates(bytes: Buffer): Objection {
  const blocks = bytes.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) return ['holds no certificate', 'it must be PEM']
  for (const block of blocks) {
    let certificate: X509Certificate
    try {
      certificate = new X509Certificate(block)
    } catch {
      return ['holds a certificate that cannot be parsed', 'it must be PEM']
    }
    // A bundle of authorities keeps expired ones for long; that is no fault while one of them is good.
    if (blocks.length === 1 && Date.parse(certificate.validTo) < Date.now()) {
      return [`expired on ${certificate.validTo}`, 'renew it']
    }
  }
  return null
}

function parses(parse: () => unknown, message: string, remedy: string): Objection {
  try {
    parse()
    return null
  } catch {
    return [message, remedy]
  }
}
