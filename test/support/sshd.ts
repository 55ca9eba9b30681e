/** Real OpenSSH servers for tests: the machine's sshd with keys and a home of its own, on a free loopback port. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { type Program, removeAtExit, startProgram } from './process.ts'
import { makeSshKey, signSshKey, type SshKey } from './ssh-keys.ts'

const SSHD = '/usr/sbin/sshd'
/** Where sshd, as root, locks up what speaks before authentication. Debian makes it when it starts its own. */
const PRIVILEGE_SEPARATION = '/run/sshd'
const SFTP_SERVER = '/usr/lib/openssh/sftp-server'
const START_MS = 20_000
const START_ATTEMPTS = 3

const SETTINGS: Readonly<Record<string, string>> = {
  PidFile: 'none',
  StrictModes: 'no',
  UsePAM: 'no',
  UseDNS: 'no',
  PasswordAuthentication: 'no',
  KbdInteractiveAuthentication: 'no',
  PermitRootLogin: 'prohibit-password',
  PermitUserEnvironment: 'no',
  AcceptEnv: '*',
  AllowAgentForwarding: 'yes',
  AllowTcpForwarding: 'yes',
  AllowStreamLocalForwarding: 'yes',
  GatewayPorts: 'no',
  X11Forwarding: 'yes',
  PermitTTY: 'yes',
  PrintMotd: 'no',
  PrintLastLog: 'no',
  // Many connections at once are what some tests are about.
  MaxStartups: '1000',
  MaxSessions: '20000',
  LogLevel: 'VERBOSE',
}

export interface SshdOptions {
  /** Over the settings that all these servers share. */
  readonly settings?: Readonly<Record<string, string>>
  /** `external`: Debian's sftp-server as a program of its own. */
  readonly sftp?: 'internal' | 'external'
  /** Names that the host's certificate holds for; it has one, by {@link SshServer.hostAuthority}, only where they are given. */
  readonly hostCertificate?: readonly string[]
  /** What bash reads when somebody logs in, with and without a command. */
  readonly bashrc?: string
}

export interface SshServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** The one who runs the tests, and the only one who can log in. */
  readonly user: string
  /** Everything of the server's. `home` lies in it, and is $HOME of what runs there. */
  readonly directory: string
  readonly home: string
  /** Public keys of the host: ed25519, ecdsa and rsa. */
  readonly hostKeys: readonly string[]
  readonly authorizedKeysFile: string
  /** Opens the server. */
  readonly client: SshKey
  /** Signs certificates of users that open the server. */
  readonly authority: SshKey
  readonly hostAuthority: SshKey
  readonly pid: number
  log(): string
  /** Processes that serve connections now, and what they run. */
  descendants(): readonly number[]
  /** Ends the connections, and not the server. */
  disconnect(): void
  /** Lets the test process end while the server runs; that ends the server too. */
  unref(): void
  /** Ends the server and its connections at once. Safe to repeat. */
  stop(): Promise<void>
}

/** A running server of the caller's own. */
export async function startSshd(options: SshdOptions = {}): Promise<SshServer> {
  if (process.getuid?.() === 0) mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 })
  const directory = await mkdtemp(join(tmpdir(), 'sidegate-sshd-'))
  removeAtExit(directory)
  const made = await prepare(directory, options)
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const settings = ['-D', '-e', '-f', made.config, '-o', `Port=${port}`]
    const program = await startProgram(SSHD, settings, { cwd: directory, exitSignal: 'SIGTERM' })
    try {
      await program.output(/Server listening on/, START_MS)
      return serverOf(program, port, directory, made)
    } catch (error) {
      await program.stop()
      if (attempt === START_ATTEMPTS || !program.stderr().includes('Address already in use')) throw error
    }
  }
}

interface Made {
  readonly config: string
  readonly home: string
  readonly authorizedKeysFile: string
  readonly hostKeys: readonly SshKey[]
  readonly client: SshKey
  readonly authority: SshKey
  readonly hostAuthority: SshKey
}

async function prepare(directory: string, options: SshdOptions): Promise<Made> {
  const at = (name: string) => join(directory, name)
  const [ed25519, ecdsa, rsa, client, authority, hostAuthority] = await Promise.all([
    makeSshKey(at('host-ed25519')),
    makeSshKey(at('host-ecdsa'), { type: 'ecdsa' }),
    makeSshKey(at('host-rsa'), { type: 'rsa', bits: 2048 }),
    makeSshKey(at('client')),
    makeSshKey(at('authority')),
    makeSshKey(at('host-authority')),
  ])
  const home = at('home')
  mkdirSync(home)
  for (const name of ['.bashrc', '.bash_profile']) writeFileSync(join(home, name), options.bashrc ?? '')
  writeFileSync(at('authorized_keys'), `${client.line}\n`)
  const lines = Object.entries({
    ...SETTINGS,
    ListenAddress: '127.0.0.1',
    AuthorizedKeysFile: at('authorized_keys'),
    TrustedUserCAKeys: `${authority.file}.pub`,
    // What runs there shall not read, nor write, the dot files of whoever runs the tests.
    SetEnv: `HOME=${home}`,
    Subsystem: `sftp ${options.sftp === 'external' ? SFTP_SERVER : 'internal-sftp'}`,
    ...options.settings,
  }).map(([name, value]) => `${name} ${value}`)
  const hostKeys = [ed25519, ecdsa, rsa]
  for (const { file } of hostKeys) lines.push(`HostKey ${file}`)
  if (options.hostCertificate !== undefined) {
    const principals = options.hostCertificate
    for (const key of hostKeys) {
      lines.push(`HostCertificate ${await signSshKey(hostAuthority.file, key, { kind: 'host', principals })}`)
    }
  }
  writeFileSync(at('sshd_config'), `${lines.join('\n')}\n`)
  return {
    config: at('sshd_config'),
    home,
    authorizedKeysFile: at('authorized_keys'),
    hostKeys,
    client,
    authority,
    hostAuthority,
  }
}

function serverOf(program: Program, port: number, directory: string, made: Made): SshServer {
  const disconnect = () => {
    // Parents first: sshd would tell how its child was killed, and a host that is gone tells nothing.
    for (const pid of descendants(program.pid).toReversed()) kill(pid)
  }
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    directory,
    home: made.home,
    hostKeys: made.hostKeys.map(({ line }) => line),
    authorizedKeysFile: made.authorizedKeysFile,
    client: made.client,
    authority: made.authority,
    hostAuthority: made.hostAuthority,
    pid: program.pid,
    log: () => program.stderr(),
    descendants: () => descendants(program.pid),
    disconnect,
    unref: () => program.unref(),
    async stop() {
      // Connections outlive the server that accepted them, so they are ended first, and again for those that came since.
      disconnect()
      const stopped = program.stop()
      disconnect()
      await stopped
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function descendants(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  const children = existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : []
  return children.flatMap((child) => [...descendantsOrNone(child), child])
}

/** A process may end while it is looked at. */
function descendantsOrNone(pid: number): number[] {
  try {
    return descendants(pid)
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

let shared: Promise<SshServer> | undefined

/** The one server of this test process; ends with it. */
export function sharedSshd(): Promise<SshServer> {
  shared ??= startSshd().then((server) => {
    server.unref()
    return server
  })
  return shared
}
