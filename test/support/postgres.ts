/** Real PostgreSQL servers for tests: a data directory of their own, a free loopback port, no fsync. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from './ports.ts'
import {
  copyTree,
  NEWEST,
  PASSWORD,
  postgresBinaries,
  type PostgresVersion,
  serverOwner,
  SUPERUSER,
  template,
} from './postgres-install.ts'
import { type Program, removeAtExit, startProgram } from './process.ts'

export { POSTGRES_VERSIONS, type PostgresVersion } from './postgres-install.ts'

const START_MS = 20_000
const START_ATTEMPTS = 3
const POLL_MS = 10

const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  max_connections: '200',
  listen_addresses: '127.0.0.1',
  autovacuum: 'off',
}

const HBA = ['host all all 127.0.0.1/32 scram-sha-256', 'host replication all 127.0.0.1/32 scram-sha-256']

export interface PostgresOptions {
  readonly version?: PostgresVersion
  /** The machine's own server (PATH or Debian's place) in place of the pinned one. */
  readonly system?: boolean
  /** Lines of postgresql.conf, over the defaults for tests. */
  readonly settings?: Readonly<Record<string, string>>
  /** The whole of pg_hba.conf, in place of SCRAM for everyone on loopback. */
  readonly hba?: readonly string[]
  /** PEM; turns TLS on. `ca` makes client certificates possible. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
}

export interface PostgresServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** The superuser. */
  readonly user: string
  readonly password: string
  /** The data directory. */
  readonly directory: string
  /** Of the postmaster. */
  readonly pid: number
  /** What the server has logged. */
  log(): string
  connection(database?: string): { host: string; port: number; user: string; password: string; database: string }
  url(database?: string): string
  /** Runs SQL as the superuser over a connection of its own; several statements give the last one's rows. */
  sql(text: string, values?: readonly unknown[], database?: string): Promise<Record<string, unknown>[]>
  /** An empty database of its own, so that tests can share a server. */
  createDatabase(): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Lets the test process end while the server runs; that ends the server too. */
  unref(): void
  /** Ends the server at once and removes its data. Safe to repeat. */
  stop(): Promise<void>
}

/** A running server of the caller's own. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = postgresBinaries(options)
  const base = await mkdtemp(join(tmpdir(), 'sidegate-postgres-'))
  const owner = serverOwner()
  try {
    const directory = join(base, 'data')
    await mkdir(directory)
    await copyTree(await template(bin), directory)
    configure(directory, base, options)
    if (owner !== null) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, base])
    chmodSync(directory, 0o700)
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      const program = await startProgram(join(bin, 'postgres'), ['-D', directory, '-p', String(port)], {
        ...owner,
        cwd: base,
        env: { ...process.env, LC_ALL: 'C' },
        // SIGQUIT ends the whole server at once and frees its shared memory; after SIGKILL its backends would linger.
        exitSignal: 'SIGQUIT',
      })
      removeAtExit(base)
      const server = serverOf(program, port, directory, base)
      try {
        await ready(server, program)
        return server
      } catch (error) {
        await program.stop('SIGQUIT')
        if (attempt === START_ATTEMPTS || !program.stderr().includes('Address already in use')) throw error
      }
    }
  } catch (error) {
    await rm(base, { recursive: true, force: true })
    throw error
  }
}

const shared = new Map<PostgresVersion, Promise<PostgresServer>>()

/** The one server of this test process; ends with it. Use {@link PostgresServer.createDatabase} to be alone. */
export function sharedPostgres(version: PostgresVersion = NEWEST): Promise<PostgresServer> {
  const server = shared.get(version) ?? startShared(version)
  shared.set(version, server)
  return server
}

async function startShared(version: PostgresVersion): Promise<PostgresServer> {
  const server = await startPostgres({ version })
  server.unref()
  return server
}

function serverOf(program: Program, port: number, directory: string, base: string): PostgresServer {
  const host = '127.0.0.1'
  const connection = (database = 'postgres') => ({ host, port, user: SUPERUSER, password: PASSWORD, database }) as const
  const sql: PostgresServer['sql'] = async (text, values, database) => {
    const client = new pg.Client(connection(database))
    await client.connect()
    try {
      const result: unknown = await client.query(text, values === undefined ? undefined : [...values])
      const last = Array.isArray(result) ? result.at(-1) : result
      return (last as pg.QueryResult<Record<string, unknown>>).rows
    } finally {
      await client.end()
    }
  }
  return {
    host,
    port,
    user: SUPERUSER,
    password: PASSWORD,
    directory,
    pid: program.pid,
    log: () => program.stderr(),
    connection,
    url: (database = 'postgres') => `postgres://${SUPERUSER}:${PASSWORD}@${host}:${port}/${database}`,
    sql,
    async createDatabase() {
      const name = `test_${randomBytes(6).toString('hex')}`
      await sql(`CREATE DATABASE ${name}`)
      return name
    },
    signal: (signal) => program.signal(signal),
    async stop() {
      await program.stop('SIGQUIT')
      await rm(base, { recursive: true, force: true })
    },
    unref: () => program.unref(),
  }
}

async function ready(server: PostgresServer, program: Program): Promise<void> {
  await program.output(/database system is ready to accept connections/, START_MS)
  const deadline = Date.now() + START_MS
  // The line is logged just before the postmaster's state says so.
  for (;;) {
    try {
      await server.sql('SELECT 1')
      return
    } catch (error) {
      // 57P03: the database system is starting up. Anything else is for the caller's own hba, not for us, to answer.
      if (!(error instanceof pg.DatabaseError) || error.code !== '57P03') return
      if (Date.now() > deadline) throw error
      await sleep(POLL_MS)
    }
  }
}

function configure(directory: string, base: string, options: PostgresOptions): void {
  const settings: Record<string, string> = { ...SETTINGS, unix_socket_directories: base, ...options.settings }
  if (options.tls !== undefined) {
    const { cert, key, ca } = options.tls
    Object.assign(settings, { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' })
    writeFileSync(join(directory, 'server.crt'), cert)
    writeFileSync(join(directory, 'server.key'), key, { mode: 0o600 })
    if (ca !== undefined) {
      settings['ssl_ca_file'] = 'ca.crt'
      writeFileSync(join(directory, 'ca.crt'), ca)
    }
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
  appendFileSync(join(directory, 'postgresql.conf'), lines.join(''))
  writeFileSync(join(directory, 'pg_hba.conf'), `${(options.hba ?? HBA).join('\n')}\n`)
}
