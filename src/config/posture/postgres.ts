/** What holds for a PostgreSQL target. */
import type { Fact } from '../posture.ts'
import type { PostgresTargetConfig } from '../schema.ts'
import { formatAddress, formatDuration, formatSize } from '../values.ts'

export function postgresFacts(target: PostgresTargetConfig): readonly Fact[] {
  const { listen, agent, upstream, databases, searchPath, limits, catalogue } = target
  const trust = upstream.ca ?? "the system's authorities"
  const sizes = `${formatSize(limits.message)} a message, ${formatSize(limits.statement)} a statement, ${formatSize(limits.inFlight)} in flight`
  const idle = limits.idle === 0 ? 'idle for ever' : `idle at most ${formatDuration(limits.idle)}`
  return [
    ['listens', `${formatAddress(listen)}, ${agent.tls === undefined ? 'without TLS' : `TLS with ${agent.tls.cert}`}`],
    ['agents', agentsOf(agent)],
    [
      'upstream',
      `${formatAddress(upstream)}, ${TLS_WORDS[upstream.tls]}${upstream.tls.startsWith('verify') ? ` (${trust})` : ''}`,
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
