/**
 * OpenSSH certificates (PROTOCOL.certkeys): a public key with who may use it, when and for what, signed by an authority.
 * Nothing that is read here is believed before `trust.ts` has verified it.
 */
import { parsePublicKeyBlob, type PublicKey, PublicKeyError, type PublicKeyType } from '../../../config/public-key.ts'
import { KeyError } from './errors.ts'
import { wire, WireError, WireReader } from './wire.ts'

/** How the certificate of each type of key is called; RSA's also goes by the names of its signatures. */
export const CERTIFICATE_TYPES = {
  'ssh-ed25519': 'ssh-ed25519-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256': 'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384': 'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521': 'ecdsa-sha2-nistp521-cert-v01@openssh.com',
  'ssh-rsa': 'ssh-rsa-cert-v01@openssh.com',
} as const satisfies Record<PublicKeyType, string>

/** Strings that the key itself takes, after the nonce. */
const KEY_FIELDS = {
  'ssh-ed25519': 1,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'ssh-rsa': 2,
} as const satisfies Record<PublicKeyType, number>

/** SSH2_CERT_TYPE_USER and SSH2_CERT_TYPE_HOST. */
export const KINDS = { user: 1, host: 2 } as const
export type CertificateKind = keyof typeof KINDS

/** No packet of SSH that carries one is larger (ssh2 takes 35,000 bytes). */
const LARGEST = 32 * 1024
/** As many as OpenSSH takes. */
const MOST_PRINCIPALS = 256
/** A certificate that allows more things than there are is no certificate. */
const MOST_OPTIONS = 64

export interface Certificate {
  readonly kind: CertificateKind
  readonly key: PublicKey
  /** A number that may be larger than a JSON number. */
  readonly serial: bigint
  readonly keyId: string
  readonly principals: readonly string[]
  /** Seconds since 1970: from the first on, and before the second. */
  readonly validAfter: bigint
  readonly validBefore: bigint
  /** What must be kept, by name; whoever does not know one refuses. */
  readonly critical: ReadonlyMap<string, Buffer>
  /** What is permitted, by name; unknown ones are ignored. */
  readonly extensions: ReadonlyMap<string, Buffer>
  /** The key that claims to have signed. */
  readonly authority: PublicKey
  readonly signature: Buffer
  /** What is signed: everything before the signature. */
  readonly signed: Buffer
  readonly blob: Buffer
}

const TYPE_OF = new Map<string, PublicKeyType>(
  Object.entries(CERTIFICATE_TYPES).map(([type, name]) => [name, type as PublicKeyType]),
)

/** Whether a key's algorithm, as a login or a host names it, is that of a certificate. */
export function isCertificateAlgorithm(algorithm: string): boolean {
  return algorithm.endsWith('-cert-v01@openssh.com')
}

/** Parses one as it goes over the wire, to its last byte. Throws a {@link KeyError}. */
export function parseCertificate(blob: Buffer): Certificate {
  if (blob.length > LARGEST) throw malformed('it is larger than any certificate')
  try {
    return read(blob)
  } catch (error) {
    if (error instanceof WireError) throw malformed(error.message, error)
    if (error instanceof PublicKeyError) throw malformed(`a key in it ${error.message}`, error)
    throw error
  }
}

/** Parses a line of a `-cert.pub` file. Throws a {@link KeyError}. */
export function parseCertificateLine(line: string): Certificate {
  const [name = '', base64 = ''] = line.trim().split(/[ \t]+/)
  const blob = Buffer.from(base64, 'base64')
  if (!TYPE_OF.has(name) || blob.length === 0 || blob.toString('base64') !== base64) {
    throw malformed('the line is not one of a -cert.pub file')
  }
  const certificate = parseCertificate(blob)
  if (CERTIFICATE_TYPES[certificate.key.type] !== name) throw malformed('the line names another type')
  return certificate
}

function read(blob: Buffer): Certificate {
  const reader = new WireReader(blob)
  const type = TYPE_OF.get(reader.string().toString('latin1'))
  if (type === undefined) throw malformed('it is none, or of a kind that is not trusted')
  reader.string()
  const fields = Array.from({ length: KEY_FIELDS[type] }, () => reader.string())
  const key = parsePublicKeyBlob(wire(type, ...fields))
  const serial = reader.uint64()
  const kind = kindOf(reader.uint32())
  const keyId = reader.text()
  const principals = reader.within(readPrincipals)
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()]
  const critical = reader.within(readOptions)
  const extensions = reader.within(readOptions)
  reader.string()
  // A certificate in place of the key is no public key, and fails here (CVE-2025-49825).
  const authority = parsePublicKeyBlob(reader.string())
  const signed = blob.subarray(0, reader.at)
  const signature = reader.string()
  reader.end()
  return {
    kind,
    key,
    serial,
    keyId,
    principals,
    validAfter,
    validBefore,
    critical,
    extensions,
    authority,
    signature,
    signed,
    blob,
  }
}

function kindOf(number: number): CertificateKind {
  if (number === KINDS.user) return 'user'
  if (number === KINDS.host) return 'host'
  throw malformed('it is neither of a user nor of a host')
}

function readPrincipals(reader: WireReader): readonly string[] {
  const principals: string[] = []
  while (!reader.done) {
    if (principals.length === MOST_PRINCIPALS) throw malformed(`it has more than ${MOST_PRINCIPALS} principals`)
    principals.push(reader.text())
  }
  return principals
}

function readOptions(reader: WireReader): ReadonlyMap<string, Buffer> {
  const options = new Map<string, Buffer>()
  while (!reader.done) {
    const name = reader.text()
    if (options.has(name)) throw malformed(`the option ${name} is there twice`)
    if (options.size === MOST_OPTIONS) throw malformed(`it has more than ${MOST_OPTIONS} options`)
    options.set(name, reader.string())
  }
  return options
}

function malformed(why: string, cause?: unknown): KeyError {
  return new KeyError('certificate.malformed', `the certificate is not one that can be used: ${why}`, { cause })
}
