/** An SSH target of Sidegate's in this process, with the gate's ports in the test's hand. */
import { ssh } from '../../src/protocols/ssh/index.ts'
import type { SshAddress } from './ssh-clients.ts'
import type { SshServer } from './sshd.ts'
import { type Ports, serveTarget, type ServedTarget } from './wiring.ts'

export interface SshTargetOptions extends Ports {
  /** Over `upstream`, `agent`, `shell`, `limits` … of the target's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where the upstream is, when it is not the server itself. */
  readonly upstreamPort?: number
}

export interface RunningSshTarget extends ServedTarget {
  /** For clients: without a proof, and with the key by which the sidecar is known. */
  readonly address: SshAddress
}

export async function startSshTarget(server: SshServer, options: SshTargetOptions = {}): Promise<RunningSshTarget> {
  const { config = {}, upstreamPort = server.port, ...ports } = options
  const settings = {
    upstream: { host: server.host, port: upstreamPort, hostKeys: server.hostKeys },
    agent: { authenticate: 'none' },
    credential: { user: server.user, privateKeyFile: server.client.file },
    shell: 'recorded',
    ...config,
  }
  const served = await serveTarget(ssh, settings, ports)
  const { port, facts } = served
  const hostKeys = [knownKey(facts['known_hosts'] ?? '')]
  return { ...served, address: { host: '127.0.0.1', port, user: server.user, hostKeys } }
}

/** The key of a line for known_hosts, behind the names. */
function knownKey(line: string): string {
  return line.trim().split(' ').slice(1).join(' ')
}
