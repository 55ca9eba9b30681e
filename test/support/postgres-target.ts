/** A PostgreSQL target of Sidegate's in this process, with the gate's ports in the test's hand. */
import { pino } from 'pino'
import { configuration, type PostgresTargetConfig } from '../../src/config/schema.ts'
import { Gate } from '../../src/gate/gate.ts'
import type { ApprovalPort, PolicyPort, RecordPort } from '../../src/gate/ports.ts'
import {
  certificatePrincipal,
  keyPrincipal,
  passwordPrincipal,
  workloadPrincipal,
} from '../../src/identity/principals.ts'
import { createTokenVerifier } from '../../src/identity/tokens.ts'
import { readSecret } from '../../src/credentials/secret.ts'
import { MaskKey } from '../../src/mask/key.ts'
import { maskMethods } from '../../src/mask/method.ts'
import { Listener } from '../../src/net/listener.ts'
import { postgres } from '../../src/protocols/postgres/index.ts'
import { FakePolicy, FakeRecord } from './fakes.ts'
import type { PostgresServer } from './postgres.ts'
import { writeFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAtExit } from './process.ts'

export interface TargetOptions<Policy extends PolicyPort = FakePolicy, Recorder extends RecordPort = FakeRecord> {
  readonly policy?: Policy
  readonly record?: Recorder
  readonly approval?: ApprovalPort
  /** Over `upstream`, `agent`, `databases` … of the target's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where the upstream is, when it is not the server itself. */
  readonly upstreamPort?: number
}

export interface RunningTarget {
  readonly port: number
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  readonly log: string[]
  close(patience?: number): Promise<void>
}

export function targetConfig(
  server: PostgresServer,
  over: Readonly<Record<string, unknown>> = {},
  port = server.port,
): PostgresTargetConfig {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-target-'))
  removeAtExit(directory)
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, server.password)
  const whole = configuration.parse({
    version: 1,
    policy: { bundle: { file: '/nowhere', allowUnsigned: true } },
    record: { journal: { directory } },
    targets: {
      target: {
        protocol: 'postgres',
        listen: '127.0.0.1:0',
        upstream: { host: server.host, port, tls: 'disable' },
        agent: { authenticate: 'none' },
        databases: 'any',
        credential: { user: server.user, passwordFile },
        ...over,
      },
    },
  })
  const target = whole.targets['target']
  if (target?.protocol !== 'postgres') throw new Error('no target')
  return { ...target, name: 'target' }
}

export async function startTarget(
  server: PostgresServer,
  options: TargetOptions<PolicyPort, RecordPort> = {},
): Promise<RunningTarget> {
  const policy = options.policy ?? new FakePolicy()
  const record = options.record ?? new FakeRecord()
  const gate = new Gate(policy, record, options.approval ?? null)
  const config = targetConfig(server, options.config, options.upstreamPort)
  const log: string[] = []
  const target = await postgres.prepare(config, {
    gate,
    workload: { namespace: 'agents', pod: 'agent-0', serviceAccount: 'agent', labels: {} },
    identity: { name: 'target', protocol: 'postgres', host: server.host, port: server.port, labels: {} },
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
    policy: policy as FakePolicy,
    record: record as FakeRecord,
    gate,
    log,
    async close(patience = 0) {
      await listener.close(patience)
      await target.close()
    },
  }
}
