/** The effective posture: who may connect how, what guards it, and what weakens it. Holds no secret. */
import { createHash, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type FailureRow, failureTable } from './failures.ts'
import type { Loaded } from './load.ts'
import { keyOf } from './problem.ts'
import type { Configuration, PostgresTargetConfig, SshTargetConfig, TargetConfig } from './schema.ts'
import { formatDuration, formatSize } from './values.ts'

export interface Posture {
  readonly file: string
  readonly policy: {
    readonly bundle: string
    readonly mode: 'enforce' | 'observe'
    /** The public key's file and fingerprint; null when anyone may have made the bundle. */
    readonly signer: { readonly key: string; readonly fingerprint: string } | null
  }
  readonly record: {
    readonly journal: string
    readonly maxSize: string
    readonly durability: 'written' | 'synced'
    /** Without user and password; null when the journal is the store. */
    readonly redis: string | null
  }
  readonly ports: { readonly admin: string | null; readonly probes: string | null }
  readonly targets: readonly TargetPosture[]
  readonly failures: readonly FailureRow[]
  readonly weaknesses: readonly Weakness[]
}

export interface Weakness {
  readonly key: string
  readonly line: number | null
  readonly code: string
  readonly message: string
  readonly remedy: string
}

/** Lines of a printout: what each is about, and what holds. */
export interface TargetPosture {
  readonly name: string
  readonly protocol: string
  readonly facts: readonly (readonly [topic: string, fact: string])[]
}

export function postureOf({ file, configuration, weaknesses }: Loaded): Posture {
  const { policy, record, admin, probes, targets } = configuration
  return {
    file,
    policy: { bundle: policy.bundle.file, mode: policy.mode, signer: signerOf(policy.bundle) },
    record: {
      journal: record.journal.directory,
      maxSize: formatSize(record.journal.maxSize),
      durability: record.journal.durability,
      redis: record.redis === undefined ? null : redisOf(record.redis),
    },
    ports: {
      admin: admin === undefined ? null : at(admin.listen),
      probes: probes === undefined ? null : at(probes.listen),
    },
    targets: Object.entries(targets).map(([name, target]) => targetOf({ ...target, name })),
    failures: failureTable({ redis: record.redis !== undefined, observe: policy.mode === 'observe' }),
    weaknesses: weaknesses.map((found) => {
      const { path, code, message, remedy } = found
      return { key: keyOf(path), line: 'line' in found ? found.line : null, code, message, remedy }
    }),
  }
}

function signerOf(bundle: Configuration['policy']['bundle']): Posture['policy']['signer'] {
  if (!('key' in bundle)) return null
  const der = createPublicKey(readFileSync(bundle.key)).export({ type: 'spki', format: 'der' })
  return { key: bundle.key, fingerprint: `SHA256:${createHash('sha256').update(der).digest('base64url')}` }
}

function redisOf({ url, prefix }: { readonly url: string; readonly prefix: string }): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host} as ${prefix}:*`
}

function targetOf(target: TargetConfig): TargetPosture {
  switch (target.protocol) {
    case 'postgres':
      return { name: target.name, protocol: target.protocol, facts: postgresFacts(target) }
    case 'ssh':
      return { name: target.name, protocol: target.protocol, facts: sshFacts(target) }
    default:
      return target satisfies never
  }
}

function postgresFacts(target: PostgresTargetConfig): TargetPosture['facts'] {
  const { listen, agent, upstream, databases, searchPath, limits, catalogue } = target
  const trust = upstream.ca ?? "the system's authorities"
  const sizes = `${formatSize(limits.message)} a message, ${formatSize(limits.statement)} a statement, ${formatSize(limits.inFlight)} in flight`
  const idle = limits.idle === 0 ? 'idle for ever' : `idle at most ${formatDuration(limits.idle)}`
  return [
    ['listens', `${at(listen)}, ${agent.tls === undefined ? 'without TLS' : `TLS with ${agent.tls.cert}`}`],
    ['agents', agentsOf(agent)],
    [
      'upstream',
      `${at(upstream)}, ${TLS_WORDS[upstream.tls]}${upstream.tls.startsWith('verify') ? ` (${trust})` : ''}`,
    ],
    ['proves itself', ['SCRAM-SHA-256', ...upstream.allow].join(', ')],
    ['credential', credentialOf(target.credential)],
    ['databases', databases === 'any' ? 'any' : databases.join(', ')],
    ['search path', searchPath.join(', ')],
    ['catalogue', `at most ${formatDuration(catalogue.refresh)} old`],
    ['limits', `${limits.connections} connections, ${sizes}`],
    [
      '',
      `${limits.statements} statements a message, ${limits.nodes} nodes, ${limits.depth} deep, ${limits.parameters} parameters`,
    ],
    ['timeouts', `${formatDuration(limits.handshake)} to connect, ${formatDuration(limits.parse)} to parse, ${idle}`],
  ]
}

function sshFacts({ listen, agent, upstream }: SshTargetConfig): TargetPosture['facts'] {
  return [
    ['listens', at(listen)],
    ['agents', agent.authenticate],
    ['upstream', at(upstream)],
  ]
}

const TLS_WORDS = {
  'verify-full': 'TLS, its name and authority verified',
  'verify-ca': 'TLS, its authority verified and its name not',
  require: 'TLS, not verified',
  disable: 'without TLS',
} as const satisfies Record<PostgresTargetConfig['upstream']['tls'], string>

function agentsOf(agent: PostgresTargetConfig['agent']): string {
  switch (agent.authenticate) {
    case 'none':
      return 'whoever is on this loopback, as the workload'
    case 'password':
      return `${Object.keys(agent.users).join(', ')}, each with a password of its own (SCRAM-SHA-256)`
    case 'jwt':
      return `a token of ${agent.issuer} for ${agent.audience}, as password (${agent.algorithms.join(', ')})`
    default:
      return agent satisfies never
  }
}

function credentialOf(credential: PostgresTargetConfig['credential']): string {
  const one = ({ user, passwordFile }: { readonly user: string; readonly passwordFile?: string | undefined }) =>
    `role ${user}, ${passwordFile === undefined ? 'without a password' : `password in ${passwordFile}`}`
  if ('user' in credential) return one(credential)
  if (credential.users === 'any') return 'the role that the agent names, without a password'
  return Object.entries(credential.users)
    .map(([name, role]) => `${name} → ${one(role)}`)
    .join('; ')
}

function at({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
