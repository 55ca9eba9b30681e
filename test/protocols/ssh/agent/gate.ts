/** An agent's leg that is served by itself: whoever logs in gets one answer to every command, and the test the outcomes. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { IDENTITIES } from '../../../../src/commands/run/targets.ts'
import type { SshTargetConfig } from '../../../../src/config/schema.ts'
import { readSecret } from '../../../../src/credentials/secret.ts'
import type { Connection } from '../../../../src/net/connection.ts'
import { Listener } from '../../../../src/net/listener.ts'
import { acceptAgent, type AgentSide, prepareAgentSide } from '../../../../src/protocols/ssh/agent.ts'
import type { AcceptedAgent, AgentLeg } from '../../../../src/protocols/ssh/legs.ts'
import { removeAtExit } from '../../../support/process.ts'
import { sshClient, type SshClient } from '../../../support/ssh-clients.ts'
import { configured } from '../../../support/wiring.ts'

export const WORKLOAD = { namespace: 'shop', pod: 'agent-0', serviceAccount: 'agent', labels: {} }

export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-agent-'))
  removeAtExit(directory)
  return directory
}

/** A target that agents log in to, and that leads nowhere. */
function targetConfig(agent: object, limits: object = {}): SshTargetConfig {
  return configured('ssh', {
    upstream: { host: 'nowhere.invalid', hostKeys: ['ssh-ed25519 AAAA'] },
    agent,
    credential: { user: 'deploy', passwordFile: '/nowhere' },
    limits,
  })
}

export interface AgentGate {
  readonly port: number
  readonly side: AgentSide
  readonly config: SshTargetConfig
  /** What became of each connection, in the order in which it was known. */
  readonly outcomes: AcceptedAgent[]
  readonly failures: Error[]
  /** The next outcome that nobody has asked for yet. */
  next(): Promise<AcceptedAgent>
  /** An OpenSSH client of this gate. */
  client(user: string, settings?: Readonly<Record<string, string>>, identity?: string): SshClient
  close(): Promise<void>
}

export interface AgentGateOptions {
  readonly limits?: object
  readonly host?: string
  /** Where peers seem to come from. */
  readonly from?: string
  /** Serves an agent that has logged in; answers commands where absent. */
  readonly serve?: (leg: AgentLeg) => void
}

export async function openGate(agent: object, options: AgentGateOptions = {}): Promise<AgentGate> {
  const { host = '127.0.0.1', from, serve = answerCommands } = options
  const config = targetConfig(agent, options.limits)
  const side = await prepareAgentSide(config, { workload: WORKLOAD, identities: IDENTITIES, secret: readSecret })
  const outcomes: AcceptedAgent[] = []
  const failures: Error[] = []
  const waiting: ((outcome: AcceptedAgent) => void)[] = []
  let taken = 0
  const listener = new Listener({
    host,
    port: 0,
    connections: 100,
    failed: (error) => failures.push(error),
    serve: async (connection) => {
      const outcome = await acceptAgent(seenFrom(connection, from), config, side)
      const ended = new Promise((resolve) => connection.socket.once('close', resolve))
      outcomes.push(outcome)
      if (waiting.length > 0) taken++
      waiting.shift()?.(outcome)
      if (outcome.kind !== 'session') return
      serve(outcome.leg)
      if (!connection.socket.destroyed) await ended
    },
  })
  const port = await listener.listen()
  return {
    port,
    side,
    config,
    outcomes,
    failures,
    next: () => {
      const known = outcomes[taken]
      if (known === undefined) return new Promise((resolve) => waiting.push(resolve))
      taken++
      return Promise.resolve(known)
    },
    client: (user, settings = {}, identity) =>
      sshClient(
        {
          host,
          port,
          user,
          hostKeys: [side.knownHostsLine.replace(/^\* /, '')],
          ...(identity === undefined ? {} : { identity }),
        },
        settings,
      ),
    close: () => listener.close(0),
  }
}

/** A gate for one test, which fails when a connection failed the listener. */
export async function gateFor(t: Test, agent: object, options: AgentGateOptions = {}): Promise<AgentGate> {
  const gate = await openGate(agent, options)
  t.teardown(async () => {
    await gate.close()
    if (gate.failures.length > 0) throw new AggregateError(gate.failures, 'a connection failed the listener')
  })
  return gate
}

function seenFrom(connection: Connection, address: string | undefined): Connection {
  if (address === undefined) return connection
  return { ...connection, peer: { ...connection.peer, address }, local: false }
}

/** What is called by name comes back, so that a test sees that its command arrived. */
function answerCommands({ client, proven }: AgentLeg): void {
  client.on('session', (accept) => {
    accept().on('exec', (acceptExec, _, { command }) => {
      const channel = acceptExec()
      channel.write(`${proven.method} ${proven.user}: ${command}\n`)
      channel.exit(0)
      channel.end()
    })
  })
}
