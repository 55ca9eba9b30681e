/** The API server: verified TLS, a pool of connections, and the sidecar's own credential on every request. */
import { readFile } from 'node:fs/promises'
import { Pool } from 'undici'
import type { KubernetesTargetConfig } from '../../config/targets/kubernetes.ts'
import type { Principal } from '../../gate/principal.ts'
import type { Wiring } from '../protocol.ts'

/** Idle connections are closed before the API server would (it waits 90 s or more). */
const KEEP_ALIVE_MS = 60_000

export interface Upstream {
  readonly pool: Pool
  /** Headers that prove the sidecar, for this principal; read anew at each request. */
  proof(principal: Principal): Promise<Readonly<Record<string, string | readonly string[]>>>
  close(): Promise<void>
}

/** Throws a coded error when a file that is needed cannot be read. */
export async function openUpstream(config: KubernetesTargetConfig, wiring: Wiring): Promise<Upstream> {
  const { host, port, ca, serverName } = config.upstream
  const { credential } = config
  const certificate =
    'certFile' in credential
      ? { cert: await wiring.secret(credential.certFile), key: await wiring.secret(credential.keyFile) }
      : {}
  const pool = new Pool(`https://${host.includes(':') ? `[${host}]` : host}:${port}`, {
    connect: {
      timeout: config.limits.handshake,
      ALPNProtocols: ['http/1.1'],
      ...(ca === undefined ? {} : { ca: await readFile(ca, 'utf8') }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...certificate,
    },
    // A watch is silent for as long as nothing happens, and a hold of a webhook's may take its time.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: config.limits.headers,
  })
  return {
    pool,
    proof: async (principal) => ({
      ...('tokenFile' in credential ? { authorization: `Bearer ${await wiring.secret(credential.tokenFile)}` } : {}),
      ...(credential.impersonate === 'principal' ? impersonation(principal) : {}),
    }),
    close: async () => await pool.destroy(),
  }
}

function impersonation({ subject, groups }: Principal): Record<string, string | readonly string[]> {
  return { 'impersonate-user': subject, ...(groups.length === 0 ? {} : { 'impersonate-group': groups }) }
}
