/** A Kubernetes target in this process, with a policy and a record that the test plays. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { kubernetes as schema, type KubernetesTargetConfig } from '../../src/config/targets/kubernetes.ts'
import { Gate } from '../../src/gate/gate.ts'
import type { ApprovalPort } from '../../src/gate/ports.ts'
import { passwordPrincipal, workloadPrincipal } from '../../src/identity/principals.ts'
import { createTokenVerifier } from '../../src/identity/tokens.ts'
import { MaskKey } from '../../src/mask/key.ts'
import { maskMethods } from '../../src/mask/method.ts'
import { Listener } from '../../src/net/listener.ts'
import { kubernetes } from '../../src/protocols/kubernetes/index.ts'
import type { Identities } from '../../src/protocols/protocol.ts'
import { readSecret } from '../../src/credentials/secret.ts'
import { FakePolicy, FakeRecord } from './fakes.ts'
import type { KubernetesServer } from './kubernetes.ts'
import { removeAtExit } from './process.ts'

export interface KubernetesTarget {
  readonly port: number
  /** PEM file that its agents must trust. */
  readonly caFile: string
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  close(): Promise<void>
}

export async function startKubernetesTarget(
  upstream: Pick<KubernetesServer, 'port' | 'caFile' | 'tokens'>,
  {
    config = {},
    policy = new FakePolicy(),
    record = new FakeRecord(),
    approval = null,
    token = upstream.tokens.admin,
  }: {
    readonly config?: object
    readonly policy?: FakePolicy
    readonly record?: FakeRecord
    readonly approval?: ApprovalPort | null
    readonly token?: string
  } = {},
): Promise<KubernetesTarget> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-kubernetes-target-'))
  removeAtExit(directory)
  const tokenFile = join(directory, 'token')
  const caFile = join(directory, 'ca.pem')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const settings: KubernetesTargetConfig = {
    ...schema.parse({
      protocol: 'kubernetes',
      listen: '127.0.0.1:0',
      upstream: { host: '127.0.0.1', port: upstream.port, ca: upstream.caFile },
      agent: { authenticate: 'none', caFile },
      credential: { tokenFile },
      ...config,
    }),
    name: 'cluster',
  }
  const gate = new Gate(policy, record, approval)
  const identities = {
    workload: workloadPrincipal,
    password: passwordPrincipal,
    tokens: createTokenVerifier,
  } as Partial<Identities> as Identities
  const target = await kubernetes.prepare(settings, {
    gate,
    workload: { namespace: 'agents', pod: 'agent-1', serviceAccount: 'agent', labels: {} },
    identity: { name: 'cluster', protocol: 'kubernetes', host: '127.0.0.1', port: upstream.port, labels: {} },
    log: pino({ level: process.env['LOG'] ?? 'silent' }),
    identities,
    secret: readSecret,
    masks: maskMethods(MaskKey.random()),
  })
  const listener = new Listener({
    host: '127.0.0.1',
    port: 0,
    connections: 1_000,
    serve: (connection) => target.serve(connection),
    failed: (error) => {
      throw error
    },
  })
  const port = await listener.listen()
  return {
    port,
    caFile,
    policy,
    record,
    gate,
    close: async () => {
      listener.stop()
      await listener.close(1_000)
      await target.close()
    },
  }
}
