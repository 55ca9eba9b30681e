/** Why a request does not reach the API server, or not as somebody whom it knows. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'

export type UpstreamCode = 'upstream.unavailable' | 'upstream.untrusted' | 'upstream.rejected'

/** An agent may read the message; the cause is for the log. */
export class UpstreamError extends Error {
  readonly code: UpstreamCode

  constructor(code: UpstreamCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'UpstreamError'
    this.code = code
  }
}

const REMEDY: Readonly<Record<UpstreamCode, string>> = {
  'upstream.unavailable': 'try again later',
  'upstream.untrusted': 'tell whoever runs the sidecar',
  'upstream.rejected': 'tell whoever runs the sidecar',
}

/** OpenSSL's alerts as Node names them: the server read our certificate, and does not want it. */
const CERTIFICATE_ALERT = /^ERR_SSL_.*ALERT_.*CERTIFICATE/
/** Node's own checks, OpenSSL's verdicts on a chain, and a peer that does not speak TLS as it must. */
const UNPROVEN =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_)/

/** What connecting or asking failed with, as one of the codes. */
export function upstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'credential.unreadable') {
    return new UpstreamError('upstream.rejected', 'the credential of the sidecar cannot be read', error)
  }
  if (CERTIFICATE_ALERT.test(code)) {
    return new UpstreamError('upstream.rejected', 'the API server did not accept the certificate of the sidecar', error)
  }
  if (UNPROVEN.test(code)) {
    return new UpstreamError('upstream.untrusted', 'the API server could not prove who it is', error)
  }
  return new UpstreamError('upstream.unavailable', 'the API server cannot be reached, or went away', error)
}

export function upstreamRefusal(error: unknown): Refusal {
  const { code, message } = upstreamError(error)
  return refusal(code, message, REMEDY[code])
}
