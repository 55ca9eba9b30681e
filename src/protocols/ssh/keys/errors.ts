/** What is wrong with a key, a certificate or a signature. An agent may read the message; it holds nothing of a private key. */
export type KeyErrorCode =
  /** The bytes are none, or not of a kind that is still trusted. */
  | 'key.malformed'
  | 'key.passphrase'
  | 'certificate.malformed'
  /** Of a host where a user's is due, or the other way round. */
  | 'certificate.type'
  | 'certificate.authority'
  | 'certificate.signature'
  | 'certificate.expired'
  | 'certificate.not-yet'
  | 'certificate.principal'
  /** It demands something that cannot be kept. */
  | 'certificate.option'
  | 'certificate.source'

export class KeyError extends Error {
  override readonly name = 'KeyError'
  readonly code: KeyErrorCode

  constructor(code: KeyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
