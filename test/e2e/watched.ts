/** A whole sidecar in this process, with what its operator sees of it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createLog } from '../../src/commands/run/log.ts'
import { startSidecar } from '../../src/commands/run/sidecar.ts'
import { configuration } from '../../src/config/schema.ts'
import type { StoredRecord } from '../../src/record/records.ts'
import { bytesBelow, checkRecords, commandsOf, POLL_MS, type Recorded, settled, SETTLED_MS } from './records.ts'

export interface WatchedOptions {
  /** Where its journal lies. */
  readonly directory: string
  readonly bundle: string
  /** Over where the journal lies. */
  readonly journal: Readonly<Record<string, string>>
  readonly targets: Readonly<Record<string, unknown>>
  /** What must be nowhere in the journal and the log. */
  readonly secrets: readonly string[]
}

export interface Watched {
  /** Where a target listens. */
  port(target: string): number
  /** The agent's commands since the last call, each permitted one with its outcome. */
  recorded(): Promise<readonly Recorded[]>
  records(): Promise<readonly StoredRecord[]>
  /** What the operator's log says, at its most talkative. */
  log(): string
  /** Connections of agents that are there now, when those whose clients have left are gone. */
  connections(): Promise<number>
  /** What must hold of the records whatever the clients did; see {@link checkRecords}. */
  check(t: Test): Promise<void>
}

export async function startWatched(
  t: Test,
  { directory, bundle, targets, ...options }: WatchedOptions,
): Promise<Watched> {
  const journal = join(directory, 'journal')
  let logged = ''
  const sidecar = await startSidecar(
    configuration.parse({
      version: 1,
      policy: { bundle: { file: bundle, allowUnsigned: true } },
      record: { journal: { directory: journal, ...options.journal } },
      targets,
    }),
    { log: createLog('debug', { write: (line: string) => void (logged += line) }) },
  )
  t.teardown(async () => await sidecar.close())

  const active = () => sidecar.status().targets.reduce((sum, { connections: { active: now } }) => sum + now, 0)
  const connections = async () => {
    for (const deadline = Date.now() + SETTLED_MS; active() > 0 && Date.now() < deadline;) await sleep(POLL_MS)
    return active()
  }
  let seen = 0
  const records = () => settled(journal)
  return {
    port(target) {
      const port = sidecar.ports.targets[target]
      if (port === undefined) throw new Error('the sidecar does not listen')
      return port
    },
    log: () => logged,
    records,
    connections,
    async check(t) {
      t.equal(await connections(), 0, 'no connection is left behind')
      checkRecords(t, await records(), { journal: bytesBelow(journal), log: logged, secrets: options.secrets })
    },
    async recorded() {
      const all = await records()
      const from = seen
      seen = all.at(-1)?.seq ?? seen
      return commandsOf(all).filter(({ decision }) => decision.seq > from)
    },
  }
}
