/**
 * Whether what a host shows proves that it is the host: a key that is pinned, a key of the `known_hosts` file, or a
 * certificate of an authority. Nothing else does, and nothing is learned from what was seen before.
 */
import { fingerprintOf, parsePublicKeyBlob, type PublicKey } from '../../../config/public-key.ts'
import { SIGNATURES } from '../algorithms.ts'
import { type Certificate, isCertificateAlgorithm, parseCertificate } from '../keys/certificate.ts'
import { KeyError } from '../keys/errors.ts'
import { trustHostCertificate } from '../keys/trust.ts'
import type { UpstreamLeg } from '../legs.ts'
import { type KnownHost, lookupName } from '../../../config/known-hosts.ts'
import { CERTIFICATE_SUFFIX } from './ssh2/certificates.ts'

export type Judgement =
  /** `key` is the one whose holder must have signed the exchange, and `fingerprint` is its own. */
  | { readonly kind: 'known'; readonly key: Buffer; readonly fingerprint: string; readonly by: By }
  /** `why` is a whole sentence, for the agent too. */
  | { readonly kind: 'refused'; readonly why: string; readonly fingerprint: string; readonly cause?: unknown }

type By = UpstreamLeg['host']['by']

export interface Pins {
  readonly host: string
  readonly port: number
  readonly keys: readonly PublicKey[]
  /** Those that may sign the host's certificate. */
  readonly authorities: readonly PublicKey[]
  readonly knownHosts: readonly KnownHost[]
}

/** How a key came to be trusted. What the configuration names goes before what the file does. */
interface Trusted extends PublicKey {
  readonly by: By
}

export class HostTrust {
  /** The names that a certificate may hold for: that of the host, and that of the host at its port. */
  readonly #names: readonly string[]
  readonly #keys: readonly Trusted[]
  readonly #authorities: readonly PublicKey[]
  readonly #revoked: readonly Buffer[]

  constructor({ host, port, keys, authorities, knownHosts }: Pins) {
    const name = lookupName(host, port)
    this.#names = [...new Set([host.toLowerCase(), name])]
    const lines = knownHosts.filter(({ matches }) => matches(name))
    const marked = (marker: 'key' | 'authority') => lines.flatMap((line) => (line.marker === marker ? [line.blob] : []))
    this.#keys = [
      ...keys.map((key): Trusted => ({ ...key, by: 'key' })),
      ...usable(marked('key')).map((key): Trusted => ({ ...key, by: 'known-hosts' })),
    ]
    this.#authorities = [...authorities, ...usable(marked('authority'))]
    // At whatever port: who revokes the key of a host means it.
    const names = this.#names
    const revokes = ({ marker, matches }: KnownHost) => marker === 'revoked' && names.some((each) => matches(each))
    this.#revoked = knownHosts.filter(revokes).map(({ blob }) => blob)
  }

  /** Whether nothing at all could prove the host. */
  get empty(): boolean {
    return this.#keys.length === 0 && this.#authorities.length === 0
  }

  /**
   * The algorithms to offer, most wanted first: a host shows the key of the first that it has, so those go first by which it
   * could prove itself. The others follow, so that it can be said what a wrong host showed.
   */
  algorithms(): string[] {
    const pinned = new Set<string>(this.#keys.map(({ type }) => type))
    const isPinned = (algorithm: string) => pinned.has(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)
    const plain = [...SIGNATURES.filter(isPinned), ...SIGNATURES.filter((algorithm) => !isPinned(algorithm))]
    if (this.#authorities.length === 0) return plain
    return [...SIGNATURES.map((algorithm) => algorithm + CERTIFICATE_SUFFIX), ...plain]
  }

  /** Judges a key or a certificate. Never throws: what cannot be read proves nothing. */
  judge(shown: Buffer, now: number): Judgement {
    try {
      if (!isCertificateAlgorithm(typeOf(shown))) return this.#judgeKey(shown, fingerprintOf(shown))
      return this.#judgeCertificate(parseCertificate(shown), now)
    } catch (error) {
      // What cannot be read may quote what an unproven host wrote, and that is not for an agent.
      const read = error instanceof KeyError && error.code !== 'certificate.malformed'
      const why = read ? error.message : 'its certificate cannot be read'
      return { kind: 'refused', why, fingerprint: fingerprintOf(shown), cause: error }
    }
  }

  #judgeKey(key: Buffer, fingerprint: string): Judgement {
    if (this.#isRevoked(key)) return { kind: 'refused', why: 'its key is revoked', fingerprint }
    const trusted = this.#keys.find(({ blob }) => blob.equals(key))
    if (trusted === undefined) return { kind: 'refused', why: `its key, ${fingerprint}, is not known`, fingerprint }
    return { kind: 'known', key, fingerprint, by: trusted.by }
  }

  #judgeCertificate(certificate: Certificate, now: number): Judgement {
    const { key, authority } = certificate
    const { blob, fingerprint } = key
    if (this.#isRevoked(blob)) return { kind: 'refused', why: 'its certified key is revoked', fingerprint }
    if (this.#isRevoked(authority.blob)) return { kind: 'refused', why: 'its authority is revoked', fingerprint }
    const known = this.#authorities.some((trusted) => trusted.blob.equals(authority.blob))
    // The key within may be pinned itself, and its holder signs the exchange either way.
    const plain = this.#judgeKey(blob, fingerprint)
    if (!known && plain.kind === 'known') return plain
    this.#trustCertificate(certificate, now)
    return { kind: 'known', key: blob, fingerprint, by: 'authority' }
  }

  #trustCertificate(certificate: Certificate, now: number): void {
    const authorities = this.#authorities
    for (const [index, host] of this.#names.entries()) {
      try {
        return trustHostCertificate(certificate, { now, authorities, host })
      } catch (error) {
        const other = error instanceof KeyError && error.code === 'certificate.principal'
        if (!other || index === this.#names.length - 1) throw error
      }
    }
  }

  #isRevoked(blob: Buffer): boolean {
    return this.#revoked.some((revoked) => revoked.equals(blob))
  }
}

/** Keys of a file of which many are others' business: one of a kind that is not trusted proves nothing, and that is all. */
function usable(blobs: readonly Buffer[]): PublicKey[] {
  return blobs.flatMap((blob) => {
    try {
      return [parsePublicKeyBlob(blob)]
    } catch {
      return []
    }
  })
}

/** The type that a key or a certificate begins with. */
function typeOf(blob: Buffer): string {
  const length = blob.length < 4 ? 0 : blob.readUInt32BE(0)
  return length > 64 ? '' : blob.toString('latin1', 4, 4 + length)
}
