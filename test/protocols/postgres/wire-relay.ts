/** The wire alone, for tests of the wire: what an agent sends goes to the target as it is, once both sides are set up. */
import { IDENTITIES } from '../../../src/commands/run/targets.ts'
import type { PostgresTargetConfig } from '../../../src/config/schema.ts'
import { readSecret } from '../../../src/credentials/secret.ts'
import type { Connection } from '../../../src/net/connection.ts'
import { Listener } from '../../../src/net/listener.ts'
import { PIECE, FRAME, NONE, RUN, type FrameReader } from '../../../src/protocols/postgres/framing.ts'
import { BACKEND } from '../../../src/protocols/postgres/messages.ts'
import {
  acceptAgent,
  type Accepted,
  type AcceptedSession,
  dismiss,
  prepareAgentSide,
  welcome,
} from '../../../src/protocols/postgres/startup.ts'
import { cancelUpstream, connectUpstream, type Upstream } from '../../../src/protocols/postgres/upstream.ts'
import { CancelKeys } from '../../../src/protocols/postgres/upstream/cancel-keys.ts'
import { configured } from '../../support/wiring.ts'

export const WORKLOAD = { namespace: 'shop', pod: 'agent-0', serviceAccount: 'agent', labels: {} }

/** A target as the configuration would give it, defaults included. */
export function target(settings: Record<string, unknown>): PostgresTargetConfig {
  return configured(
    'postgres',
    {
      upstream: { host: '127.0.0.1', tls: 'disable' },
      agent: { authenticate: 'none' },
      databases: 'any',
      credential: { user: 'postgres' },
      ...settings,
    },
    'db',
  )
}

export interface WireRelay {
  readonly port: number
  /** What became of the connections so far. */
  readonly accepted: Accepted[]
  /** What went wrong on the way to the target. */
  readonly failures: unknown[]
  close(): Promise<void>
}

/** `remote`: connections count as coming from elsewhere than loopback. */
export async function startWireRelay(config: PostgresTargetConfig, remote = false): Promise<WireRelay> {
  const side = await prepareAgentSide(config, { workload: WORKLOAD, identities: IDENTITIES, secret: readSecret })
  const keys = new CancelKeys()
  const accepted: Accepted[] = []
  const failures: unknown[] = []

  const serve = async (connection: Connection) => {
    const agent = await acceptAgent(remote ? { ...connection, local: false } : connection, config, side)
    accepted.push(agent)
    if (agent.kind === 'cancel') keys.cancel(agent.request)
    if (agent.kind !== 'session') return
    try {
      const upstream = await connectTo(config, agent)
      await join(agent, upstream, config, keys)
    } catch (error) {
      failures.push(error)
      await dismiss(agent, error)
    }
  }
  const options = { host: '127.0.0.1', port: 0, connections: 20, serve, failed: (error: Error) => failures.push(error) }
  const listener = new Listener(options)
  const port = await listener.listen()
  return { port, accepted, failures, close: async () => await listener.close(100) }
}

async function connectTo(config: PostgresTargetConfig, agent: AcceptedSession): Promise<Upstream> {
  const { credential } = config
  const single = 'user' in credential ? credential : null
  const file = single?.passwordFile
  return await connectUpstream(config.upstream, {
    user: single?.user ?? agent.user,
    password: async () => (file === undefined ? null : await readSecret(file)),
    database: agent.database,
    searchPath: config.searchPath,
    applicationName: agent.applicationName,
    settings: agent.settings,
    protocol: agent.protocol,
    timeout: 2_000,
    signal: agent.signal,
    limits: config.limits,
  })
}

async function join(agent: AcceptedSession, upstream: Upstream, config: PostgresTargetConfig, keys: CancelKeys) {
  const cancel = () => void cancelUpstream(config.upstream, upstream.key)
  const { key, unregister } = keys.register(upstream.key.processId, agent.protocol, cancel)
  upstream.reader.runOf = BACKEND.DataRow
  await new Promise<void>((resolve) => {
    const leave = () => {
      agent.leg.destroy()
      upstream.leg.destroy()
      resolve()
    }
    const pass = (reader: FrameReader, write: (bytes: Buffer) => void) => {
      for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
        if (kind === FRAME || kind === RUN || kind === PIECE) {
          write(Buffer.from(reader.buffer.subarray(reader.start, reader.end)))
        }
      }
    }
    const toAgent = () => pass(upstream.reader, (bytes) => agent.leg.write(bytes))
    const toTarget = () => pass(agent.reader, (bytes) => upstream.leg.write(bytes))
    const handlers = (reader: FrameReader, forward: () => void) => ({
      chunk(bytes: Buffer) {
        reader.feed(bytes)
        forward()
      },
      drain: () => {},
      end: leave,
      close: leave,
    })
    upstream.handshake.handOver(handlers(upstream.reader, toAgent))
    agent.handshake.handOver(handlers(agent.reader, toTarget))
    agent.leg.write(welcome(agent, { parameters: upstream.parameters, ...key }))
    toAgent()
    toTarget()
  })
  unregister()
}
