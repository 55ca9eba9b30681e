/**
 * A host of the demo's own: an SSH server in this process that runs real commands in a folder that goes with the demo. It knows one
 * key, the sidecar's.
 */
import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import type { AuthContext, Connection, ServerChannel } from 'ssh2'
import { DemoError, type Owner } from './database.ts'
import { LOG, ORDERS } from './data.ts'

/** Where distributions put OpenSSH's; without it the demo has no sftp. */
const SFTP_SERVERS = ['/usr/lib/openssh/sftp-server', '/usr/libexec/openssh/sftp-server', '/usr/libexec/sftp-server']

export interface Host {
  readonly port: number
  /** Its public key, as `ssh-ed25519 AAAA…`. */
  readonly publicKey: string
  /** The private key that it lets in, in OpenSSH's form. */
  readonly clientKey: string
  readonly home: string
  readonly sftp: boolean
  stop(): Promise<void>
}

/** Begins below `base`; commands run as `owner` where there is one. */
export async function startHost(base: string, owner: Owner | null): Promise<Host> {
  const home = furnish(join(base, 'host'), owner)
  const keys = { host: ssh2.utils.generateKeyPairSync('ed25519'), client: ssh2.utils.generateKeyPairSync('ed25519') }
  const sftpServer = SFTP_SERVERS.find((path) => existsSync(path)) ?? null
  const connections = new Set<Connection>()
  const server = new ssh2.Server({ hostKeys: [keys.host.private], ident: 'OpenSSH_demo' }, (client) => {
    connections.add(client)
    client.on('close', () => connections.delete(client)).on('error', () => client.end())
    client.on('authentication', (attempt) =>
      isClient(attempt, keys.client.public) ? attempt.accept() : attempt.reject(),
    )
    client.on('session', (accept) => {
      const session = accept()
      session.on('exec', (accepted, _reject, { command }) => run(accepted(), '/bin/sh', ['-c', command], home, owner))
      session.on('subsystem', (accepted, reject, { name }) => {
        if (name === 'sftp' && sftpServer !== null) run(accepted(), sftpServer, [], home, owner)
        else reject()
      })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error) => reject(new DemoError(`the host did not start: ${error.message}`)))
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    publicKey: keys.host.public.trim(),
    clientKey: keys.client.private,
    home,
    sftp: sftpServer !== null,
    stop: async () => {
      for (const client of connections) client.end()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function furnish(home: string, owner: Owner | null): string {
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o755 })
  const files = [
    ['app.log', LOG],
    ['orders.csv', ORDERS],
    ['.ssh/authorized_keys', '# the keys that are let in\n'],
  ] as const
  for (const [name, text] of files) writeFileSync(join(home, name), text)
  if (owner !== null)
    for (const name of ['', '.ssh', ...files.map(([file]) => file)]) chownSync(join(home, name), owner.uid, owner.gid)
  return home
}

function isClient(attempt: AuthContext, publicKey: string): boolean {
  if (attempt.method !== 'publickey') return false
  const known = ssh2.utils.parseKey(publicKey)
  if (known instanceof Error || !attempt.key.data.equals(known.getPublicSSH())) return false
  // The first question is whether the key would do; the second is signed.
  if (attempt.signature === undefined || attempt.blob === undefined) return true
  // A truthy Error is what ssh2 says where it cannot verify, whatever its types say.
  // oxlint-disable-next-line typescript/no-unnecessary-boolean-literal-compare
  return known.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true
}

function run(
  channel: ServerChannel,
  program: string,
  args: readonly string[],
  home: string,
  owner: Owner | null,
): void {
  const child = spawn(program, args, { cwd: home, env: { HOME: home, PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...owner })
  channel.pipe(child.stdin)
  child.stdin.on('error', () => {})
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr, { end: false })
  channel.on('close', () => child.kill())
  child.on('error', () => {
    channel.exit(127)
    channel.close()
  })
  child.on('close', (code) => {
    channel.exit(code ?? 255)
    channel.end()
  })
}
