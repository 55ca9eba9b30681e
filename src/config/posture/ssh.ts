/** What holds for an SSH target. */
import { readFileSync } from 'node:fs'
import { readHostLines } from '../files/ssh.ts'
import { lookupName } from '../known-hosts.ts'
import type { Fact } from '../posture.ts'
import { inspectPrivateKey } from '../private-key.ts'
import { parsePublicKey, type PublicKey } from '../public-key.ts'
import type { SshLogin, SshTargetConfig } from '../schema.ts'
import { formatAddress, formatDuration, formatSize } from '../values.ts'

/** Of a configuration that was checked: what its files hold can be read. */
export function sshFacts(target: SshTargetConfig): readonly Fact[] {
  const { listen, agent, upstream, environment } = target
  const language = upstream.shell === 'posix' ? '' : ', whose shell is not POSIX: single literal commands only'
  return [
    ['listens', formatAddress(listen)],
    ['shows itself', hostKeyOf(agent)],
    ...agentFacts(agent),
    ['upstream', `${formatAddress(upstream)}${language}`],
    ...hostFacts(upstream),
    ...credentialFacts(target.credential),
    shellFact(target.shell),
    ['environment', ['LANG, LC_*, TERM, GIT_PROTOCOL', ...environment].join(', ')],
    ...limitFacts(target.limits),
  ]
}

function hostKeyOf({ hostKeyFile, knownHosts }: SshTargetConfig['agent']): string {
  const key = hostKeyFile === undefined ? 'a new key at each start' : keyIn(hostKeyFile)
  return knownHosts === undefined ? key : `${key}, its line for agents in ${knownHosts}`
}

function agentFacts(agent: SshTargetConfig['agent']): Fact[] {
  switch (agent.authenticate) {
    case 'none':
      return [['agents', 'whoever is on this loopback, as the workload']]
    case 'jwt':
      return [
        ['agents', `a token of ${agent.issuer} for ${agent.audience}, as password (${agent.algorithms.join(', ')})`],
      ]
    case 'key':
      return listed(
        'agents',
        Object.entries(agent.users).flatMap(([name, { keys }]) => keys.map((line) => `${name}, ${keyOf(line)}`)),
      )
    case 'certificate':
      return listed(
        'agents',
        agent.authorities.map((line) => `whom a certificate of ${keyOf(line)} names`),
      )
    default:
      return agent satisfies never
  }
}

/** Nothing else proves the host: no key is learned from what was seen before. */
function hostFacts({ host, port, hostKeys, hostAuthorities, knownHostsFile }: SshTargetConfig['upstream']): Fact[] {
  const known = [
    ...hostKeys.map((line) => keyOf(line)),
    ...hostAuthorities.map((line) => `a certificate of ${keyOf(line)}`),
  ]
  if (knownHostsFile !== undefined) {
    const { lines, keys, authorities, revoked } = readHostLines(knownHostsFile, host, port)
    const of = `${knownHostsFile}, ${lines} lines, of which for ${lookupName(host, port)}`
    known.push(
      `${of}: ${keys.length} keys, ${authorities.length} authorities, ${revoked} revoked`,
      ...keys.map(printed),
      ...authorities.map((key) => `a certificate of ${printed(key)}`),
    )
  }
  return listed('host known by', known)
}

function credentialFacts(credential: SshTargetConfig['credential']): Fact[] {
  if ('user' in credential) return [['credential', `login ${credential.user}, ${proofOf(credential)}`]]
  const users = Object.entries(credential.users)
  return listed(
    'credential',
    users.map(([name, login]) => `${name} → login ${login.user}, ${proofOf(login)}`),
  )
}

function proofOf(login: SshLogin): string {
  const { privateKeyFile, passphraseFile, certificateFile, passwordFile, certificate } = login
  const locked = passphraseFile === undefined ? '' : `, its passphrase in ${passphraseFile}`
  if (privateKeyFile !== undefined) {
    const signed = certificateFile === undefined ? '' : `, its certificate in ${certificateFile}`
    return `${keyIn(privateKeyFile)}${locked}${signed}`
  }
  if (certificate === undefined) return `password in ${passwordFile ?? ''}`
  if ('command' in certificate) return `a new key for each connection, certified by ${certificate.command[0]}`
  const { authorityFile, principals, validity } = certificate
  const names = (principals ?? [login.user]).join(', ')
  const lasts = formatDuration(validity)
  return `a new key for each connection, certified for ${names} and ${lasts} by ${keyIn(authorityFile)}${locked}`
}

function shellFact(shell: SshTargetConfig['shell']): Fact {
  switch (shell) {
    case 'none':
      return ['shells', 'refused']
    case 'line-gated':
      return ['shells', 'where policy allows them, line-gated: each line is judged before it runs']
    case 'recorded':
      return ['shells', 'where policy allows them, RECORDED ONLY: what is typed is not judged before it runs', 'weak']
    default:
      return shell satisfies never
  }
}

function limitFacts(limits: SshTargetConfig['limits']): Fact[] {
  const unless = (time: number, words: string, otherwise: string) =>
    time === 0 ? otherwise : `${words} ${formatDuration(time)}`
  const { connections, channels, attempts, command, environment, files, inFlight, rekey } = limits
  return [
    ['limits', `${connections} connections, ${channels} channels each, ${attempts} attempts to log in`],
    [
      '',
      `${formatSize(command)} a command, ${environment} variables, ${files} open files, ${formatSize(inFlight)} in flight`,
    ],
    [
      'timeouts',
      [
        `${formatDuration(limits.handshake)} to log in`,
        unless(limits.idle, 'idle at most', 'idle for ever'),
        unless(limits.duration, 'connected at most', 'connected for ever'),
        unless(limits.keepalive, 'asked for life every', 'never asked for life'),
        `new keys every ${formatSize(rekey)}`,
      ].join(', '),
    ],
  ]
}

/** One line for each, the topic on the first. */
function listed(topic: string, facts: readonly string[]): Fact[] {
  return facts.map((fact, index) => [index === 0 ? topic : '', fact])
}

function keyOf(line: string): string {
  const key = parsePublicKey(line)
  return key.comment === '' ? printed(key) : `${printed(key)} (${key.comment})`
}

function printed({ type, fingerprint }: PublicKey): string {
  return `${type} ${fingerprint}`
}

/** The file, and the fingerprint where the file shows it. */
function keyIn(file: string): string {
  const key = inspectPrivateKey(readFileSync(file, 'utf8'))?.publicKey
  return key === undefined || key === null ? `the key in ${file}` : `the key in ${file}, ${printed(key)}`
}
