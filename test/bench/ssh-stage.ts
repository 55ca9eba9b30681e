/** What the benchmark of SSH runs: a real sshd, and the ways to it, each a process of its own. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/ports.ts'
import { type Program, removeAtExit, startProgram } from '../support/process.ts'
import { type SshClient, sshClient } from '../support/ssh-clients.ts'
import { makeSshKey } from '../support/ssh-keys.ts'
import type { SshServer } from '../support/sshd.ts'
import { APART, ROOT } from './stage.ts'

/** The same for all ways: what encryption costs is not what is compared. */
const CIPHER = 'aes128-gcm@openssh.com'

/** One way to the host. */
export interface SshPath {
  readonly name: string
  readonly client: SshClient
  readonly program: Program | null
}

const settings = { Ciphers: CIPHER, IPQoS: 'none' }

export function directly(server: SshServer): SshPath {
  const client = sshClient({ ...server, identity: server.client.file }, settings)
  return { name: 'direct', client, program: null }
}

async function own(name: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), `sidegate-bench-${name}-`))
  removeAtExit(directory)
  return directory
}

export async function startSshRelay(server: SshServer): Promise<SshPath> {
  const directory = await own('relay')
  const [port, key] = [await freePort(), await makeSshKey(join(directory, 'host'))]
  const args = [String(port), String(server.port), server.user, server.client.file, key.file]
  const program = await startProgram(process.execPath, [join(ROOT, 'test/bench/ssh-relay.ts'), ...args], APART)
  await program.output(/listening/)
  const { host, user } = server
  return { name: 'bare relay', client: sshClient({ host, port, user, hostKeys: [key.line] }, settings), program }
}

/** Sidegate as it runs in production: compiled, with a policy that allows everything, the journal, and recordings. */
export async function startSshSidegate(server: SshServer): Promise<SshPath & { readonly program: Program }> {
  const directory = await own('sidegate')
  const [port, key] = [await freePort(), await makeSshKey(join(directory, 'host'))]
  const { host, user } = server
  const configuration = {
    version: 1,
    policy: { bundle: { file: join(ROOT, 'dist/bundles/permissive.tar.gz'), allowUnsigned: true } },
    record: { journal: { directory: join(directory, 'journal') } },
    targets: {
      bench: {
        protocol: 'ssh',
        listen: `127.0.0.1:${port}`,
        upstream: { host, port: server.port, hostKeys: server.hostKeys },
        agent: { authenticate: 'none', hostKeyFile: key.file },
        credential: { user, privateKeyFile: server.client.file },
        limits: { connections: 600 },
      },
    },
  }
  const file = join(directory, 'sidegate.yaml')
  writeFileSync(file, JSON.stringify(configuration))
  const program = await startProgram(process.execPath, [join(ROOT, 'dist/main.js'), 'run', '--config', file], APART)
  await program.output(/"ready":true/, 20_000)
  return { name: 'Sidegate', client: sshClient({ host, port, user, hostKeys: [key.line] }, settings), program }
}
