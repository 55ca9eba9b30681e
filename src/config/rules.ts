/** What a configuration must keep beyond the form of single keys, and what weakens it. Looks at no file. */
import { isLoopback } from '../net/listener.ts'
import { type KeyPath, type Problem, problem } from './problem.ts'
import { checkKubernetes } from './rules/kubernetes.ts'
import { checkPostgres } from './rules/postgres.ts'
import { checkSsh, checkSshTogether } from './rules/ssh.ts'
import type { Configuration, TargetConfig } from './schema.ts'

export function checkRules(configuration: Configuration): Problem[] {
  const targets = Object.entries(configuration.targets)
  const found = [
    ...checkPolicy(configuration),
    ...checkRecord(configuration),
    ...checkAdmin(configuration),
    ...checkListeners(configuration),
    ...targets.flatMap(([name, target]) => within(name, checkTarget({ ...target, name }))),
    ...checkSshTogether(configuration),
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
      return checkPostgres(target)
    case 'ssh':
      return checkSsh(target)
    case 'kubernetes':
      return checkKubernetes(target)
    default:
      return target satisfies never
  }
}

/** What a target's own checks say, by the key's whole path. */
function within(name: string, found: readonly Problem[]): Problem[] {
  return found.map((one) => ({ ...one, path: ['targets', name, ...one.path] }))
}
