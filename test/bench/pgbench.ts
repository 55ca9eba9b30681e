/**
 * What the whole path costs: `pgbench -S` straight to the server, through pgbouncer, through a bare relay in Node, and
 * through Sidegate with the starter bundle, a mask and the journal on. Only ratios of one run mean anything: rounds are
 * paired, and the table shows medians of the ratios to direct.
 *
 * SIDEGATE_BENCH_ROUNDS (5), SIDEGATE_BENCH_SECONDS (3)
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/ports.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { postgresBinaries, serverOwner } from '../support/postgres-install.ts'
import { type Program, removeAtExit, run, startProgram } from '../support/process.ts'

const ROUNDS = Number(process.env['SIDEGATE_BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['SIDEGATE_BENCH_SECONDS'] ?? 3)
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')

const POINTS = [
  { name: 'simple c1', args: ['-M', 'simple', '-c', '1'] },
  { name: 'simple c8', args: ['-M', 'simple', '-c', '8'] },
  { name: 'prepared c1', args: ['-M', 'prepared', '-c', '1'] },
  { name: 'prepared c8', args: ['-M', 'prepared', '-c', '8'] },
] as const

/** The competitor's sidecar with one local rule and no Rego, as ratios to direct, measured beside the relay's in another run. */
const COMPETITOR = [0.55, 0.41, 0.5, 0.5] as const

interface Path {
  readonly name: string
  readonly port: number
}

const bin = postgresBinaries({ system: true })
const directory = mkdtempSync(join(tmpdir(), 'sidegate-bench-'))
removeAtExit(directory)

export async function benchServer(): Promise<PostgresServer> {
  const server = await startPostgres({
    system: true,
    hba: ['host all all 127.0.0.1/32 trust'],
    settings: { shared_buffers: '256MB' },
  })
  await server.sql('CREATE DATABASE bench')
  await pgbench(server.port, ['-i', '-s', '5', '-q'])
  await server.sql(
    'CREATE TABLE customers (id int, name text, email text, ssn text, phone text, birth_date date)',
    undefined,
    'bench',
  )
  return server
}

async function pgbench(port: number, args: readonly string[]): Promise<string> {
  const done = await run(
    join(bin, 'pgbench'),
    ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', ...args, 'bench'],
    {
      ms: (SECONDS + 60) * 1000,
      env: { ...process.env, PGPASSWORD: '' },
    },
  )
  if (done.code !== 0) throw new Error(`pgbench failed: ${done.stderr}`)
  return done.stdout
}

async function rate(path: Path, args: readonly string[]): Promise<number> {
  const out = await pgbench(path.port, ['-S', '-n', '-T', String(SECONDS), ...args])
  const match = /tps = ([\d.]+) \(without initial/.exec(out)
  if (match === null) throw new Error(`pgbench said nothing of its rate: ${out}`)
  return Number(match[1])
}

async function startRelay(target: number): Promise<[Path, Program]> {
  const port = await freePort()
  const program = await startProgram(process.execPath, [
    join(ROOT, 'test/bench/relay.ts'),
    String(port),
    String(target),
  ])
  await program.output(/listening/)
  return [{ name: 'bare Node relay', port }, program]
}

async function startPgbouncer(target: number): Promise<[Path, Program] | null> {
  const port = await freePort()
  const file = join(directory, 'pgbouncer.ini')
  writeFileSync(join(directory, 'users.txt'), '"postgres" ""\n', { mode: 0o644 })
  writeFileSync(
    file,
    `[databases]\nbench = host=127.0.0.1 port=${target} dbname=bench\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\n` +
      `auth_type = trust\nauth_file = ${join(directory, 'users.txt')}\npool_mode = session\nmax_client_conn = 100\n` +
      'default_pool_size = 50\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n',
    { mode: 0o644 },
  )
  try {
    const program = await startProgram('pgbouncer', [file], { ...serverOwner() })
    await program.output(/process up/, 10_000)
    return [{ name: 'pgbouncer (session)', port }, program]
  } catch {
    return null
  }
}

async function startSidegate(target: number): Promise<[Path, Program]> {
  const port = await freePort()
  const file = join(directory, 'sidegate.yaml')
  writeFileSync(
    file,
    `version: 1
policy: { bundle: { file: ${JSON.stringify(join(ROOT, 'dist/bundles/starter.tar.gz'))}, allowUnsigned: true } }
record: { journal: { directory: ${JSON.stringify(join(directory, 'journal'))} } }
log: { level: warn }
targets:
  bench:
    protocol: postgres
    listen: "127.0.0.1:${port}"
    upstream: { host: 127.0.0.1, port: ${target}, tls: disable }
    agent: { authenticate: none }
    databases: [ bench ]
    credential: { user: postgres }
`,
  )
  const program = await startProgram(process.execPath, [join(ROOT, 'dist/main.js'), 'run', '--config', file])
  await listening(port)
  return [{ name: 'Sidegate', port }, program]
}

/** Until pgbench itself is served: the listener may be up before the policy is. */
async function listening(port: number): Promise<void> {
  const deadline = Date.now() + 15_000
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

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

async function main(): Promise<void> {
  const server = await benchServer()
  const direct: Path = { name: 'direct', port: server.port }
  const started = [await startPgbouncer(server.port), await startRelay(server.port), await startSidegate(server.port)]
  const running = started.filter((entry) => entry !== null)
  const paths = [direct, ...running.map(([path]) => path)]
  const rates = new Map(paths.map((path) => [path.name, POINTS.map((): number[] => [])]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, point] of POINTS.entries()) {
      for (const path of round % 2 === 0 ? paths : paths.toReversed()) {
        rates.get(path.name)?.[index]?.push(await rate(path, point.args))
      }
    }
    process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`)
  }
  print(paths, rates)
  for (const [, program] of running) await program.stop()
  await server.stop()
}

function print(paths: readonly Path[], rates: ReadonlyMap<string, number[][]>): void {
  const ratios = (name: string, over: string) =>
    POINTS.map((_, index) =>
      median(
        (rates.get(name)?.[index] ?? []).map((rate, round) => rate / (rates.get(over)?.[index]?.[round] ?? Number.NaN)),
      ),
    )
  const row = (name: string, cells: readonly string[]) => console.log(`| ${name} | ${cells.join(' | ')} |`)
  row(
    'path, ratio to direct',
    POINTS.map(({ name }) => name),
  )
  console.log(`|---|${POINTS.map(() => '---').join('|')}|`)
  row(
    'direct, transactions a second',
    POINTS.map((_, index) => median(rates.get('direct')?.[index] ?? []).toFixed(0)),
  )
  for (const path of paths.slice(1))
    row(
      path.name,
      ratios(path.name, 'direct').map((value) => value.toFixed(2)),
    )
  row(
    'the competitor, elsewhere',
    COMPETITOR.map((value) => value.toFixed(2)),
  )
  row(
    'Sidegate to bare relay',
    ratios('Sidegate', 'bare Node relay').map((value) => value.toFixed(2)),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
