/** What an SSH target must keep, and what weakens it. */
import { isLoopback } from '../../net/listener.ts'
import { type KeyPath, type Problem, problem } from '../problem.ts'
import { parsePublicKey, PublicKeyError } from '../public-key.ts'
import type { Configuration, SshTargetConfig } from '../schema.ts'
import { checkLogins } from './ssh-logins.ts'

export function checkSsh(target: SshTargetConfig): Problem[] {
  return [
    ...checkAgent(target),
    ...checkUpstream(target),
    ...checkLogins(target),
    ...checkSeparate(target),
    ...checkShell(target),
    ...checkEnvironment(target),
    ...checkLimits(target),
  ]
}

function checkAgent({ agent, listen }: SshTargetConfig): Problem[] {
  const found: Problem[] = []
  const exposed = !isLoopback(listen.host)
  if (agent.authenticate === 'none' && exposed) {
    const message = `anyone who reaches ${listen.host}:${listen.port} could connect`
    const remedy = 'listen on the loopback, or authenticate by key, certificate or jwt'
    found.push(problem('config.exposed', ['agent', 'authenticate'], message, remedy))
  }
  if (exposed && agent.hostKeyFile === undefined) {
    const message = 'the key that agents know the sidecar by is another after each start'
    const remedy = 'make one with ssh-keygen -t ed25519 and give it as agent.hostKeyFile'
    found.push(problem('config.host-key', ['agent', 'hostKeyFile'], message, remedy, 'weakness'))
  }
  if (agent.authenticate === 'certificate') found.push(...checkKeys(agent.authorities, ['agent', 'authorities']))
  if (agent.authenticate !== 'key') return found
  const users = Object.entries(agent.users)
  if (users.length === 0) {
    found.push(problem('config.nobody', ['agent', 'users'], 'nobody could connect', 'name at least one user'))
  }
  return [...found, ...users.flatMap(([name, { keys }]) => checkKeys(keys, ['agent', 'users', name, 'keys']))]
}

/** Every entry must be one plain public key. */
function checkKeys(lines: readonly string[], path: KeyPath): Problem[] {
  return lines.flatMap((line, index) => {
    try {
      parsePublicKey(line)
      return []
    } catch (error) {
      if (!(error instanceof PublicKeyError)) throw error
      return [problem('config.public-key', [...path, index], error.message, error.remedy)]
    }
  })
}

function checkUpstream({ upstream, listen }: SshTargetConfig): Problem[] {
  const found = [
    ...checkKeys(upstream.hostKeys, ['upstream', 'hostKeys']),
    ...checkKeys(upstream.hostAuthorities, ['upstream', 'hostAuthorities']),
  ]
  if (isLoopback(upstream.host) && isLoopback(listen.host) && upstream.port === listen.port) {
    const message = 'the target would connect to itself'
    found.push(problem('config.loop', ['upstream', 'port'], message, 'choose another port'))
  }
  return found
}

/** The legs share nothing: neither a key, nor what one of them trusts. */
function checkSeparate({ agent, upstream, credential }: SshTargetConfig): Problem[] {
  const found: Problem[] = []
  if (agent.knownHosts !== undefined && agent.knownHosts === upstream.knownHostsFile) {
    const message = 'is written by the sidecar for its agents, and would replace what the host is known by'
    found.push(problem('config.conflict', ['agent', 'knownHosts'], message, 'name another file'))
  }
  const logins = 'user' in credential ? [credential] : Object.values(credential.users)
  const secrets = logins.flatMap(({ privateKeyFile, certificate }) => [
    privateKeyFile,
    certificate !== undefined && 'authorityFile' in certificate ? certificate.authorityFile : undefined,
  ])
  if (agent.hostKeyFile !== undefined && secrets.includes(agent.hostKeyFile)) {
    const message = 'is also what the sidecar proves itself with to the host'
    const remedy = 'make a key of its own for each: ssh-keygen -t ed25519'
    found.push(problem('config.conflict', ['agent', 'hostKeyFile'], message, remedy))
  }
  return found
}

