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

mask contains {"column": "public.members.ssn", "with": "redact"}

mask contains {"column": "public.members.email", "with": "redact"}
`,
}

/** The journal has everything a moment after the client has its answer. */
const RECORDED_MS = 5_000
const READY_MS = 20_000
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
  {
    more = '',
    encoding = 'UTF8',
    ...options
  }: PostgresOptions & { readonly more?: string; readonly encoding?: string } = {},
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
  await server.sql(`CREATE DATABASE ${DATABASE} OWNER ${ROLE} ENCODING '${encoding}' TEMPLATE template0`)
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
  // On a starved machine a bundle may be too slow to become active at once: what is refused for that proves nothing.
  for (const since = Date.now(); !sidecar.status().ready; await sleep(POLL_MS)) {
    if (Date.now() - since > READY_MS) throw new Error(`not ready: ${sidecar.status().notReady.join(', ')}`)
  }
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

/** Refused statements leave a connection as it was: one serves them all, until something else happens on it. */
const steady = new WeakMap<Siege, WireClient>()

async function sendSteadily(siege: Siege, frames: readonly Buffer[]): Promise<Told> {
  const agent = steady.get(siege) ?? (await siege.agent())
  agent.send(...frames)
  const answers = await agent.ready()
  const told = shown(answers)
  if (REFUSED.test(told)) steady.set(siege, agent)
  else {
    steady.delete(siege)
    agent.close()
  }
  return { answers, shown: told }
}

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

/** What of the secrets is in the bytes that the agent got. */
function leaked(answers: readonly Answer[]): readonly string[] {
  const told = Buffer.concat(answers.map(({ raw }) => raw)).toString('latin1')
  return SECRETS.filter((secret) => told.includes(secret))
}

/** No byte that the agent got holds what was planted. */
export function keepsSecrets(t: Test, answers: readonly Answer[]): void {
  t.same(leaked(answers), [], 'the agent saw no secret')
}

/** The codes of the errors, as the gate gives them in DETAIL; the server's own have none. */
export function codes(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ type, fields }) => (type === 'E' ? [fields?.get('D') ?? ''] : []))
}

const REFUSED = /^E\((42501|0A000|42601|54000|26000|34000)\) Z\(I\)$/
const CODE = /^[a-z]+[.][a-z-]+$/

/**
 * A statement is refused by the gate in every way that it can be sent: the agent is told so, the server is as it was, no
 * secret got out, and the denial is on record.
 */
export async function refused(t: Test, siege: Siege, text: string): Promise<void> {
  const wrong: string[] = []
  await siege.decided()
  for (const [way, frames] of Object.entries(WAYS)) {
    const { answers, shown: told } = await sendSteadily(siege, frames(text))
    if (!REFUSED.test(told)) wrong.push(`${way}: the agent was told ${told}`)
    if (!codes(answers).every((code) => CODE.test(code))) wrong.push(`${way}: it was not the gate that refused`)
    wrong.push(...leaked(answers).map((secret) => `${way}: the agent saw ${secret}`))
    const decisions = await siege.decided('some')
    if (decisions.length === 0) wrong.push(`${way}: it is not on record`)
    if (decisions.some(({ custom }) => custom.verdict !== 'refused')) wrong.push(`${way}: on record as permitted`)
  }
  wrong.push(...(await siege.watch.changes()).map((changed) => `it changed ${changed}`))
  t.same(wrong, [], text)
}

export function bind(statement = '', portal = '', parameters: readonly (string | null)[] = []): Buffer {
  return encodeBind({
    portal,
    statement,
    parameterFormats: [],
    parameters: parameters.map((value) => (value === null ? null : Buffer.from(value))),
    resultFormats: [],
  })
}
