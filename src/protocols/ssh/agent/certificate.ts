/** User certificates of OpenSSH, signed by an authority that the target knows. */
import type { PublicKey } from '../../../config/public-key.ts'
import type { Identities } from '../../protocol.ts'
import { type Certificate, CERTIFICATE_TYPES, isCertificateAlgorithm, parseCertificate } from '../keys/certificate.ts'
import { KeyError } from '../keys/errors.ts'
import { algorithmsOf, verifySignature } from '../keys/signature.ts'
import { trustUserCertificate } from '../keys/trust.ts'
import { ACCEPTABLE, type Authenticator, type Judgement, type OfferedKey, proven, rejected } from './judgement.ts'
import { unsigned } from './key.ts'

export function verifyCertificates(authorities: readonly PublicKey[], identities: Identities): Authenticator {
  return {
    methods: ['publickey'],
    judge: (attempt, { address }) => {
      if (attempt.method !== 'publickey') return rejected('identity.missing', 'this target takes a certificate')
      const { user, key: offered } = attempt
      if (!isCertificateAlgorithm(offered.algorithm)) {
        return rejected('identity.invalid', 'this target takes a certificate, and no plain key', 'use CertificateFile')
      }
      try {
        return judge(offered, user, address)
      } catch (error) {
        if (error instanceof KeyError) return refused(error)
        throw error
      }
    },
  }

  function judge(offered: OfferedKey, user: string, address: string): Judgement {
    const certificate = parseCertificate(offered.blob)
    if (!algorithmFits(offered.algorithm, certificate)) {
      return rejected('identity.invalid', `the certificate does not go with the algorithm ${offered.algorithm}`)
    }
    const restriction = trustUserCertificate(certificate, { authorities, user, address, now: Date.now() })
    if (offered.proof === null) return ACCEPTABLE
    const { signed, signature } = offered.proof
    if (!signs(offered.algorithm, certificate, signed, signature)) return unsigned()
    const { key, keyId, principals, authority } = certificate
    const serial = certificate.serial.toString()
    const { fingerprint } = key
    const by = authority.fingerprint
    return proven({
      principal: identities.certificate({ user, keyId, serial, principals, fingerprint, authority: by }),
      user,
      method: 'certificate',
      attributes: { key: fingerprint, certificate: keyId, serial, authority: by },
      restriction,
    })
  }
}

/** RSA's certificates go by the name of the signature that is meant, or by their own (asyncssh). */
function algorithmFits(algorithm: string, { key }: Certificate): boolean {
  if (algorithm === CERTIFICATE_TYPES[key.type]) return true
  return algorithmsOf(key.type).some((name) => algorithm === `${name}-cert-v01@openssh.com`)
}

/** What is signed with must be what the request said; where it said RSA only, anything but SHA-1. */
function signs(algorithm: string, { key }: Certificate, signed: Buffer, signature: Buffer): boolean {
  const named = signature.subarray(4, 4 + (signature.length >= 4 ? signature.readUInt32BE() : 0)).toString('latin1')
  const meant = algorithm === CERTIFICATE_TYPES['ssh-rsa'] || algorithm === `${named}-cert-v01@openssh.com`
  return meant && verifySignature(key, signed, signature)
}

function refused({ code, message }: KeyError): Judgement {
  return rejected(code === 'certificate.expired' ? 'identity.expired' : 'identity.invalid', message)
}
