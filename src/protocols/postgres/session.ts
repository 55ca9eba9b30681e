/** One agent connection, from its first byte to its last. */
import type { Logger } from 'pino'
import type { PostgresTargetConfig } from '../../config/schema.ts'
import { context } from '../../gate/session.ts'
import type { Connection } from '../../net/connection.ts'
import type { Wiring } from '../protocol.ts'
import { Conversation } from './conversation.ts'
import type { Database } from './databases.ts'
import { ConnectionRefused } from './connection-refused.ts'
import { acceptAgent, type AcceptedSession, type AgentSide, dismiss, welcome } from './startup.ts'
import { cancelUpstream, connectUpstream, pinnedSettings, type Upstream } from './upstream.ts'
import type { CancelKeys } from './upstream/cancel-keys.ts'

/** What all sessions of a target share. */
export interface Shared {
  readonly config: PostgresTargetConfig
  readonly wiring: Wiring
  readonly side: AgentSide
  readonly keys: CancelKeys
  database(agent: { readonly database: string; readonly user: string }): Database
}

/** Serves a connection. Never rejects: whatever goes wrong ends it, and is logged. */
export async function serve(connection: Connection, shared: Shared): Promise<void> {
  const { config, side, keys, wiring } = shared
  const accepted = await acceptAgent(connection, config, side)
  switch (accepted.kind) {
    case 'session':
      return await serveSession(connection, accepted, shared)
    case 'cancel':
      keys.cancel(accepted.request)
      return
    case 'refused':
      wiring.log.info({ code: accepted.refusal.code, reason: accepted.error.message }, 'a connection was refused')
      return
    case 'lost':
      wiring.log.debug({ reason: accepted.error.message }, 'a connection was lost before it was set up')
  }
}

async function serveSession(connection: Connection, agent: AcceptedSession, shared: Shared): Promise<void> {
  const { config, wiring, keys } = shared
  const log = wiring.log.child({ database: agent.database })
  const database = shared.database(agent)
  let joined = false
  let upstream: Upstream | null = null
  let conversation: Conversation | null = null
  try {
    upstream = await connectUpstream(config.upstream, upstreamRequest(agent, shared))
    await database.join()
    joined = true
    const session = wiring.gate.open(
      context(agent.principal, wiring.workload, wiring.identity),
      attributes(connection, agent),
      (because) => conversation?.end(because),
    )
    const of = { session, database, log: log.child({ session: session.id }) }
    await converse(connection, agent, upstream, of)
  } catch (error) {
    const refused = error instanceof ConnectionRefused ? error : unavailable(error)
    log.warn({ err: error, code: refused.code }, 'a session could not begin')
    upstream?.leg.destroy()
    await dismiss(agent, refused)
  } finally {
    if (joined) database.leave()
  }

  /** Up to the end of the conversation, whose session is over then, and until the agent has read its last answers. */
  async function converse(
    from: Connection,
    { handshake, leg, reader, protocol }: AcceptedSession,
    to: Upstream,
    of: { session: ReturnType<typeof wiring.gate.open>; database: Database; log: Logger },
  ): Promise<void> {
    const cancel = () =>
      cancelUpstream(config.upstream, to.key).catch((error: unknown) => of.log.warn({ err: error }, 'a cancel failed'))
    const between = new Conversation(
      { agent: leg, reader, upstream: to.leg, upstreamReader: to.reader, cancel },
      {
        gate: wiring.gate,
        session: of.session,
        log: of.log,
        limits: config.limits,
        analyses: of.database,
        obligations: of.database.obligations,
        pinned: pinnedSettings(config.searchPath),
        encoding: to.parameters.get('server_encoding') ?? 'unknown',
        signal: from.signal,
      },
    )
    conversation = between
    const { key, unregister } = keys.register(to.key.processId, protocol, () => between.cancel())
    try {
      to.handshake.handOver(between.upstream)
      handshake.handOver(between.agent)
      leg.write(welcome(agent, { parameters: to.parameters, ...key }))
      between.begin()
    } catch (error) {
      // One of them left while the other was being connected.
      of.log.info({ err: error }, 'a session ended before it began')
      between.abandon()
    }
    wiring.gate.close(of.session, await between.ended)
    unregister()
    await between.closed
  }
}

function upstreamRequest(agent: AcceptedSession, { config, wiring }: Shared) {
  const { user, passwordFile } = credentialOf(config, agent.user)
  return {
    user,
    password: async () => (passwordFile === undefined ? null : await wiring.secret(passwordFile)),
    database: agent.database,
    searchPath: config.searchPath,
    applicationName: agent.applicationName,
    settings: agent.settings,
    protocol: agent.protocol,
    timeout: config.limits.handshake,
    signal: agent.signal,
    limits: config.limits,
  }
}

/** The upstream role, and where its password lies, for what the agent calls itself. */
export function credentialOf(
  { credential }: PostgresTargetConfig,
  agentUser: string,
): { user: string; passwordFile?: string | undefined } {
  if ('user' in credential) return credential
  if (credential.users === 'any') return { user: agentUser }
  const found = new Map(Object.entries(credential.users)).get(agentUser)
  if (found === undefined)
    throw new ConnectionRefused('target.forbidden', '28000', `role "${agentUser}" is not offered by this target`)
  return found
}

function attributes({ peer }: Connection, agent: AcceptedSession): Record<string, string> {
  return {
    database: agent.database,
    user: agent.user,
    application: agent.applicationName,
    client: `${peer.address}:${peer.port}`,
    encrypted: String(agent.encrypted),
  }
}

/** The journal, the catalogue: whatever is missing, the agent gets no session. */
function unavailable(error: unknown): ConnectionRefused {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'record.unavailable' || code === 'record.spool-full') {
    return new ConnectionRefused(code, '57P03', 'the session cannot be recorded', {
      cause: error,
      remedy: 'try again later',
    })
  }
  return new ConnectionRefused('upstream.unavailable', '08006', 'the catalogue of the database cannot be read', {
    cause: error,
  })
}
