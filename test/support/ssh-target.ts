/** An SSH target of Sidegate's in this process, with the gate's ports in the test's hand. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { configuration, type SshTargetConfig } from '../../src/config/schema.ts'
import { readSecret } from '../../src/credentials/secret.ts'
import { Gate } from '../../src/gate/gate.ts'
import type { ApprovalPort, PolicyPort, RecordPort } from '../../src/gate/ports.ts'
import {
  certificatePrincipal,
  keyPrincipal,
  passwordPrincipal,
  workloadPrincipal,
} from '../../src/identity/principals.ts'
import { createTokenVerifier } from '../../src/identity/tokens.ts'
import { MaskKey } from '../../src/mask/key.ts'
import { maskMethods } from '../../src/mask/method.ts'
import { Listener } from '../../src/net/listener.ts'
import { ssh } from '../../src/protocols/ssh/index.ts'
import { FakePolicy, FakeRecord } from './fakes.ts'
import { removeAtExit } from './process.ts'
import type { SshAddress } from './ssh-clients.ts'
import { makeSshKey } from './ssh-keys.ts'
import type { SshServer } from './sshd.ts'

export interface SshTargetOptions<Policy extends PolicyPort = FakePolicy, Recorder extends RecordPort = FakeRecord> {
  readonly policy?: Policy
  readonly record?: Recorder
  readonly approval?: ApprovalPort
  /** Over `upstream`, `agent`, `shell`, `limits` … of the target's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where the upstream is, when it is not the server itself. */
  readonly upstreamPort?: number
}

export interface RunningSshTarget {
  readonly port: number
  /** For clients: without a proof, and with the key by which the sidecar is known. */
  readonly address: SshAddress
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  readonly log: string[]
  /** Connections that are being served now. */
  connections(): number
  close(patience?: number): Promise<void>
}

export function sshTargetConfig(
  server: SshServer,
  over: Readonly<Record<string, unknown>> = {},
  port = server.port,
): SshTargetConfig {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-target-'))
  removeAtExit(directory)
  const whole = configuration.parse({
    version: 1,
    policy: { bundle: { file: '/nowhere', allowUnsigned: true } },
    record: { journal: { directory } },
    targets: {
      target: {
        protocol: 'ssh',
        listen: '127.0.0.1:0',
        upstream: { host: server.host, port, hostKeys: server.hostKeys },
        agent: { authenticate: 'none' },
        credential: { user: server.user, privateKeyFile: server.client.file },
        shell: 'recorded',
        ...over,
      },
    },
  })
  const target = whole.targets['target']
  if (target?.protocol !== 'ssh') throw new Error('no target')
  return { ...target, name: 'target' }
}

export async function startSshTarget(
  server: SshServer,
  options: SshTargetOptions<PolicyPort, RecordPort> = {},
): Promise<RunningSshTarget> {
  const policy = options.policy ?? new FakePolicy()
  const record = options.record ?? new FakeRecord()
  const gate = new Gate(policy, record, options.approval ?? null)
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-target-key-'))
  removeAtExit(directory)
  const hostKey = await makeSshKey(join(directory, 'host'))
  const { agent = { authenticate: 'none' }, ...over } = options.config ?? {}
  const config = sshTargetConfig(
    server,
    { ...over, agent: { hostKeyFile: hostKey.file, ...(agent as object) } },
    options.upstreamPort,
  )
  const log: string[] = []
  const target = await ssh.prepare(config, {
    gate,
    workload: { namespace: 'agents', pod: 'agent-0', serviceAccount: 'agent', labels: {} },
    identity: { name: 'target', protocol: 'ssh', host: server.host, port: server.port, labels: {} },
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    identities: {
      workload: workloadPrincipal,
      password: passwordPrincipal,
      key: keyPrincipal,
      certificate: certificatePrincipal,
      tokens: createTokenVerifier,
    },
    secret: readSecret,
    masks: maskMethods(MaskKey.random()),
  })
  const listener = new Listener({
    ...config.listen,
    connections: config.limits.connections,
    serve: (connection) => target.serve(connection),
    failed: (error) => void log.push(String(error)),
  })
  const port = await listener.listen()
  return {
    port,
    address: { host: '127.0.0.1', port, user: server.user, hostKeys: [hostKey.line] },
    policy: policy as FakePolicy,
    record: record as FakeRecord,
    gate,
    log,
    connections: () => listener.counts.active,
    async close(patience = 0) {
      await listener.close(patience)
      await target.close()
    },
  }
}
