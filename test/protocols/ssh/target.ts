/** An SSH target of Sidegate's in this process, before a real sshd, with the gate's ports in the test's hand. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import ssh2, { type Client as SshClient, type ClientChannel } from 'ssh2'
import { configuration, type SshTargetConfig } from '../../../src/config/schema.ts'
import { readSecret } from '../../../src/credentials/secret.ts'
import { Gate } from '../../../src/gate/gate.ts'
import type { ApprovalPort } from '../../../src/gate/ports.ts'
import {
  certificatePrincipal,
  keyPrincipal,
  passwordPrincipal,
  workloadPrincipal,
} from '../../../src/identity/principals.ts'
import { createTokenVerifier } from '../../../src/identity/tokens.ts'
import { MaskKey } from '../../../src/mask/key.ts'
import { maskMethods } from '../../../src/mask/method.ts'
import { Listener } from '../../../src/net/listener.ts'
import { ssh } from '../../../src/protocols/ssh/index.ts'
import { FakePolicy, FakeRecord } from '../../support/fakes.ts'
import { removeAtExit } from '../../support/process.ts'
import type { SshServer } from '../../support/sshd.ts'

export interface SshTargetOptions {
  readonly approval?: ApprovalPort
  /** Over `upstream`, `limits`, `shell` … of the target's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
}

export interface RunningSshTarget {
  readonly port: number
  readonly config: SshTargetConfig
  readonly policy: FakePolicy
  readonly record: FakeRecord
  readonly gate: Gate
  readonly log: string[]
  readonly listener: Listener
  /** A line for known_hosts. */
  readonly knownHosts: string
  close(patience?: number): Promise<void>
}

type Upstream = Pick<SshServer, 'host' | 'port' | 'user' | 'hostKeys'> & { readonly client: { readonly file: string } }

export async function startSshTarget(server: Upstream, options: SshTargetOptions = {}): Promise<RunningSshTarget> {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-ssh-target-'))
  removeAtExit(directory)
  const knownHosts = join(directory, 'known_hosts')
  writeFileSync(knownHosts, '')
  const whole = configuration.parse({
    version: 1,
    policy: { bundle: { file: '/nowhere', allowUnsigned: true } },
    record: { journal: { directory } },
    targets: {
      target: {
        protocol: 'ssh',
        listen: '127.0.0.1:0',
        upstream: { host: server.host, port: server.port, hostKeys: server.hostKeys },
        agent: { authenticate: 'none', knownHosts },
        credential: { user: server.user, privateKeyFile: server.client.file },
        ...options.config,
      },
    },
  })
  const parsed = whole.targets['target']
  if (parsed?.protocol !== 'ssh') throw new Error('no target')
  const config = { ...parsed, name: 'target' }
  const policy = new FakePolicy()
  const record = new FakeRecord()
  const gate = new Gate(policy, record, options.approval ?? null)
  const log: string[] = []
  const target = await ssh.prepare(config, {
    gate,
    workload: { namespace: 'agents', pod: 'agent-0', serviceAccount: 'agent', labels: {} },
    identity: { name: 'target', protocol: 'ssh', host: server.host, port: server.port, labels: {} },
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    identities: {
      workload: workloadPrincipal,
      password: passwordPrincipal,
      key: keyPrincipal,
      certificate: certificatePrincipal,
      tokens: createTokenVerifier,
    },
    secret: readSecret,
    masks: maskMethods(MaskKey.random()),
  })
  const listener = new Listener({
    ...config.listen,
    connections: config.limits.connections,
    serve: (connection) => target.serve(connection),
    failed: (error) => void log.push(String(error)),
  })
  const port = await listener.listen()
  return {
    port,
    config,
    policy,
    record,
    gate,
    log,
    listener,
    knownHosts,
    async close(patience = 0) {
      await listener.close(patience)
      await target.close()
    },
  }
}

/** A library's client, logged in without a proof. */
export async function connectAgent(target: RunningSshTarget, user = 'agent'): Promise<SshClient> {
  const client = new ssh2.Client()
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject)
    client.connect({ host: '127.0.0.1', port: target.port, username: user, hostVerifier: () => true })
  })
  client.on('error', () => {})
  return client
}

export interface Result {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null | undefined
  readonly signal: string | undefined
}

/** Runs a line to its end; `input` null leaves its input open. */
export async function exec(client: SshClient, line: string, input: string | Buffer | null = ''): Promise<Result> {
  return await begun(
    (done) => client.exec(line, done),
    (channel) => input !== null && channel.end(input),
  ).ended
}

type Done = (error: Error | undefined, channel: ClientChannel) => void

/** What begins on a channel; it is listened to from the turn in which it was accepted. */
export function begun(
  begin: (done: Done) => void,
  then: (channel: ClientChannel) => void = () => {},
): { readonly channel: Promise<ClientChannel>; readonly ended: Promise<Result> } {
  const channel = Promise.withResolvers<ClientChannel>()
  const ended = Promise.withResolvers<Result>()
  begin((error, opened) => {
    if (error !== undefined) {
      channel.reject(error)
      return ended.reject(error)
    }
    let stdout = ''
    let stderr = ''
    let code: number | null | undefined
    let signal: string | undefined
    opened.on('data', (bytes: Buffer) => (stdout += bytes.toString('latin1')))
    opened.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
    opened.on('exit', (status: number | null, name?: string) => {
      code = status
      signal = name
    })
    opened.once('close', () => ended.resolve({ stdout, stderr, code, signal }))
    then(opened)
    channel.resolve(opened)
  })
  channel.promise.catch(() => {})
  return { channel: channel.promise, ended: ended.promise }
}

/** Waits until something is so, for a bounded time. */
export async function eventually(holds: () => boolean, ms = 10_000): Promise<void> {
  for (const deadline = Date.now() + ms; !holds();) {
    if (Date.now() > deadline) throw new Error('it did not come about')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
