/** The agent's leg: a server of SSH that the agent finds in the place of the host. */
import type { Socket } from 'node:net'
import ssh2, { type ClientInfo, type Connection as Client, type Server } from 'ssh2'
import { parsePublicKey, type PublicKey } from '../../config/public-key.ts'
import type { SshTargetConfig } from '../../config/schema.ts'
import type { Connection } from '../../net/connection.ts'
import type { Wiring } from '../protocol.ts'
import { verifyCertificates } from './agent/certificate.ts'
import { AgentSideError } from './agent/errors.ts'
import { knownHostsLine, loadHostKey, writeKnownHosts } from './agent/host-key.ts'
import type { Authenticator } from './agent/judgement.ts'
import { verifyKeys } from './agent/key.ts'
import { Login } from './agent/login.ts'
import { acceptWorkload } from './agent/none.ts'
import { socketOf } from './agent/ssh2.ts'
import { verifyTokens } from './agent/token.ts'
import { ALGORITHMS } from './algorithms.ts'
import type { AcceptedAgent } from './legs.ts'

/**
 * The same for every sidecar and every release, so it tells nobody what stands here. That it begins with OpenSSH makes clients
 * send SYMLINK's arguments in OpenSSH's order, the one that is judged; libssh asks for a version after it. No client has a
 * workaround for one of this name.
 */
const GREETING = 'OpenSSH_9.9'
/** Questions without an answer after which an agent is gone. */
const KEEPALIVES = 3
/** As good as never, for a timer. */
const NEVER = 2 ** 31 - 1

type Ports = Pick<Wiring, 'workload' | 'identities' | 'secret'>

/** What a target has ready for its agents. */
export interface AgentSide {
  /** The line for the agents' `known_hosts`, without a line end. */
  readonly knownHostsLine: string
  /** `SHA256:…` of the key that agents are shown. */
  readonly fingerprint: string
  /** Gives a connection to ssh2; calls back if its greeting comes. */
  readonly serve: (socket: Socket, greeted: (client: Client, info: ClientInfo) => void) => void
  readonly authenticator: Authenticator
}

/** Fails with a coded error that names the key and the file when host key, users' keys, authorities or token keys cannot be used. */
export async function prepareAgentSide({ agent, limits }: SshTargetConfig, wiring: Ports): Promise<AgentSide> {
  const authenticator = await authenticatorOf(agent, wiring)
  const hostKey = await loadHostKey(agent, wiring.secret)
  const line = knownHostsLine(hostKey)
  if (agent.knownHosts !== undefined) await writeKnownHosts(agent.knownHosts, line)
  const server = new ssh2.Server({
    hostKeys: [hostKey.exported()],
    ident: GREETING,
    algorithms: ALGORITHMS,
    keepaliveInterval: limits.keepalive === 0 ? NEVER : limits.keepalive,
    keepaliveCountMax: KEEPALIVES,
  })
  return {
    knownHostsLine: line,
    fingerprint: hostKey.publicKey.fingerprint,
    serve: serving(server),
    authenticator,
  }
}

/** Takes an accepted connection up to its login. Never rejects. */
export async function acceptAgent(
  connection: Connection,
  { limits }: SshTargetConfig,
  side: AgentSide,
): Promise<AcceptedAgent> {
  return await new Promise((resolve) => {
    const login = new Login(connection, limits, side.authenticator, resolve)
    login.begin()
    if (!connection.socket.destroyed) side.serve(connection.socket, (client, info) => login.greeted(client, info))
  })
}

/** One server for all connections of a target: ssh2 tells of a connection when its greeting has come. */
function serving(server: Server): AgentSide['serve'] {
  const expected = new WeakMap<Socket, (client: Client, info: ClientInfo) => void>()
  server.on('connection', (client, info) => expected.get(socketOf(client))?.(client, info))
  return (socket, greeted) => {
    expected.set(socket, greeted)
    server.injectSocket(socket)
  }
}

async function authenticatorOf(config: SshTargetConfig['agent'], ports: Ports): Promise<Authenticator> {
  const { identities } = ports
  switch (config.authenticate) {
    case 'none':
      return acceptWorkload(ports)
    case 'jwt':
      return verifyTokens(await identities.tokens(config))
    case 'key': {
      const users = Object.entries(config.users).map(
        ([user, { keys }]) =>
          [user, keys.map((line, n) => publicKeyOf(line, `agent.users.${user}.keys[${n}]`))] as const,
      )
      return verifyKeys(new Map(users), identities)
    }
    case 'certificate':
      return verifyCertificates(
        config.authorities.map((line, n) => publicKeyOf(line, `agent.authorities[${n}]`)),
        identities,
      )
    default:
      return assertNever(config)
  }
}

function publicKeyOf(line: string, key: string): PublicKey {
  try {
    return parsePublicKey(line)
  } catch (error) {
    throw new AgentSideError('ssh.public-key', `${key} ${(error as Error).message}`, error)
  }
}

function assertNever(config: never): never {
  throw new TypeError(`no such way to authenticate: ${JSON.stringify(config)}`)
}
