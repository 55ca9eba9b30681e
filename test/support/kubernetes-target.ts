/** A Kubernetes target of Sidegate's in this process, with the gate's ports in the test's hand. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubernetes } from '../../src/protocols/kubernetes/index.ts'
import type { KubernetesServer } from './kubernetes.ts'
import { removeAtExit } from './process.ts'
import { type Ports, serveTarget, type ServedTarget } from './wiring.ts'

export interface KubernetesTargetOptions extends Ports {
  /** Over `upstream`, `agent`, `credential`, `limits` … of the target's configuration. */
  readonly config?: object
  /** The sidecar's own, of those of the API server. */
  readonly token?: string
}

export interface KubernetesTarget extends ServedTarget {
  /** PEM file that its agents must trust. */
  readonly caFile: string
}

/** What agents have begun may end before their connections are closed. */
const PATIENCE_MS = 1_000

export async function startKubernetesTarget(
  server: Pick<KubernetesServer, 'port' | 'caFile' | 'tokens'>,
  { config, token = server.tokens.admin, ...ports }: KubernetesTargetOptions = {},
): Promise<KubernetesTarget> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-kubernetes-target-'))
  removeAtExit(directory)
  const tokenFile = join(directory, 'token')
  const caFile = join(directory, 'ca.pem')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const settings = {
    upstream: { host: '127.0.0.1', port: server.port, ca: server.caFile },
    agent: { authenticate: 'none', caFile },
    credential: { tokenFile },
    ...config,
  }
  const served = await serveTarget(kubernetes, settings, ports)
  return { ...served, caFile, close: async (patience = PATIENCE_MS) => await served.close(patience) }
}
