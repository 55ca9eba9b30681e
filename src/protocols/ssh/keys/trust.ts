/** Whether a certificate is to be believed, here and now, and what it leaves its bearer. Throws a {@link KeyError} where not. */
import { matchesPattern } from '../../../config/host-patterns.ts'
import type { PublicKey } from '../../../config/public-key.ts'
import type { Permission, Restriction } from '../legs.ts'
import { hasAddress, parseAddresses } from './addresses.ts'
import type { Certificate, CertificateKind } from './certificate.ts'
import { KeyError } from './errors.ts'
import { verifySignature } from './signature.ts'
import { WireError, WireReader } from './wire.ts'

export const PERMISSIONS: readonly Permission[] = [
  'permit-pty',
  'permit-port-forwarding',
  'permit-agent-forwarding',
  'permit-X11-forwarding',
]

interface Presented {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly authorities: readonly PublicKey[]
}

/** A user's, presented for a login name by a peer at an address. */
export function trustUserCertificate(
  certificate: Certificate,
  presented: Presented & { readonly user: string; readonly address: string },
): Restriction {
  trustSigned(certificate, 'user', presented)
  const { user, address } = presented
  if (certificate.principals.length === 0) {
    throw new KeyError(
      'certificate.principal',
      'the certificate names no login, and one that holds for all is not taken',
    )
  }
  if (!certificate.principals.includes(user)) {
    throw new KeyError('certificate.principal', `the certificate is not for the login ${user}`)
  }
  return readRestriction(certificate, address)
}

/** A host's, shown under one of its names. Principals may be patterns, as OpenSSH has them: `*.example.com`. */
export function trustHostCertificate(certificate: Certificate, presented: Presented & { readonly host: string }): void {
  trustSigned(certificate, 'host', presented)
  const [critical] = certificate.critical.keys()
  if (critical !== undefined) throw unknownOption(critical)
  if (certificate.principals.length === 0) {
    throw new KeyError(
      'certificate.principal',
      'the certificate names no host, and one that holds for all is not taken',
    )
  }
  const host = presented.host.toLowerCase()
  if (!certificate.principals.some((pattern) => matchesPattern(host, pattern.toLowerCase()))) {
    throw new KeyError('certificate.principal', `the certificate is not for the host ${presented.host}`)
  }
}

function trustSigned(certificate: Certificate, kind: CertificateKind, { now, authorities }: Presented): void {
  if (certificate.kind !== kind) {
    throw new KeyError(
      'certificate.type',
      `the certificate is one of a ${certificate.kind}, and one of a ${kind} is due`,
    )
  }
  const authority = authorities.find(({ blob }) => blob.equals(certificate.authority.blob))
  if (authority === undefined) {
    const { fingerprint } = certificate.authority
    throw new KeyError('certificate.authority', `the certificate is signed by ${fingerprint}, which is not trusted`)
  }
  if (!verifySignature(authority, certificate.signed, certificate.signature)) {
    throw new KeyError('certificate.signature', 'the signature of the certificate is not the authority’s')
  }
  const seconds = BigInt(Math.floor(now / 1_000))
  if (seconds < certificate.validAfter) throw new KeyError('certificate.not-yet', 'the certificate is not valid yet')
  if (seconds >= certificate.validBefore) throw new KeyError('certificate.expired', 'the certificate has expired')
}

function readRestriction({ critical, extensions }: Certificate, address: string): Restriction {
  let forcedCommand: string | null = null
  for (const [name, value] of critical) {
    switch (name) {
      case 'force-command':
        forcedCommand = textOf(name, value)
        break
      case 'source-address':
        demandAddress(textOf(name, value), address)
        break
      default:
        throw unknownOption(name)
    }
  }
  const permits = new Set<Permission>()
  for (const permission of PERMISSIONS) {
    const value = extensions.get(permission)
    if (value === undefined) continue
    if (value.length > 0)
      throw new KeyError('certificate.option', `the certificate’s ${permission} says more than it may`)
    permits.add(permission)
  }
  return Object.freeze({ forcedCommand, permits })
}

function demandAddress(list: string, address: string): void {
  const addresses = parseAddresses(list)
  if (addresses === null)
    throw new KeyError('certificate.option', 'the certificate’s source-address is no list of addresses')
  if (!hasAddress(addresses, address)) {
    throw new KeyError('certificate.source', `the certificate may not be used from ${address}`)
  }
}

function textOf(name: string, value: Buffer): string {
  try {
    const reader = new WireReader(value)
    const text = reader.text()
    reader.end()
    if (text !== '') return text
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  throw new KeyError('certificate.option', `the certificate’s ${name} is not one that can be kept`)
}

function unknownOption(name: string): KeyError {
  return new KeyError('certificate.option', `the certificate demands ${name}, which is not known here`)
}
