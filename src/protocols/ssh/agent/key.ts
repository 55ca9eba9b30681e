/** Public keys: each user's own, known to the sidecar. */
import type { PublicKey } from '../../../config/public-key.ts'
import type { Identities } from '../../protocol.ts'
import { isCertificateAlgorithm } from '../keys/certificate.ts'
import { verifyDecoded } from '../keys/signature.ts'
import { ACCEPTABLE, type Authenticator, type OfferedKey, proven, rejected } from './judgement.ts'

export function verifyKeys(users: ReadonlyMap<string, readonly PublicKey[]>, identities: Identities): Authenticator {
  return {
    methods: ['publickey'],
    judge: (attempt) => {
      if (attempt.method !== 'publickey') return rejected('identity.missing', 'this target takes a public key')
      const { user, key: offered } = attempt
      if (isCertificateAlgorithm(offered.algorithm)) {
        return rejected('identity.invalid', 'this target takes plain keys, and no certificates')
      }
      // Two keys are the same if all their bytes are.
      const known = users.get(user)?.find(({ blob }) => blob.equals(offered.blob))
      // The same words whether the user is known or not.
      if (known === undefined) return rejected('identity.invalid', `the key that was offered is none of ${user}’s`)
      const algorithm = signatureAlgorithm(offered)
      if (algorithm === null) {
        return rejected('identity.invalid', 'the key signs with SHA-1, which is not taken', 'sign with rsa-sha2-256')
      }
      if (offered.proof === null) return ACCEPTABLE
      const { signed, signature } = offered.proof
      if (!verifyDecoded(known, algorithm, signed, signature)) return unsigned()
      const { fingerprint } = known
      return proven({
        principal: identities.key(user, fingerprint),
        user,
        method: 'key',
        attributes: { key: fingerprint },
      })
    },
  }
}

/** ssh2 holds only the key to verify it with: a signature that is not the key's proves nothing. */
export function unsigned() {
  return rejected('identity.invalid', 'the login was not signed by the key that was offered')
}

/** Null for RSA with SHA-1. */
function signatureAlgorithm({ algorithm, hash }: OfferedKey): string | null {
  if (algorithm !== 'ssh-rsa') return algorithm
  if (hash === 'sha256') return 'rsa-sha2-256'
  return hash === 'sha512' ? 'rsa-sha2-512' : null
}
