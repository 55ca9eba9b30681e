/**
 * Why there is no upstream leg. The message is for the agent: it holds no secret, no file's name and no word of the host's.
 * What only the operator may know is the `cause`.
 */
import { refusal, type RefusalCode } from '../../../gate/refusal.ts'
import { UpstreamError } from '../legs.ts'

export function upstreamError(code: RefusalCode, message: string, cause?: unknown, remedy = ''): UpstreamError {
  return new UpstreamError(refusal(code, message, remedy), { cause })
}

/** A setting, or a file that it names, with which no connection could be made. */
export class UpstreamConfigurationError extends Error {
  override readonly name = 'UpstreamConfigurationError'
  readonly code = 'config.upstream'

  /** The key counts from the target: `upstream.hostKeys[0]`. */
  constructor(target: string, key: string, message: string, cause?: unknown) {
    super(`targets.${target}.${key} ${message}`, { cause })
  }
}

/** What went wrong on the way to the host, as the agent is told it. */
export function upstreamFailure(error: unknown, signal: AbortSignal): UpstreamError {
  if (error instanceof UpstreamError) return error
  if (!signal.aborted) return upstreamError('upstream.unavailable', 'the target cannot be reached', error)
  const late = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  const message = late ? 'the target did not answer in time' : 'connecting to the target was given up'
  return upstreamError('upstream.unavailable', message, error)
}
