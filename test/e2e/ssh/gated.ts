/** The whole sidecar before a real sshd: what every test of real SSH programs runs against. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { createLog } from '../../../src/commands/run/log.ts'
import { startSidecar } from '../../../src/commands/run/sidecar.ts'
import { configuration } from '../../../src/config/schema.ts'
import type { StoredRecord } from '../../../src/record/records.ts'
import { buildBundle } from '../../support/bundle.ts'
import { type SshAddress, type SshClient, sshClient } from '../../support/ssh-clients.ts'
import { makeSshKey, type SshKey } from '../../support/ssh-keys.ts'
import { type SshdOptions, type SshServer, startSshd } from '../../support/sshd.ts'
import { bytesBelow, checkRecords, commandsOf, POLL_MS, type Recorded, settled, SETTLED_MS } from '../records.ts'

const BUNDLES = join(import.meta.dirname, '../../../bundles')

/** Some seconds on a machine that does nothing else. */
const WHOLE_FILE_MS = 150_000

export interface GatedOptions {
  /** A folder of bundles/, or Rego by the name of its package. */
  readonly policy?: string | Readonly<Record<string, string>>
  /** Over the configuration of the targets. */
  readonly target?: Readonly<Record<string, unknown>>
  readonly server?: SshdOptions
}

export interface Gated {
  readonly server: SshServer
  /** Past the gate, with the key that only the sidecar should have. */
  readonly direct: SshAddress
  /** Through it: on loopback, without a proof. */
  readonly agent: SshAddress
  /** Through it, by a key of the agent's own. */
  readonly guarded: SshAddress
  /** The agent's own key, which opens `guarded` and nothing else. */
  readonly key: SshKey
  /** A client for each of `direct` and `agent`, both with these settings of ssh_config. */
  clients(settings?: Readonly<Record<string, string>>): readonly [direct: SshClient, through: SshClient]
  /** The agent's commands since the last call, each permitted one with its outcome. */
  recorded(): Promise<readonly Recorded[]>
  records(): Promise<readonly StoredRecord[]>
  log(): string
  /** Connections of agents that are there now, when those whose clients have left are gone. */
  connections(): Promise<number>
  /** What must hold of the records whatever the clients did. */
  check(t: Test): Promise<void>
}

export async function startGated(t: Test, options: GatedOptions = {}): Promise<Gated> {
  t.setTimeout(WHOLE_FILE_MS)
  const { policy = 'permissive', target = {} } = options
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-e2e-ssh-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const server = await startSshd(options.server)
  t.teardown(() => server.stop())
  const [hostKey, key] = await Promise.all([makeSshKey(join(directory, 'host')), makeSshKey(join(directory, 'agent'))])
  const common = {
    protocol: 'ssh',
    listen: '127.0.0.1:0',
    upstream: { host: server.host, port: server.port, hostKeys: server.hostKeys },
    credential: { user: server.user, privateKeyFile: server.client.file },
    shell: 'recorded',
    ...target,
  }
  const hostKeyFile = hostKey.file
  const users = { [server.user]: { keys: [key.line] } }
  const journal = join(directory, 'journal')
  let logged = ''
  const bundle = await buildBundle(typeof policy === 'string' ? join(BUNDLES, policy) : policy)
  const sidecar = await startSidecar(
    configuration.parse({
      version: 1,
      policy: { bundle: { file: bundle, allowUnsigned: true } },
      record: { journal: { directory: journal, maxSize: '512MiB', segmentSize: '64MiB' } },
      targets: {
        host: { ...common, agent: { authenticate: 'none', hostKeyFile } },
        guarded: { ...common, agent: { authenticate: 'key', users, hostKeyFile } },
      },
    }),
    { log: createLog('debug', { write: (line: string) => void (logged += line) }) },
  )
  t.teardown(async () => await sidecar.close())

  const { targets } = sidecar.ports
  const at = (name: string): SshAddress => {
    const port = targets[name]
    if (port === undefined) throw new Error('the sidecar does not listen')
    return { host: '127.0.0.1', port, user: server.user, hostKeys: [hostKey.line] }
  }
  const direct = { ...server, identity: server.client.file }
  const active = () => sidecar.status().targets.reduce((sum, { connections: { active: now } }) => sum + now, 0)
  const connections = async () => {
    for (const deadline = Date.now() + SETTLED_MS; active() > 0 && Date.now() < deadline;) await sleep(POLL_MS)
    return active()
  }
  let seen = 0
  const records = () => settled(journal)
  return {
    server,
    direct,
    agent: at('host'),
    guarded: { ...at('guarded'), identity: key.file },
    key,
    clients: (settings) => [sshClient(direct, settings), sshClient(at('host'), settings)],
    log: () => logged,
    records,
    connections,
    async check(t) {
      t.equal(await connections(), 0, 'no connection is left behind')
      checkRecords(t, await records(), { journal: bytesBelow(journal), log: logged, secrets: [] })
    },
    async recorded() {
      const all = await records()
      const from = seen
      seen = all.at(-1)?.seq ?? seen
      return commandsOf(all).filter(({ decision }) => decision.seq > from)
    },
  }
}
