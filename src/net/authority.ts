/**
 * A certificate authority of the sidecar's own, for targets whose agents demand TLS: agents trust its certificate, and it signs
 * for the names by which they call the target. Its key lives in memory, for as long as the process does.
 */
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

/** ecdsa-with-SHA256 (RFC 5758) and the common name (RFC 5280, appendix A). */
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
/** Clocks of pods on one node agree; those of a laptop's virtual machines may not. */
const BACKDATED_MS = 5 * 60_000
const DAY_MS = 24 * 3_600_000
/** A process does not live longer, and with it goes the key. */
const AUTHORITY_DAYS = 3_650
/** Long enough that no clock matters, short enough that nobody keeps one. */
const SERVER_DAYS = 30

export interface ServerCertificate {
  /** PEM: the server's own, then the authority's. */
  readonly cert: string
  readonly key: string
  readonly expiresAt: number
}

export class Authority {
  readonly #key: KeyObject
  readonly #name: Name
  readonly #keyId: ArrayBuffer
  /** PEM. What agents trust. */
  readonly certificate: string

  private constructor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    this.#name = nameOf(name)
    const info = spki(publicKey)
    this.#keyId = keyIdOf(info)
    const now = Date.now()
    const body = tbs(this.#name, this.#name, info, { from: now - BACKDATED_MS, to: now + AUTHORITY_DAYS * DAY_MS }, [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), true),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(this.#keyId)),
    ])
    this.certificate = pemOf(this.#sign(body))
  }

  /** `name` is what certificates say who issued them, such as `sidegate cluster`. */
  static create(name: string): Authority {
    return new Authority(name)
  }

  /** A new key and a certificate for these host names and addresses. */
  issue(names: readonly string[]): ServerCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const now = Date.now()
    const expiresAt = now + SERVER_DAYS * DAY_MS
    const info = spki(publicKey)
    const body = tbs(nameOf(names[0] ?? 'sidegate'), this.#name, info, { from: now - BACKDATED_MS, to: expiresAt }, [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(
        id_ce_authorityKeyIdentifier,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(this.#keyId) }),
      ),
      extension(id_ce_subjectAltName, new SubjectAlternativeName(names.map(generalName))),
    ])
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    return { cert: pemOf(this.#sign(body)) + this.certificate, key, expiresAt }
  }

  #sign(body: TBSCertificate): ArrayBuffer {
    const bytes = AsnConvert.serialize(body)
    const signature = sign('sha256', new Uint8Array(bytes), this.#key)
    const certificate = new Certificate({
      tbsCertificate: body,
      signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 }),
      signatureValue: bufferOf(signature),
    })
    return AsnConvert.serialize(certificate)
  }
}

function tbs(
  subject: Name,
  issuer: Name,
  info: SubjectPublicKeyInfo,
  { from, to }: { readonly from: number; readonly to: number },
  extensions: Extension[],
): TBSCertificate {
  // Positive, and of 16 random bytes: RFC 5280, section 4.1.2.2.
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40
  return new TBSCertificate({
    version: Version.v3,
    serialNumber: bufferOf(serial),
    signature: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 }),
    issuer,
    validity: new Validity({ notBefore: new Date(from), notAfter: new Date(to) }),
    subject,
    subjectPublicKeyInfo: info,
    extensions: new Extensions(extensions),
  })
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

function nameOf(name: string): Name {
  const value = new AttributeValue({ utf8String: name })
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])])
}

function generalName(name: string): GeneralName {
  return isIP(name) === 0 ? new GeneralName({ dNSName: name }) : new GeneralName({ iPAddress: name })
}

function spki(key: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo)
}

/** RFC 5280, section 4.2.1.2, method 1. */
function keyIdOf({ subjectPublicKey }: SubjectPublicKeyInfo): ArrayBuffer {
  return bufferOf(createHash('sha1').update(new Uint8Array(subjectPublicKey)).digest())
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

function pemOf(der: ArrayBuffer): string {
  const base64 = Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`
}
