/** A JSON Web Token in the place of the password. */
import type { TokenVerifier } from '../../protocol.ts'
import { type Authenticator, type Judgement, proven, rejected } from './judgement.ts'

/** OpenSSH reads a password into 1,024 bytes and cuts off the rest, whether it is typed or comes from SSH_ASKPASS. */
export const LONGEST_TYPED = 1_023

export function verifyTokens(verifier: TokenVerifier): Authenticator {
  return {
    // Asked for in parts, a token of any length comes through.
    methods: ['keyboard-interactive', 'password'],
    judge: async (attempt) => {
      if (attempt.method !== 'password') return rejected('identity.missing', 'this target takes a token as password')
      const { user, password } = attempt
      try {
        const principal = await verifier.verify(password)
        return proven({ principal, user, method: 'password', attributes: {} })
      } catch (error) {
        return refused(password, error)
      }
    },
  }
}

function refused(token: string, error: unknown): Judgement {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (token.length === LONGEST_TYPED) {
    const remedy = 'let the client use keyboard-interactive, and answer each prompt from the character that it names on'
    return rejected('identity.invalid', `the token was cut off by the client after ${LONGEST_TYPED} characters`, remedy)
  }
  if (code === 'identity.missing' || code === 'identity.invalid' || code === 'identity.expired') {
    return rejected(code, (error as Error).message)
  }
  return rejected('identity.invalid', 'the sidecar cannot verify tokens at the moment')
}
