/** OpenSSH's clients as tests run them: without the settings, keys and known hosts of whoever runs the tests. */
import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAtExit } from './process.ts'

/** What one of these programs does is done by then, or never. */
const CLIENT_MS = 30_000

/** Where a client connects to, and what it knows. */
export interface SshAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  /** The host's public keys, all that the client trusts. */
  readonly hostKeys: readonly string[]
  /** The private key that it shows; it shows none where this is absent. */
  readonly identity?: string
}

export interface SshClient {
  readonly address: SshAddress
  /** A configuration for `-F`, in which the host is called `there`. */
  readonly config: string
  /** The command line of a program that runs ssh by itself: rsync's `-e`, GIT_SSH_COMMAND. */
  readonly command: string
  readonly directory: string
}

/** Writes the configuration of a client. `settings` are those of ssh_config, over what all of these have. */
export function sshClient(address: SshAddress, settings: Readonly<Record<string, string>> = {}): SshClient {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-ssh-'))
  removeAtExit(directory)
  const { host, port, user, hostKeys, identity } = address
  const known = join(directory, 'known_hosts')
  const name = port === 22 ? host : `[${host}]:${port}`
  writeFileSync(known, hostKeys.map((key) => `${name} ${key}\n`).join(''))
  const lines = Object.entries({
    HostName: host,
    Port: String(port),
    User: user,
    UserKnownHostsFile: known,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    IdentitiesOnly: 'yes',
    IdentityFile: identity ?? 'none',
    IdentityAgent: 'none',
    BatchMode: 'yes',
    ConnectTimeout: '20',
    LogLevel: 'ERROR',
    ...settings,
  }).map(([key, value]) => `  ${key} ${value}\n`)
  const config = join(directory, 'config')
  writeFileSync(config, `Host there\n${lines.join('')}`)
  return { address, config, command: `ssh -F ${config}`, directory }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface RunOptions {
  /** What it reads; `null` is /dev/null. Ended after that. */
  readonly input?: Uint8Array | string | null
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly ms?: number
}

/** Runs a program to its end, its output as it came. A program that does not end within `ms` is killed. */
export async function runClient(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { input = null, env = {}, cwd, ms = CLIENT_MS } = options
  const child = spawn(program, [...args], {
    stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LC_ALL: 'C.UTF-8', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  })
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    // What it started may hold on to them.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }, ms)
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A program may end without reading all of its input, which is its own affair.
  child.stdin?.on('error', () => {}).end(input ?? undefined)
  return await new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() })
    })
  })
}

/** `ssh there ARGS`. */
export function ssh({ config }: SshClient, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return runClient('ssh', ['-F', config, ...args], options)
}
