/** What runs through the gate now, and its kill switch: for the admin port. */
import type { Logger } from 'pino'
import type { Gate } from '../../gate/gate.ts'
import type { Session, Usage } from '../../gate/session.ts'
import { json, type Reply } from './http.ts'

export interface SessionStatus {
  readonly id: string
  readonly target: string
  readonly protocol: string
  readonly principal: string
  /** RFC 3339. */
  readonly since: string
  readonly usage: Readonly<Usage>
  /** What the protocol says of it: database, login, client. Never a secret. */
  readonly attributes: Readonly<Record<string, string>>
  /** An operator has ended it, and it is being closed. */
  readonly ending: boolean
}

export function sessionsOf(gate: Gate): readonly SessionStatus[] {
  return gate.sessions.map(statusOf)
}

function statusOf({ id, context, startedAt, usage, attributes, ended }: Session): SessionStatus {
  const { target, principal } = context
  return {
    id,
    target: target.name,
    protocol: target.protocol,
    principal: principal.subject,
    since: new Date(startedAt).toISOString(),
    usage: { ...usage },
    attributes,
    ending: ended !== null,
  }
}

export function endSession(gate: Gate, log: Logger, session: string, reason: string): Reply {
  if (!gate.end(session, reason)) return json(404, { error: 'there is no such session' })
  log.warn({ session, reason, code: 'session.ended' }, 'an operator ended a session')
  return json(200, { id: session, ending: true })
}
