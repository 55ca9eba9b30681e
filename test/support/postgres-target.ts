/** A PostgreSQL target of Sidegate's in this process, with the gate's ports in the test's hand. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgres } from '../../src/protocols/postgres/index.ts'
import type { PostgresServer } from './postgres.ts'
import { removeAtExit } from './process.ts'
import { type Ports, serveTarget, type ServedTarget } from './wiring.ts'

export interface PostgresTargetOptions extends Ports {
  /** Over `upstream`, `agent`, `databases` … of the target's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Where the upstream is, when it is not the server itself. */
  readonly upstreamPort?: number
}

export async function startTarget(server: PostgresServer, options: PostgresTargetOptions = {}): Promise<ServedTarget> {
  const { config = {}, upstreamPort = server.port, ...ports } = options
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-target-'))
  removeAtExit(directory)
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, server.password)
  const settings = {
    upstream: { host: server.host, port: upstreamPort, tls: 'disable' },
    agent: { authenticate: 'none' },
    databases: 'any',
    credential: { user: server.user, passwordFile },
    ...config,
  }
  return await serveTarget(postgres, settings, ports)
}
