/** The whole sidecar before a real server that holds nothing back, and agents that try to get past it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createLog } from '../../src/commands/run/log.ts'
import { startSidecar } from '../../src/commands/run/sidecar.ts'
import { configuration } from '../../src/config/schema.ts'
import {
  encodeBind,
  encodeExecute,
  encodeParse,
  encodeQuery,
  encodeSync,
} from '../../src/protocols/postgres/messages.ts'
import { readJournal } from '../../src/record/reader.ts'
import type { DecisionRecord } from '../../src/record/records.ts'
import { buildBundle } from '../support/bundle.ts'
import { type PostgresOptions, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type Answer, shown, WireClient } from '../support/wire.ts'
import { BANK, DATABASE, ROLE, SECRETS, UPSTREAM_PASSWORD } from './bank.ts'
import { watchServer, type Watch } from './watch.ts'

export const STARTER = join(import.meta.dirname, '../../bundles/starter')

/** Permits everything, so that masks stand alone. */
export const MASKED: Readonly<Record<string, string>> = {
  masked: `package policy.masked

allow contains {"code": "masked.all", "protocol": "postgres"}

mask contains {"column": "public.customers.ssn", "with": "redact"}

mask contains {"column": "public.customers.email", "with": "null"}

mask contains {"column": "public.events.ssn", "with": "redact"}
`,
}

/** The journal has everything a moment after the client has its answer. */
const RECORDED_MS = 5_000
const POLL_MS = 5

/** What one connection was sent and told. */
export interface Told {
  readonly answers: readonly Answer[]
  /** In one word each. */
  readonly shown: string
}

export interface Siege {
  readonly server: PostgresServer
  readonly port: number
  /** A connection to the gate. */
  agent(more?: readonly [string, string][]): Promise<WireClient>
  /** As the superuser, past the gate. */
  sql(text: string): Promise<Record<string, unknown>[]>
  /** What the server's state is, in all that an attack could have changed. */
  readonly watch: Watch
  /** Decisions since the last call; with `some`, when there are any. */
  decided(some?: 'some'): Promise<readonly DecisionRecord[]>
  /** Every byte of the journal. */
  journal(): Buffer
  log(): string
}

export async function besiege(
  t: Test,
  policy: string | Readonly<Record<string, string>> = STARTER,
  { more = '', ...options }: PostgresOptions & { readonly more?: string } = {},
): Promise<Siege> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-bypass-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const passwordFile = join(directory, 'upstream')
  writeFileSync(passwordFile, UPSTREAM_PASSWORD, { mode: 0o600 })
  const [server, file] = await Promise.all([
    startPostgres({ ...options, settings: { max_prepared_transactions: '4', ...options.settings } }),
    buildBundle(policy),
  ])
  t.teardown(async () => await server.stop())
  await server.sql(`CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD '${UPSTREAM_PASSWORD}'`)
  await server.sql(`CREATE DATABASE ${DATABASE} OWNER ${ROLE}`)
  await server.sql(`SET SESSION AUTHORIZATION ${ROLE}; ${BANK} ${more}`, undefined, DATABASE)
  const journal = join(directory, 'journal')
  let logged = ''
  const sidecar = await startSidecar(
    configuration.parse({
      version: 1,
      policy: { bundle: { file, allowUnsigned: true } },
      record: { journal: { directory: journal, maxSize: '64MiB', segmentSize: '16MiB' } },
      targets: {
        bank: {
          protocol: 'postgres',
          listen: '127.0.0.1:0',
          upstream: { host: server.host, port: server.port, tls: 'disable' },
          agent: { authenticate: 'none' },
          databases: [DATABASE],
          credential: { user: ROLE, passwordFile },
        },
      },
    }),
    { log: createLog('debug', { write: (line: string) => void (logged += line) }) },
  )
  t.teardown(async () => await sidecar.close())
  const port = sidecar.ports.targets['bank']
  if (port === undefined) throw new Error('the sidecar does not listen')
  const watch = await watchServer(server, DATABASE)
  t.teardown(async () => await watch.close())
  let seen = 0
  return {
    server,
    port,
    watch,
    sql: (text) => server.sql(text, undefined, DATABASE),
    agent: (extra) => WireClient.connect(port, DATABASE, 'agent', extra),
    async decided(some) {
      const deadline = Date.now() + RECORDED_MS
      for (;;) {
        const found: DecisionRecord[] = []
        let last = seen
        for await (const { record } of readJournal(journal, { from: seen + 1 })) {
          last = record.seq
          if (record.type === 'decision') found.push(record)
        }
        if (some === undefined || found.length > 0 || Date.now() > deadline) {
          seen = last
          return found
        }
        await sleep(POLL_MS)
      }
    },
    journal: () => Buffer.concat(readdirSync(journal).map((name) => readFileSync(join(journal, name)))),
    log: () => logged,
  }
}

/** One statement in the ways that a client can send it. */
export const WAYS = {
  simple: (text: string) => [encodeQuery(text)],
  extended: (text: string) => [
    encodeParse('', text),
    encodeBind({ portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [] }),
    encodeExecute(''),
    encodeSync(),
  ],
} as const

/** Sends messages over a connection of its own, and says what came of them up to ReadyForQuery, or the end. */
export async function send(siege: Siege, frames: readonly Buffer[], rounds = 1): Promise<Told> {
  const agent = await siege.agent()
  try {
    agent.send(...frames)
    const answers: Answer[] = []
    for (let round = 0; round < rounds; round++) answers.push(...(await agent.ready()))
    return { answers, shown: shown(answers) }
  } finally {
    agent.close()
  }
}

/** No byte that the agent got, and none in the journal, holds what was planted. */
export function keepsSecrets(t: Test, siege: Siege, answers: readonly Answer[]): void {
  const told = Buffer.concat(answers.map(({ raw }) => raw)).toString('latin1')
  for (const secret of SECRETS) t.notOk(told.includes(secret), `the agent did not see ${secret}`)
}

/** The codes of the errors, as the gate gives them in DETAIL; the server's own have none. */
export function codes(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ type, fields }) => (type === 'E' ? [fields?.get('D') ?? ''] : []))
}

/**
 * A statement is refused by the gate in every way that it can be sent: the agent is told so, the server is as it was, no
 * secret got out, and the denial is on record.
 */
export async function refused(t: Test, siege: Siege, text: string): Promise<void> {
  for (const [way, frames] of Object.entries(WAYS)) {
    await siege.decided()
    const { answers, shown: told } = await send(siege, frames(text))
    t.match(told, /^E\((42501|0A000|42601|54000|26000|34000)\) Z\(I\)$/, `${way}: ${text}`)
    t.match(codes(answers), [/^[a-z]+[.][a-z-]+$/], `${way}: the gate says so itself`)
    t.same(await siege.watch.changes(), [], `${way}: nothing has changed: ${text}`)
    keepsSecrets(t, siege, answers)
    const decisions = await siege.decided('some')
    t.ok(decisions.length > 0, `${way}: it is on record`)
    t.ok(
      decisions.every(({ custom }) => custom.verdict === 'refused'),
      `${way}: as refused`,
    )
  }
}

export const parse = encodeParse
export const execute = encodeExecute
export const sync = encodeSync
export const query = encodeQuery

export function bind(statement = '', portal = '', parameters: readonly (string | null)[] = []): Buffer {
  return encodeBind({
    portal,
    statement,
    parameterFormats: [],
    parameters: parameters.map((value) => (value === null ? null : Buffer.from(value))),
    resultFormats: [],
  })
}
