/** What a configuration must keep beyond the form of single keys, and what weakens it. Looks at no file. */
import { isLoopback } from '../net/listener.ts'
import { type KeyPath, type Problem, problem } from './problem.ts'
import type { Configuration, PostgresTargetConfig, SshTargetConfig, TargetConfig } from './schema.ts'

export function checkRules(configuration: Configuration): Problem[] {
  const targets = Object.entries(configuration.targets)
  const found = [
    ...checkPolicy(configuration),
    ...checkRecord(configuration),
    ...checkAdmin(configuration),
    ...checkListeners(configuration),
    ...targets.flatMap(([name, target]) => checkTarget({ ...target, name })),
  ]
  if (targets.length > 0) return found
  return [...found, problem('config.no-target', ['targets'], 'no target is configured', 'name at least one')]
}

function checkPolicy({ policy }: Configuration): Problem[] {
  const found: Problem[] = []
  if ('allowUnsigned' in policy.bundle) {
    const remedy = 'sign the bundle and give its public key as `key`'
    found.push(
      problem('config.unsigned', ['policy', 'bundle'], 'whoever can write the bundle decides', remedy, 'weakness'),
    )
  }
  if (policy.mode === 'observe') {
    const message = 'denials of the policy are recorded and not enforced'
    found.push(problem('config.observe', ['policy', 'mode'], message, 'set mode: enforce', 'weakness'))
  }
  return found
}

function checkRecord({ record: { journal, redis } }: Configuration): Problem[] {
  const found: Problem[] = []
  // One segment is written while the other is sealed and shipped.
  if (journal.maxSize < 2 * journal.segmentSize) {
    const path = ['record', 'journal', 'maxSize']
    found.push(problem('config.journal', path, 'holds less than two segments', 'raise it, or lower segmentSize'))
  }
  if (redis === undefined) return found
  const url = URL.parse(redis.url)
  const path = ['record', 'redis', 'url']
  if (url === null) return [...found, problem('config.value', path, 'is not an address', 'redis://host:6379')]
  const remedy = 'use rediss:// with `ca`'
  if (url.protocol === 'redis:' && !isLoopback(url.hostname)) {
    found.push(problem('config.redis-clear', path, 'records travel unencrypted', remedy, 'weakness'))
  }
  if (url.protocol === 'redis:' && redis.ca !== undefined) {
    found.push(problem('config.no-effect', ['record', 'redis', 'ca'], 'has no effect without TLS', remedy))
  }
  if (url.password !== '' && redis.passwordFile !== undefined) {
    found.push(problem('config.conflict', path, 'has a password, and passwordFile gives another', 'keep passwordFile'))
  }
  return found
}

function checkAdmin({ admin }: Configuration): Problem[] {
  if (admin === undefined || isLoopback(admin.listen.host)) return []
  const message = `${admin.listen.host} is not the loopback: status and control are for this pod only`
  return [problem('config.exposed', ['admin', 'listen'], message, 'listen on 127.0.0.1 or [::1]')]
}

const EVERY_ADDRESS = new Set(['0.0.0.0', '::', '*'])

function checkListeners({ admin, probes, targets }: Configuration): Problem[] {
  const all: { path: KeyPath; host: string; port: number }[] = []
  if (admin !== undefined) all.push({ path: ['admin', 'listen'], ...admin.listen })
  if (probes !== undefined) all.push({ path: ['probes', 'listen'], ...probes.listen })
  for (const [name, target] of Object.entries(targets))
    all.push({ path: ['targets', name, 'listen'], ...target.listen })
  return all.flatMap((one, index) => {
    const other = all.slice(0, index).find(({ host, port }) => {
      const meet = host === one.host || EVERY_ADDRESS.has(host) || EVERY_ADDRESS.has(one.host)
      return port !== 0 && port === one.port && meet
    })
    if (other === undefined) return []
    return [
      problem('config.conflict', one.path, `takes the same port as ${other.path.join('.')}`, 'choose another port'),
    ]
  })
}

function checkTarget(target: TargetConfig): Problem[] {
  switch (target.protocol) {
    case 'postgres':
      return checkPostgres(target).map((found) => ({ ...found, path: ['targets', target.name, ...found.path] }))
    case 'ssh':
      return checkSsh(target).map((found) => ({ ...found, path: ['targets', target.name, ...found.path] }))
    default:
      return target satisfies never
  }
}

function checkSsh({ agent, listen }: SshTargetConfig): Problem[] {
  if (agent.authenticate !== 'none' || isLoopback(listen.host)) return []
  const message = `anyone who reaches ${listen.host}:${listen.port} could connect`
  const remedy = 'listen on the loopback, or authenticate by key, certificate or jwt'
  return [problem('config.exposed', ['agent', 'authenticate'], message, remedy)]
}

function checkPostgres(target: PostgresTargetConfig): Problem[] {
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