function checkShell({ shell, upstream }: SshTargetConfig): Problem[] {
  if (shell === 'recorded') {
    const message = 'what is typed into a recorded shell is not judged before it runs, only written down'
    return [problem('config.recorded-shell', ['shell'], message, 'write line-gated, or none', 'weakness')]
  }
  if (shell === 'line-gated' && upstream.shell === 'other') {
    const message = 'a line-gated shell speaks the language of POSIX shells, and upstream.shell says other'
    return [problem('config.conflict', ['shell'], message, 'write none or recorded, or set upstream.shell: posix')]
  }
  return []
}

/** Variables that make a shell, a loader, an interpreter or a tool run something else than what was judged. */
const STEERING = new Set(
  [
    'PATH CDPATH FPATH IFS ENV HOME SHELL SHELLOPTS BASHOPTS GLOBIGNORE PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 ZDOTDIR',
    'CLASSPATH GCONV_PATH LOCPATH NLSPATH HOSTALIASES RES_OPTIONS GLIBC_TUNABLES TERMINFO TERMINFO_DIRS TERMCAP',
    'PAGER EDITOR VISUAL BROWSER MANPAGER SYSTEMD_PAGER SYSTEMD_EDITOR SUDO_ASKPASS SUDO_EDITOR TAR_OPTIONS CVS_RSH',
  ].flatMap((names) => names.split(' ')),
)
const STEERING_FAMILIES = /^(LD|DYLD|BASH|GIT|SSH|PERL5?|PYTHON|RUBY|NODE|_?JAVA|JDK|LUA|PHP|MALLOC|LESS|RSYNC)_?[A-Z]/
/** Of those families, what only says who somebody is. */
const HARMLESS = /^GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)$|^GIT_PROTOCOL$/

function checkEnvironment({ environment }: SshTargetConfig): Problem[] {
  return environment.flatMap((name, index) => {
    const steers = STEERING.has(name) || STEERING_FAMILIES.test(name)
    if (!steers || HARMLESS.test(name)) return []
    const message = `${name} can make the host run something else than what was judged`
    return [problem('config.environment', ['environment', index], message, 'set it on the host, for the login')]
  })
}

/** Below it a connection would be busy with new keys only; ssh2 counts in packets of 32 KiB. */
const LEAST_REKEY = 1024 ** 2
/** One packet of SSH, which must fit to pass at all. */
const LEAST_IN_FLIGHT = 64 * 1024

function checkLimits({ limits }: SshTargetConfig): Problem[] {
  const least = (key: keyof typeof limits, amount: number, remedy: string) =>
    limits[key] >= amount
      ? []
      : [problem('config.value', ['limits', key], 'is so small that nothing could pass', remedy)]
  return [
    ...least('handshake', 100, 'at least 100ms; 30s is the default'),
    ...least('command', 1, 'at least 1B; 16KiB is the default'),
    ...least('inFlight', LEAST_IN_FLIGHT, 'at least 64KiB; 2MiB is the default'),
    ...least('rekey', LEAST_REKEY, 'at least 1MiB; 1GiB is the default'),
  ]
}

/** A file that two targets write would hold the line of whichever began last. */
export function checkSshTogether({ targets }: Configuration): Problem[] {
  const written = new Map<string, { readonly name: string; readonly hostKeyFile: string | undefined }>()
  return Object.entries(targets).flatMap(([name, target]) => {
    if (target.protocol !== 'ssh' || target.agent.knownHosts === undefined) return []
    const { knownHosts, hostKeyFile } = target.agent
    const other = written.get(knownHosts)
    written.set(knownHosts, { name, hostKeyFile })
    if (other === undefined || (hostKeyFile !== undefined && hostKeyFile === other.hostKeyFile)) return []
    const message = `is also written by the target ${other.name}, for another key`
    const remedy = 'name a file for each, or give both the same agent.hostKeyFile'
    return [problem('config.conflict', ['targets', name, 'agent', 'knownHosts'], message, remedy)]
  })
}
