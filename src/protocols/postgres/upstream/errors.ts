import { NetError } from '../../../net/errors.ts'
import { ConnectionRefused } from '../connection-refused.ts'
import { decodeErrorResponse } from '../messages/backend.ts'
import { ProtocolViolation } from '../messages/violation.ts'

/**
 * What an agent is told when the target refuses us. The target's own words name our user, its files and its other
 * clients, so they are for the operator alone, as the cause.
 */
export function targetError(buffer: Buffer, start: number, end: number, database: string): ConnectionRefused {
  const fields = decodeErrorResponse(buffer, start, end)
  const sqlstate = fields.get('C') ?? ''
  const cause = new Error(`${sqlstate} ${fields.get('M') ?? ''}`)
  if (sqlstate === '3D000') {
    return new ConnectionRefused('upstream.rejected', '3D000', `database "${database}" does not exist`, { cause })
  }
  if (/^28[0-9A-Z]{3}$/.test(sqlstate)) {
    return new ConnectionRefused(
      'upstream.rejected',
      '08004',
      'the target did not accept the credential of the sidecar',
      { cause },
    )
  }
  if (/^(22|42)[0-9A-Z]{3}$/.test(sqlstate)) {
    const message = 'the target did not accept a setting of the connection'
    return new ConnectionRefused('upstream.rejected', sqlstate, message, { cause })
  }
  if (/^(53|57)[0-9A-Z]{3}$/.test(sqlstate)) {
    const message = 'the target takes no connections at the moment'
    return new ConnectionRefused('upstream.unavailable', sqlstate, message, { cause })
  }
  return new ConnectionRefused('upstream.unavailable', '08004', 'the target refused the connection', { cause })
}

/** What went wrong on the way to the target, as the agent is told it. */
export function upstreamFailure(error: unknown): ConnectionRefused {
  if (error instanceof ConnectionRefused) return error
  if (error instanceof ProtocolViolation) {
    return new ConnectionRefused('upstream.unavailable', '08006', 'the target does not follow the protocol', {
      cause: error,
    })
  }
  const lost = error instanceof NetError && error.code === 'net.aborted'
  const message = lost ? 'the connection to the target was lost while it was made' : 'the target cannot be reached'
  return new ConnectionRefused('upstream.unavailable', lost ? '08006' : '08001', message, { cause: error })
}
