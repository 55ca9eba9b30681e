/** One agent connection, from its first byte to its last. */
import type { SshTargetConfig } from '../../config/schema.ts'
import type { Refusal } from '../../gate/refusal.ts'
import { context, type Session } from '../../gate/session.ts'
import type { Connection } from '../../net/connection.ts'
import type { Wiring } from '../protocol.ts'
import { forbiddenBy } from './agent/restriction.ts'
import type { Commands } from './commands.ts'
import { Conversation } from './conversation.ts'
import type { AcceptedAgent, AgentLeg, UpstreamLeg } from './legs.ts'

/** What all sessions of a target share. */
export interface Shared {
  readonly config: SshTargetConfig
  readonly wiring: Wiring
  readonly commands: Commands
  accept(connection: Connection): Promise<AcceptedAgent>
  /** Dials the host as the login that the agent's user name stands for. Fails with an {@link UpstreamError}. */
  connect(user: string, signal: AbortSignal, session: string): Promise<UpstreamLeg>
}

/** Serves a connection. Never rejects: whatever goes wrong ends it, and is logged. */
export async function serve(connection: Connection, shared: Shared): Promise<void> {
  const { log } = shared.wiring
  const accepted = await shared.accept(connection)
  switch (accepted.kind) {
    case 'session':
      return await serveSession(connection, accepted.leg, shared)
    case 'refused':
      log.info({ code: accepted.refusal.code, reason: accepted.refusal.message }, 'a connection was refused')
      return
    case 'lost':
      log.debug({ reason: accepted.error.message }, 'a connection was lost before it was set up')
  }
}

async function serveSession(connection: Connection, leg: AgentLeg, shared: Shared): Promise<void> {
  const { config, wiring, commands } = shared
  const { gate, workload, identity, log } = wiring
  const { principal, user } = leg.proven
  let conversation: Conversation | null = null
  let session: Session
  try {
    const end = (because: Refusal) => conversation?.end(because, because.code)
    session = gate.open(context(principal, workload, identity), attributes(connection, leg), end)
    session.forbids = forbiddenBy(leg.proven.restriction)
  } catch (error) {
    log.error({ err: error }, 'a session could not be recorded, and was not begun')
    leg.client.end()
    return
  }
  conversation = new Conversation(leg, {
    gate,
    session,
    config,
    commands,
    log: log.child({ session: session.id }),
    user: loginOf(config, user),
    connect: (signal) => shared.connect(user, signal, session.id),
    signal: connection.signal,
  })
  conversation.begin()
  gate.close(session, await conversation.ended)
  await conversation.closed
}

/** The login name upstream for what the agent calls itself; its own where none is offered, which is refused at the dial. */
export function loginOf({ credential }: SshTargetConfig, user: string): string {
  if ('user' in credential) return credential.user
  return new Map(Object.entries(credential.users)).get(user)?.user ?? user
}

function attributes({ peer }: Connection, { proven, software }: AgentLeg): Record<string, string> {
  return {
    ...proven.attributes,
    user: proven.user,
    method: proven.method,
    software,
    client: `${peer.address}:${peer.port}`,
  }
}
