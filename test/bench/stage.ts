/** What the benchmarks of the whole path run: a real server, and the paths to it, each a process of its own. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/ports.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { serverOwner } from '../support/postgres-install.ts'
import { type Program, removeAtExit, run, startProgram } from '../support/process.ts'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')
const PGBENCH = ['/usr/lib/postgresql/15/bin/pgbench', 'pgbench']
const directory = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
removeAtExit(directory)

/**
 * Each in a session of its own, as each would be a container: Linux shares the processors out by session (`sched_autogroup`),
 * PostgreSQL's backends have one each, and a proxy would share one with pgbench.
 */
export const APART = { detached: true } as const

/** One way to the server. */
export interface Path {
  readonly name: string
  readonly port: number
  readonly program: Program | null
}

export async function benchServer(): Promise<PostgresServer> {
  const server = await startPostgres({
    system: true,
    hba: ['host all all 127.0.0.1/32 trust'],
    settings: { shared_buffers: '256MB', max_connections: '700' },
  })
  await server.sql('CREATE DATABASE bench')
  const columns = 'id int, name text, email text, ssn text, city text'
  await server.sql(`CREATE TABLE customers (${columns})`, undefined, 'bench')
  return server
}

/** Runs pgbench against a port and gives what it printed. */
export async function pgbench(port: number, args: readonly string[], seconds = 60): Promise<string> {
  for (const program of PGBENCH) {
    try {
      const done = await run(program, ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', ...args, 'bench'], {
        ...APART,
        ms: seconds * 1000,
      })
      if (done.code !== 0) throw new Error(`pgbench failed: ${done.stderr}`)
      return done.stdout
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  throw new Error('pgbench is not installed: `make services` installs it on Debian')
}

export async function startRelay(target: number): Promise<Path> {
  const port = await freePort()
  const relay = join(ROOT, 'test/bench/relay.ts')
  const program = await startProgram(process.execPath, [relay, String(port), String(target)], APART)
  await program.output(/listening/)
  return { name: 'bare Node relay', port, program }
}

/**
 * Another proxy to be measured in the same run: `NAME=COMMAND`, of which `COMMAND LISTEN-PORT TARGET-PORT` runs it in the foreground
 * and says `listening` when it does. Null where none is given.
 */
export async function startOther(target: number, given = process.env['SIDEGATE_BENCH_BESIDE']): Promise<Path | null> {
  const [, name, command] = /^([^=]+)=(.+)$/.exec(given ?? '') ?? []
  if (name === undefined || command === undefined) return null
  const port = await freePort()
  const program = await startProgram(command, [String(port), String(target)], APART)
  await program.output(/listening/)
  return { name, port, program }
}

/** Null where pgbouncer is not installed. */
export async function startPgbouncer(target: number): Promise<Path | null> {
  const port = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  const users = join(directory, 'users.txt')
  const lines = [
    '[databases]',
    `bench = host=127.0.0.1 port=${target} dbname=bench`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'auth_type = trust',
    `auth_file = ${users}`,
    'pool_mode = session',
    'max_client_conn = 100',
    'default_pool_size = 50',
    'unix_socket_dir =',
    'ignore_startup_parameters = extra_float_digits',
  ]
  writeFileSync(users, '"postgres" ""\n', { mode: 0o644 })
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o644 })
  const owner = serverOwner()
  if (owner !== null) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, directory])
  try {
    const program = await startProgram('pgbouncer', [file], {
      ...owner,
      ...APART,
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
    })
    await listening(port)
    return { name: 'pgbouncer (session)', port, program }
  } catch {
    return null
  }
}

/** Sidegate as it runs in production: compiled, with the starter bundle (which masks two columns) and the journal. */
export async function startSidegate(
  target: number,
): Promise<Path & { readonly program: Program; readonly ready: number }> {
  const port = await freePort()
  const own = mkdtempSync(join(tmpdir(), 'sidegate-bench-run-'))
  removeAtExit(own)
  const file = join(own, 'sidegate.yaml')
  const bundle = join(ROOT, 'dist/bundles/starter.tar.gz')
  const lines = [
    'version: 1',
    `policy: { bundle: { file: ${JSON.stringify(bundle)}, allowUnsigned: true } }`,
    `record: { journal: { directory: ${JSON.stringify(join(own, 'journal'))} } }`,
    'targets:',
    '  bench:',
    '    protocol: postgres',
    `    listen: "127.0.0.1:${port}"`,
    `    upstream: { host: 127.0.0.1, port: ${target}, tls: disable }`,
    '    agent: { authenticate: none }',
    '    databases: [ bench ]',
    '    limits: { connections: 600 }',
    '    credential: { user: postgres }',
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const before = performance.now()
  const program = await startProgram(process.execPath, [join(ROOT, 'dist/main.js'), 'run', '--config', file], APART)
  await program.output(/"ready":true/, 20_000)
  return { name: 'Sidegate', port, program, ready: performance.now() - before }
}

async function listening(port: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      await pgbench(port, ['-S', '-n', '-t', '1'])
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(`| ${head.join(' | ')} |`)
  console.log(`|${head.map(() => '---').join('|')}|`)
  for (const row of rows) console.log(`| ${row.join(' | ')} |`)
  console.log()
}
