/** A whole sidecar before a real PostgreSQL, in this process or one of its own, for tests of what happens when a part fails. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createLog } from '../../src/commands/run/log.ts'
import { startSidecar } from '../../src/commands/run/sidecar.ts'
import type { SidecarStatus } from '../../src/commands/run/status.ts'
import { configuration } from '../../src/config/schema.ts'
import { readJournal } from '../../src/record/reader.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { encodeBind, encodeExecute } from '../../src/protocols/postgres/messages.ts'
import { sharedPostgres } from '../support/postgres.ts'
import { type Program, type ProgramOptions, startProgram } from '../support/process.ts'
import { type Answer, shown, WireClient } from '../support/wire.ts'

export const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** A start compiles and warms the policy; on a busy machine that takes a while. */
export const START_MS = 30_000
const POLL_MS = 20
/** For what takes a moment on an idle machine. */
const PATIENCE_MS = 15_000

export const ADMIN_TOKEN = 'token-of-the-admin'

/** Sections of the configuration over those that all these tests share; `target` over the one target. */
export interface Over {
  readonly policy?: Readonly<Record<string, unknown>>
  readonly journal?: Readonly<Record<string, unknown>>
  readonly redis?: Readonly<Record<string, unknown>>
  readonly target?: Readonly<Record<string, unknown>>
}

/** Files of one sidecar, and a database of its own. */
export interface Place {
  readonly base: string
  readonly journal: string
  readonly database: string
  /** Runs SQL past the gate. */
  sql(text: string): Promise<Record<string, unknown>[]>
  file(name: string, content: string | Uint8Array): string
  settings(bundle: string, over?: Over): Record<string, unknown>
  records(): Promise<StoredRecord[]>
}

export async function place(t: Test): Promise<Place> {
  const base = mkdtempSync(join(tmpdir(), 'sidegate-failing-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const server = await sharedPostgres()
  const database = await server.createDatabase()
  const journal = join(base, 'journal')
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(base, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }
  const [tokenFile, passwordFile] = [file('token', ADMIN_TOKEN), file('password', server.password)]
  return {
    base,
    journal,
    database,
    sql: (text) => server.sql(text, undefined, database),
    file,
    settings: (bundle, over = {}) => ({
      version: 1,
      admin: { listen: '127.0.0.1:0', tokenFile },
      probes: { listen: '127.0.0.1:0' },
      policy: { bundle: { file: bundle, allowUnsigned: true }, ...over.policy },
      record: {
        journal: { directory: journal, maxSize: '64MiB', segmentSize: '8MiB', ...over.journal },
        ...(over.redis === undefined ? {} : { redis: over.redis }),
      },
      targets: {
        db: {
          protocol: 'postgres',
          listen: '127.0.0.1:0',
          upstream: { host: server.host, port: server.port, tls: 'disable' },
          agent: { authenticate: 'none' },
          databases: [database],
          credential: { user: server.user, passwordFile },
          ...over.target,
        },
      },
    }),
    async records() {
      const records: StoredRecord[] = []
      for await (const { record } of readJournal(journal)) records.push(record)
      return records
    },
  }
}

/** A sidecar that runs, as its users see it from outside. */
export interface Running {
  readonly port: number
  readonly admin: number
  log(): string
  get(page: 'readyz' | 'healthz' | 'metrics'): Promise<{ readonly status: number; readonly text: string }>
  status(): Promise<SidecarStatus>
  /** An agent without a proof of identity, up to ReadyForQuery. */
  agent(): Promise<WireClient>
}

interface Ports {
  readonly targets: Readonly<Record<string, number>>
  readonly probes: number | null
  readonly admin: number | null
}

function running(ports: Ports, { database }: Place, log: () => string): Running {
  const port = ports.targets['db'] ?? 0
  return {
    port,
    admin: ports.admin ?? 0,
    log,
    async get(page) {
      const reply = await fetch(`http://127.0.0.1:${ports.probes}/${page}`)
      return { status: reply.status, text: await reply.text() }
    },
    async status() {
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
      const reply = await fetch(`http://127.0.0.1:${ports.admin}/status`, { headers })
      return (await reply.json()) as SidecarStatus
    },
    agent: () => WireClient.connect(port, database),
  }
}

/** Starts it in this process. */
export async function started(
  t: Test,
  at: Place,
  bundle: string,
  over: Over = {},
): Promise<Running & { close(): Promise<void> }> {
  let logged = ''
  const log = createLog('debug', { write: (line: string) => void (logged += line) })
  const sidecar = await startSidecar(configuration.parse(at.settings(bundle, over)), { log })
  t.teardown(() => sidecar.close())
  return { ...running(sidecar.ports, at, () => logged), close: () => sidecar.close() }
}

/** Starts `sidegate run` in a process of its own. `wrapper` is put before the command line. */
export async function spawned(
  t: Test,
  at: Place,
  bundle: string,
  {
    over = {},
    wrapper = [],
    ...options
  }: ProgramOptions & { readonly over?: Over; readonly wrapper?: readonly string[] } = {},
): Promise<Running & { readonly program: Program }> {
  const file = at.file('sidegate.yaml', JSON.stringify(at.settings(bundle, over)))
  const [command, ...args] = [...wrapper, process.execPath, MAIN, 'run', '--config', file]
  const program = await startProgram(command, args, options)
  t.teardown(async () => void (await program.stop('SIGKILL')))
  const [line] = await program.output(/^.*"msg":"started".*$/m, START_MS)
  const { ports } = JSON.parse(line) as { readonly ports: Ports }
  return { ...running(ports, at, () => program.stdout() + program.stderr()), program }
}

/** The ErrorResponse among answers, as an agent's driver shows it: SQLSTATE and stable code. */
export function refusalIn(answers: readonly Answer[]): string {
  const fields = answers.find(({ type }) => type === 'E')?.fields
  return fields === undefined ? '' : `${fields.get('V')} ${fields.get('C')} ${fields.get('D')}`
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  { ms = PATIENCE_MS, why = () => String(condition) }: { readonly ms?: number; readonly why?: () => string } = {},
): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`it did not come to be within ${ms} ms: ${why()}`)
    await sleep(POLL_MS)
  }
}

/** An agent goes on as ever. */
export async function works(t: Test, agent: WireClient, why: string): Promise<void> {
  t.match(shown(await agent.query('SELECT 1')), /D\(1\).*Z\(I\)$/, why)
}

/** What an agent is told of one Query: SQLSTATE and stable code; empty when it was not refused. */
export async function refusal(agent: WireClient, text: string): Promise<string> {
  return refusalIn(await agent.query(text))
}

/** Binds and executes what was parsed last. */
export const bound = (...parameters: Buffer[]): Buffer[] => [
  encodeBind({ portal: '', statement: '', parameterFormats: [], parameters, resultFormats: [] }),
  encodeExecute(''),
]
