/**
 * What the whole path costs: `pgbench -S` straight to the server, through pgbouncer, through a bare relay in Node, and
 * through Sidegate. Only ratios of one run mean anything: rounds are paired, and the table shows medians of the ratios.
 *
 * SIDEGATE_BENCH_ROUNDS (5), SIDEGATE_BENCH_SECONDS (3), SIDEGATE_BENCH_BESIDE (another proxy: stage.ts)
 */
import {
  benchServer,
  median,
  type Path,
  pgbench,
  startOther,
  startPgbouncer,
  startRelay,
  startSidegate,
  table,
} from './stage.ts'

const ROUNDS = Number(process.env['SIDEGATE_BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['SIDEGATE_BENCH_SECONDS'] ?? 3)
/** Rows of pgbench_accounts, in 100,000. */
const SCALE = '5'

const POINTS = [
  { name: 'simple c1', args: ['-M', 'simple', '-c', '1'] },
  { name: 'simple c8', args: ['-M', 'simple', '-c', '8'] },
  { name: 'prepared c1', args: ['-M', 'prepared', '-c', '1'] },
  { name: 'prepared c8', args: ['-M', 'prepared', '-c', '8'] },
] as const

/** The nearest competitor's sidecar with one local rule and no Rego, measured beside the same paths elsewhere. */
const COMPETITOR = [0.55, 0.41, 0.5, 0.5] as const

async function rate({ port }: Path, args: readonly string[]): Promise<number> {
  const out = await pgbench(port, ['-S', '-n', '-T', String(SECONDS), ...args], SECONDS + 60)
  const match = /tps = ([\d.]+) \(without initial/.exec(out)
  if (match === null) throw new Error(`pgbench said nothing of its rate: ${out}`)
  return Number(match[1])
}

const server = await benchServer()
await pgbench(server.port, ['-i', '-s', SCALE, '-q'])
const direct: Path = { name: 'direct', port: server.port, program: null }
const paths = [
  direct,
  await startPgbouncer(server.port),
  await startRelay(server.port),
  await startOther(server.port),
  await startSidegate(server.port),
].filter((path) => path !== null)
const rates = new Map(paths.map(({ name }) => [name, POINTS.map((): number[] => [])]))
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, { args }] of POINTS.entries()) {
    for (const path of round % 2 === 0 ? paths : paths.toReversed())
      rates.get(path.name)?.[index]?.push(await rate(path, args))
  }
  process.stderr.write(`pgbench: round ${round + 1} of ${ROUNDS}\n`)
}

const at = (name: string, index: number): readonly number[] => rates.get(name)?.[index] ?? []
const ratios = (name: string, over: string) =>
  POINTS.map((_, index) =>
    median(at(name, index).map((value, round) => value / (at(over, index)[round] ?? Number.NaN))).toFixed(2),
  )
table(
  ['path, ratio to direct', ...POINTS.map(({ name }) => name)],
  [
    ['direct, transactions a second', ...POINTS.map((_, index) => median(at('direct', index)).toFixed(0))],
    ...paths.slice(1).map(({ name }) => [name, ...ratios(name, 'direct')]),
    ['nearest competitor, one local rule (elsewhere)', ...COMPETITOR.map((value) => value.toFixed(2))],
    ['Sidegate to bare relay', ...ratios('Sidegate', 'bare Node relay')],
  ],
)
for (const { program } of paths) await program?.stop()
await server.stop()
