/** What a PostgreSQL target must keep, and what weakens it. */
import { isLoopback } from '../../net/listener.ts'
import { type Problem, problem } from '../problem.ts'
import type { PostgresTargetConfig } from '../schema.ts'

export function checkPostgres(target: PostgresTargetConfig): Problem[] {
  return [...checkAgent(target), ...checkUpstream(target), ...checkRoles(target), ...checkNames(target)]
}

function checkAgent({ agent, listen, databases }: PostgresTargetConfig): Problem[] {
  const found: Problem[] = []
  const path = ['agent', 'authenticate']
  const exposed = !isLoopback(listen.host)
  if (agent.authenticate === 'none' && exposed) {
    const message = `anyone who reaches ${listen.host}:${listen.port} could connect`
    found.push(problem('config.exposed', path, message, 'listen on the loopback, or authenticate by password or jwt'))
  }
  if (agent.authenticate === 'jwt' && exposed && agent.tls === undefined) {
    const message = 'the token would cross the network unencrypted'
    found.push(problem('config.clear-token', path, message, 'give agent.tls, or listen on the loopback'))
  }
  if (agent.authenticate === 'password' && exposed && agent.tls === undefined) {
    const message = 'statements and rows cross the network unencrypted'
    found.push(problem('config.clear-agent', ['agent', 'tls'], message, 'give agent.tls', 'weakness'))
  }
  if (agent.authenticate === 'password' && Object.keys(agent.users).length === 0) {
    found.push(problem('config.nobody', ['agent', 'users'], 'nobody could connect', 'name at least one user'))
  }
  if (databases === 'any') {
    const message = 'every database that the role may enter is offered'
    found.push(problem('config.any-database', ['databases'], message, 'list the databases', 'weakness'))
  }
  return found
}

function checkUpstream({ upstream, listen }: PostgresTargetConfig): Problem[] {
  const found: Problem[] = []
  const { host, port, tls, allow } = upstream
  const verified = tls === 'verify-full' || tls === 'verify-ca'
  const remote = !isLoopback(host)
  if (allow.length > 0 && !verified && remote) {
    const message = `${allow.join(' and ')} would give the credential to whoever answers as ${host}`
    found.push(problem('config.credential-exposed', ['upstream', 'allow'], message, 'set upstream.tls: verify-full'))
  }
  if (remote && tls !== 'verify-full')
    found.push(problem('config.upstream-tls', ['upstream', 'tls'], TLS[tls], FULL, 'weakness'))
  for (const key of ['ca', 'serverName'] as const) {
    const used = verified && (key === 'ca' || tls === 'verify-full')
    if (upstream[key] === undefined || used) continue
    found.push(problem('config.no-effect', ['upstream', key], `has no effect with tls: ${tls}`, FULL))
  }
  if (!remote && isLoopback(listen.host) && port === listen.port) {
    found.push(
      problem('config.loop', ['upstream', 'port'], 'the target would connect to itself', 'choose another port'),
    )
  }
  return found
}

const FULL = 'set upstream.tls: verify-full'
const TLS = {
  'verify-full': '',
  'verify-ca': 'any server with a certificate of these authorities could answer',
  require: 'the server is not asked who it is: whoever answers gets the traffic',
  disable: 'the traffic crosses the network unencrypted',
} as const satisfies Record<PostgresTargetConfig['upstream']['tls'], string>

function checkRoles({ agent, credential }: PostgresTargetConfig): Problem[] {
  const found: Problem[] = []
  if ('user' in credential) return found
  if (credential.users === 'any') {
    const message = 'the agent chooses its role upstream by the user name that it gives'
    const remedy = 'give one credential, or one role for each user name'
    return [problem('config.any-user', ['credential', 'users'], message, remedy, 'weakness')]
  }
  if (Object.keys(credential.users).length === 0) {
    found.push(problem('config.nobody', ['credential', 'users'], 'nobody could connect', 'name at least one user'))
  }
  if (agent.authenticate !== 'password') return found
  for (const name of Object.keys(agent.users)) {
    if (Object.hasOwn(credential.users, name)) continue
    const message = 'this agent has no role upstream and could never connect'
    found.push(problem('config.no-role', ['agent', 'users', name], message, `add credential.users.${name}`))
  }
  return found
}

/** Schemas whose meaning would change within a session or from role to role; what is judged must stay what it was. */
const SHIFTING_SCHEMAS = new Set(['$user', '"$user"', 'pg_temp'])

function checkNames({ searchPath, limits }: PostgresTargetConfig): Problem[] {
  const found: Problem[] = []
  for (const [index, schema] of searchPath.entries()) {
    if (!SHIFTING_SCHEMAS.has(schema)) continue
    const message = `${schema} means something else in every session`
    found.push(problem('config.search-path', ['searchPath', index], message, 'name the schemas themselves'))
  }
  if (limits.statement > limits.message) {
    const path = ['limits', 'statement']
    found.push(problem('config.no-effect', path, 'is larger than limits.message', 'lower it, or raise limits.message'))
  }
  return found
}
