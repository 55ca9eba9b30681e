/** Signs certificates of users, as an authority that an upstream host trusts. */
import { randomBytes } from 'node:crypto'
import { parsePublicKeyBlob, type PublicKey } from '../../../config/public-key.ts'
import type { Permission } from '../legs.ts'
import { CERTIFICATE_TYPES, type Certificate, KINDS, parseCertificate } from './certificate.ts'
import type { PrivateKey } from './private.ts'
import { wire, WireReader } from './wire.ts'

export interface UserCertificate {
  readonly key: PublicKey
  /** What the host writes into its log. */
  readonly keyId: string
  readonly serial: bigint
  /** Login names; at least one, since a certificate without any would hold for all. */
  readonly principals: readonly string[]
  /** Milliseconds since 1970; kept in whole seconds, the second rounded up. */
  readonly validAfter: number
  readonly validBefore: number
  readonly permits: readonly Permission[]
  /** The only command that the host will run. */
  readonly forceCommand?: string
  /** Networks from which it may be used. */
  readonly sourceAddress?: string
}

/** As it goes over the wire, and in `blob` of the answer; what was signed is read back before it is given away. */
export function issueUserCertificate(request: UserCertificate, authority: PrivateKey): Certificate {
  if (request.principals.length === 0)
    throw new TypeError('a certificate without a principal would hold for every login')
  const { key, serial, keyId } = request
  const signed = Buffer.concat([
    wire(CERTIFICATE_TYPES[key.type], randomBytes(32)),
    keyFields(key),
    wire(serial, KINDS.user, keyId, wire(...request.principals)),
    wire(BigInt(Math.floor(request.validAfter / 1_000)), BigInt(Math.ceil(request.validBefore / 1_000))),
    wire(options(criticalOptions(request)), options(request.permits.map((name) => [name, Buffer.alloc(0)]))),
    wire('', authority.publicKey.blob),
  ])
  return parseCertificate(Buffer.concat([signed, wire(authority.sign(signed))]))
}

/** `type base64`, as a `-cert.pub` file has it. */
export function certificateLine({ key, blob }: Pick<Certificate, 'key' | 'blob'>): string {
  return `${CERTIFICATE_TYPES[key.type]} ${blob.toString('base64')}`
}

/** Everything of a key but the name of its type. */
function keyFields({ blob }: PublicKey): Buffer {
  const reader = new WireReader(parsePublicKeyBlob(blob).blob)
  reader.string()
  return blob.subarray(reader.at)
}

function criticalOptions({ forceCommand, sourceAddress }: UserCertificate): (readonly [string, Buffer])[] {
  const critical: (readonly [string, Buffer])[] = []
  if (forceCommand !== undefined) critical.push(['force-command', wire(forceCommand)])
  if (sourceAddress !== undefined) critical.push(['source-address', wire(sourceAddress)])
  return critical
}

/** Each name once, in the order of their bytes. */
function options(entries: readonly (readonly [string, Buffer])[]): Buffer {
  const sorted = [...new Map(entries)].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return Buffer.concat(sorted.map(([name, value]) => wire(name, value)))
}
