/** Runs psql against an address, without the machine's own settings. */
import { type Finished, type Program, run, startProgram } from '../../support/process.ts'
import type { Address } from './gated.ts'

/** A statement that psql waits for is answered at once, or never. */
const PSQL_MS = 20_000

export interface PsqlOptions {
  readonly args?: readonly string[]
  /** A script, on standard input. */
  readonly input?: string
  /** PGSSLMODE and the like. */
  readonly env?: Readonly<Record<string, string>>
}

export async function psql(address: Address, { args = [], input = '', env }: PsqlOptions): Promise<Finished> {
  return await run('psql', ['-X', ...args], { input, env: environment(address, env), ms: PSQL_MS })
}

/** psql as a person has it: on a terminal, where Ctrl-C cancels what runs. */
export async function startOnTerminal(address: Address): Promise<Program> {
  return await startProgram('script', ['-qec', 'psql -X --no-readline', '/dev/null'], {
    env: { ...environment(address), TERM: 'dumb', PAGER: 'cat' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

function environment(address: Address, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { host, port, user, database, password } = address
  return {
    PATH: process.env['PATH'] ?? '',
    LC_ALL: 'C.UTF-8',
    HOME: '/nonexistent',
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGCONNECT_TIMEOUT: '10',
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    ...more,
  }
}
