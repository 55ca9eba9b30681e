/** The whole sidecar before a real sshd: what every test of real SSH programs runs against. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildBundle } from '../../support/bundle.ts'
import { type SshAddress, type SshClient, sshClient } from '../../support/ssh-clients.ts'
import { makeSshKey, type SshKey } from '../../support/ssh-keys.ts'
import { type SshdOptions, type SshServer, startSshd } from '../../support/sshd.ts'
import { startWatched, type Watched } from '../watched.ts'

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

export interface Gated extends Watched {
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
  const watched = await startWatched(t, {
    directory,
    bundle: await buildBundle(typeof policy === 'string' ? join(BUNDLES, policy) : policy),
    journal: { maxSize: '512MiB', segmentSize: '64MiB' },
    targets: {
      host: { ...common, agent: { authenticate: 'none', hostKeyFile } },
      guarded: { ...common, agent: { authenticate: 'key', users, hostKeyFile } },
    },
    secrets: [],
  })
  const at = (target: string): SshAddress => {
    return { host: '127.0.0.1', port: watched.port(target), user: server.user, hostKeys: [hostKey.line] }
  }
  const direct = { ...server, identity: server.client.file }
  return {
    ...watched,
    server,
    direct,
    agent: at('host'),
    guarded: { ...at('guarded'), identity: key.file },
    key,
    clients: (settings) => [sshClient(direct, settings), sshClient(at('host'), settings)],
  }
}
