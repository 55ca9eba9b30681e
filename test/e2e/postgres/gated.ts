/** The whole sidecar with the starter policy, before a real PostgreSQL: what every test of real clients runs against. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'
import { buildBundle } from '../../support/bundle.ts'
import { type PostgresOptions, type PostgresServer, startPostgres } from '../../support/postgres.ts'
import { createAuthority } from '../../support/tls.ts'
import { startWatched, type Watched } from '../watched.ts'
import { DATABASE, EMAILS, ROLE, SHOP, SSNS } from './shop.ts'

const STARTER = join(import.meta.dirname, '../../../bundles/starter')

/** The upstream credential, which agents never hold. */
const UPSTREAM_PASSWORD = 'upstream-secret-of-the-role'
/** The agent's own, for the target that asks for one. */
export const AGENT_PASSWORD = 'secret-of-the-agent'

/** Some seconds on a machine that does nothing else: a process for each script of psql is what takes its time. */
const WHOLE_FILE_MS = 120_000

export interface Address {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** Absent where the way in asks for none. */
  readonly password?: string
}

export interface Gated extends Watched {
  readonly server: PostgresServer
  /** Past the gate, as the same role. */
  readonly direct: Address
  /** Through it: on loopback, without a proof. */
  readonly agent: Address
  /** Through it, by a password of the agent's own, and by TLS where the client wants it. */
  readonly guarded: Address
  /** PEM file of the authority that signed the certificate of `guarded`. */
  readonly ca: string
}

export async function startGated(t: Test, options: PostgresOptions = {}): Promise<Gated> {
  t.setTimeout(WHOLE_FILE_MS)
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-e2e-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const server = await startPostgres(options)
  t.teardown(async () => await server.stop())
  await server.sql(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${UPSTREAM_PASSWORD}'`)
  await server.sql(`CREATE DATABASE ${DATABASE} OWNER ${ROLE}`)
  await server.sql(`GRANT ALL ON SCHEMA public TO ${ROLE}`, undefined, DATABASE)
  await server.sql(`SET SESSION AUTHORIZATION ${ROLE}; ${SHOP}`, undefined, DATABASE)

  const authority = createAuthority()
  const certificate = authority.issue()
  const tls = { cert: file('cert.pem', certificate.cert), key: file('key.pem', certificate.key) }
  const credential = { user: ROLE, passwordFile: file('upstream', UPSTREAM_PASSWORD) }
  const common = {
    protocol: 'postgres',
    listen: '127.0.0.1:0',
    upstream: { host: server.host, port: server.port, tls: 'disable' },
    databases: [DATABASE],
    credential,
  }
  const users = { [ROLE]: { passwordFile: file('agent', AGENT_PASSWORD) } }
  const watched = await startWatched(t, {
    directory,
    bundle: await buildBundle(STARTER),
    journal: { maxSize: '64MiB', segmentSize: '16MiB' },
    targets: {
      shop: { ...common, agent: { authenticate: 'none' } },
      guarded: { ...common, agent: { authenticate: 'password', users, tls } },
    },
    secrets: [...SSNS, ...EMAILS, UPSTREAM_PASSWORD, AGENT_PASSWORD],
  })
  const at = (port: number, password?: string): Address => {
    const address = { host: '127.0.0.1', port, user: ROLE, database: DATABASE }
    return password === undefined ? address : { ...address, password }
  }
  return {
    ...watched,
    server,
    direct: at(server.port, UPSTREAM_PASSWORD),
    agent: at(watched.port('shop')),
    guarded: at(watched.port('guarded'), AGENT_PASSWORD),
    ca: file('ca.pem', authority.cert),
  }
}

/** `t.same`, strictly, and quick where answers are large. */
export function same(t: Test, found: unknown, wanted: unknown, what: string): void {
  if (isDeepStrictEqual(found, wanted)) t.pass(what)
  else t.strictSame(found, wanted, what)
}

/** Rejects with an error that has these properties, whatever others its driver gives it. */
export async function rejects(
  t: Test,
  asked: PromiseLike<unknown> | (() => Promise<unknown>),
  like: unknown,
): Promise<void> {
  try {
    await (typeof asked === 'function' ? asked() : asked)
    t.fail('it did not fail')
  } catch (error) {
    t.match(like instanceof RegExp ? String(error) : error, like)
  }
}
