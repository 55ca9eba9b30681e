export type IdentityErrorCode = 'identity.missing' | 'identity.invalid' | 'identity.expired' | 'identity.keys'

/** An identity that was not accepted, or keys that cannot be read. The message says why without quoting the token. */
export class IdentityError extends Error {
  readonly code: IdentityErrorCode

  constructor(code: IdentityErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'IdentityError'
    this.code = code
  }
}
