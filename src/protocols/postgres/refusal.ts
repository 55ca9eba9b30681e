/** Refusals in PostgreSQL's own form: an ErrorResponse that the agent's driver understands. */
import type { Refusal } from '../../gate/refusal.ts'
import { encodeErrorResponse } from './messages.ts'

/** SQLSTATEs by the refusal's code; all others are 42501, insufficient_privilege. */
const SQLSTATES: ReadonlyMap<string, string> = new Map([
  ['command.unparsable', '42601'],
  ['command.too-large', '54000'],
  ['command.unsupported', '0A000'],
  ['session.limit', '54000'],
  // admin_shutdown: what pg_terminate_backend is told as.
  ['session.ended', '57P01'],
  ['obligation.limit', '54000'],
  // query_canceled: the agent itself has taken it back.
  ['approval.withdrawn', '57014'],
  ['policy.unavailable', '57P03'],
  ['record.unavailable', '57P03'],
  ['record.spool-full', '57P03'],
  ['upstream.unavailable', '08001'],
  ['upstream.untrusted', '08001'],
  ['upstream.rejected', '08004'],
  ['protocol.violation', '08P01'],
  ['target.forbidden', '42501'],
])

export function sqlstateOf(refusal: Refusal): string {
  return SQLSTATES.get(refusal.code) ?? '42501'
}

/** The refusal of a command: the message says what, DETAIL the stable code, HINT what would be accepted. */
export function refusalResponse(refusal: Refusal, sqlstate = sqlstateOf(refusal)): Buffer {
  return response('ERROR', refusal, sqlstate)
}

/** The refusal of all that would come: the connection ends after it. */
export function farewell(refusal: Refusal, sqlstate = sqlstateOf(refusal)): Buffer {
  return response('FATAL', refusal, sqlstate)
}

function response(severity: string, refusal: Refusal, sqlstate: string): Buffer {
  const fields = new Map([
    ['S', severity],
    ['V', severity],
    ['C', sqlstate],
    ['M', refusal.message === '' ? refusal.code : refusal.message],
    ['D', refusal.code],
  ])
  if (refusal.remedy !== '') fields.set('H', refusal.remedy)
  return encodeErrorResponse(fields)
}
