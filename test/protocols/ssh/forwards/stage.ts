/** Forwarding between real SSH connections: an agent's client, both of Sidegate's legs, and a server that a test scripts. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import ssh2, { type Client, type Connection, type Server } from 'ssh2'
import { Gate } from '../../../../src/gate/gate.ts'
import type { Refusal } from '../../../../src/gate/refusal.ts'
import type { Session } from '../../../../src/gate/session.ts'
import { Channels, type ChannelsOptions } from '../../../../src/protocols/ssh/channels/channels.ts'
import { UpstreamError } from '../../../../src/protocols/ssh/legs.ts'
import { Forwarding } from '../../../../src/protocols/ssh/forwards/forwarding.ts'
import type { Lookup } from '../../../../src/protocols/ssh/forwards/resolve.ts'
import { CONTEXT, type FakeApproval, FakePolicy, FakeRecord } from '../../../support/fakes.ts'

const HOST_KEY = ssh2.utils.generateKeyPairSync('ed25519').private

interface Test {
  after(callback: () => unknown): void
}

/** Where a real server stands in for the scripted one. */
export interface RealUpstream {
  readonly port: number
  readonly user: string
  readonly privateKey: string
}

export interface StageOptions {
  readonly policy?: FakePolicy
  readonly approval?: FakeApproval
  readonly channels?: number
  readonly inFlight?: number
  readonly lookUp?: Lookup
  /** Scripts the upstream host's side of a connection. */
  readonly upstream?: (connection: Connection) => void
  readonly real?: RealUpstream
  /** The upstream leg cannot be had. */
  readonly unreachable?: Refusal
}

export interface Stage {
  /** The agent's client, or the port for one. */
  readonly agent: Client
  readonly port: number
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  readonly session: Session
  /** Of the agent's latest connection. */
  readonly forwarding: Forwarding
  readonly agentChannels: Channels
  readonly upstreamChannels: Channels
  /** The sidecar's two ends. */
  readonly server: Connection
  readonly upstreamClient: Client
  readonly violations: unknown[]
}

export const GREETING = 'OpenSSH_9.9'

/** An SSH server on a free port of the loopback. */
async function serve(t: Test, connected: (connection: Connection) => void): Promise<number> {
  const server: Server = new ssh2.Server(
    { hostKeys: [HOST_KEY], ident: GREETING, keepaliveInterval: 0 },
    (connection) => {
      connection.on('error', () => {})
      connection.on('authentication', (context) => context.accept())
      connection.on('ready', () => connected(connection))
      t.after(() => connection.end())
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

export async function dial(t: Test, port: number, options: Partial<RealUpstream> = {}): Promise<Client> {
  const client = new ssh2.Client()
  const { user = 'agent', privateKey } = options
  const ready = once(client, 'ready')
  client.connect({
    host: '127.0.0.1',
    port,
    username: user,
    ...(privateKey === undefined ? {} : { privateKey }),
    keepaliveInterval: 0,
  })
  await ready
  client.on('error', () => {})
  t.after(() => client.end())
  return client
}

/** A stage on which the agent is connected. */
export async function stage(t: Test, options: StageOptions = {}): Promise<Stage> {
  const {
    policy = new FakePolicy(),
    approval,
    channels = 64,
    inFlight = 256 * 1024,
    lookUp,
    real,
    unreachable,
  } = options
  const record = new FakeRecord()
  const gate = new Gate(policy, record, approval ?? null)
  const session = gate.open(CONTEXT)
  const violations: unknown[] = []
  const scripted = real?.port ?? (await serve(t, (connection) => options.upstream?.(connection)))
  const upstreamClient = await dial(t, scripted, real ?? {})
  const made = Promise.withResolvers<Pick<Stage, 'forwarding' | 'agentChannels' | 'server'>>()
  const common = { window: inFlight, violated: (violation: unknown) => violations.push(violation) }
  let forwarding: Forwarding
  const channelsOf = (leg: Client | Connection, most: number, open: ChannelsOptions['open']) => {
    const all = new Channels(leg, { ...common, most, open })
    leg.on('close', () => {
      forwarding.close(null)
      all.lost()
    })
    return all
  }
  const upstreamChannels = channelsOf(upstreamClient, 1000, (open) => {
    if (open.type !== 'session') forwarding.incoming(open)
    return open.type !== 'session'
  })
  const port = await serve(t, (server) => {
    const agentChannels = channelsOf(server, channels, (open) => {
      if (open.type !== 'session') forwarding.open(open)
      return open.type !== 'session'
    })
    const upstream = async () => {
      if (unreachable !== undefined) throw new UpstreamError(unreachable)
      return { client: upstreamClient, channels: upstreamChannels }
    }
    const more = lookUp === undefined ? {} : { lookUp }
    const setting = {
      gate,
      session,
      log: pino({ level: 'silent' }),
      user: 'deploy',
      client: server,
      channels: agentChannels,
    }
    forwarding = new Forwarding({ ...setting, ...more, upstream, limits: { channels } })
    made.resolve({ forwarding, agentChannels, server })
  })
  const agent = await dial(t, port)
  return {
    ...(await made.promise),
    agent,
    port,
    policy,
    record,
    gate,
    session,
    upstreamChannels,
    upstreamClient,
    violations,
  }
}

/** What a client's channel hears until it is closed. */
export async function collect(channel: NodeJS.ReadableStream): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of channel) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** Waits until something holds, a few seconds at most. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5000
  while (!holds()) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Why something could not be opened. */
export async function failure(
  opening: Promise<unknown>,
): Promise<{ readonly reason: number; readonly message: string }> {
  try {
    await opening
  } catch (error) {
    return error as { reason: number; message: string }
  }
  throw new Error('it was opened')
}
