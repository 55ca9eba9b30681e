/** The files that a configuration names: which keys name them, where they lie, and whether they can be used. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync, type Stats } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Content, CONTENT } from './files/contents.ts'
import { checkSshFiles } from './files/ssh.ts'
import { child } from './keys.ts'
import { type KeyPath, type Problem, problem } from './problem.ts'

type Kind = Content | 'bundle' | 'directory' | 'written'

/** Every key that names a file, with `*` for a name that the user chose. */
export const FILE_KEYS: readonly (readonly [key: string, kind: Kind])[] = [
  ['admin.tokenFile', 'token'],
  ['masks.keyFile', 'mask-key'],
  ['policy.bundle.file', 'bundle'],
  ['policy.bundle.key', 'public-key'],
  ['record.journal.directory', 'directory'],
  ['record.redis.passwordFile', 'secret'],
  ['record.redis.ca', 'authorities'],
  ['targets.*.upstream.ca', 'authorities'],
  ['targets.*.agent.tls.cert', 'certificate'],
  ['targets.*.agent.tls.key', 'private-key'],
  ['targets.*.agent.users.*.passwordFile', 'secret'],
  ['targets.*.agent.keys.file', 'key-set'],
  ['targets.*.credential.passwordFile', 'secret'],
  ['targets.*.credential.users.*.passwordFile', 'secret'],
  ['targets.*.upstream.knownHostsFile', 'known-hosts'],
  ['targets.*.agent.hostKeyFile', 'ssh-key'],
  ['targets.*.agent.knownHosts', 'written'],
  ['targets.*.agent.caFile', 'written'],
  ['targets.*.credential.tokenFile', 'secret'],
  ['targets.*.credential.certFile', 'certificate'],
  ['targets.*.credential.keyFile', 'private-key'],
  ...loginKeys('targets.*.credential'),
  ...loginKeys('targets.*.credential.users.*'),
]

/** How the sidecar proves itself to an SSH host. */
function loginKeys(login: string): (readonly [key: string, kind: Kind])[] {
  return [
    [`${login}.privateKeyFile`, 'ssh-key'],
    [`${login}.passphraseFile`, 'secret'],
    [`${login}.certificateFile`, 'ssh-certificate'],
    [`${login}.certificate.authorityFile`, 'ssh-key'],
  ]
}

interface Named {
  readonly path: KeyPath
  readonly kind: Kind
  readonly file: string
}

/** All files that a configuration (as written, or as loaded) names. */
export function namedFiles(value: unknown): Named[] {
  return FILE_KEYS.flatMap(([key, kind]) => expand(value, key.split('.'), [], kind))
}

function expand(value: unknown, [part, ...rest]: readonly string[], path: KeyPath, kind: Kind): Named[] {
  if (part === undefined) return typeof value === 'string' && value !== '' ? [{ path, kind, file: value }] : []
  const isMapping = value !== null && typeof value === 'object'
  const keys = part === '*' ? (isMapping ? Object.keys(value) : []) : [part]
  return keys.flatMap((key) => expand(child(value, key), rest, [...path, key], kind))
}

/** Makes the names of files that are relative absolute: they count from where the configuration lies. In place. */
export function resolveFiles(value: unknown, base: string): void {
  for (const { path, file } of namedFiles(value)) {
    const parent = path.slice(0, -1).reduce(child, value) as Record<string | number, unknown>
    const key = path.at(-1)
    if (key !== undefined) parent[key] = resolve(base, file)
  }
}

/** Looks at every named file as the sidecar itself would at start. */
export function checkFiles(configuration: unknown): Problem[] {
  const files = namedFiles(configuration)
  return [...files.flatMap(checkFile), ...checkPairs(configuration), ...checkSshFiles(configuration)]
}

function checkFile(named: Named): Problem[] {
  if (named.kind === 'directory') return checkDirectory(named, named.file)
  if (named.kind === 'written') return checkDirectory(named, dirname(named.file))
  const { path, file, kind } = named
  let stats: Stats
  try {
    stats = statSync(file)
    accessSync(file, constants.R_OK)
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${codeOf(error)})`
    return [problem('config.file', path, `${file} ${why}`, 'create, mount or name it right')]
  }
  if (stats.isDirectory()) {
    return kind === 'bundle' ? [] : [problem('config.file', path, `${file} is a directory`, 'name a file')]
  }
  // A device may have no end, and a pipe is empty when it is read again.
  if (!stats.isFile()) return [problem('config.file', path, `${file} is no regular file`, 'name one')]
  return checkContent(named, stats)
}

/** Whoever shares the loopback can try thousands a second: 64 bits are out of reach. */
const SHORTEST_TOKEN = 16

const SECRETS: ReadonlySet<Kind> = new Set<Kind>(['secret', 'token', 'private-key', 'mask-key', 'ssh-key'])

function checkContent({ path, file, kind }: Named, stats: Stats): Problem[] {
  if (kind === 'bundle' || kind === 'directory' || kind === 'written') return []
  const wrong = CONTENT[kind](readFileSync(file))
  const found = wrong === null ? [] : [problem('config.file', path, `${file} ${wrong[0]}`, wrong[1])]
  const secret = SECRETS.has(kind)
  // POSIX: the last three bits are what everyone else on the machine may do.
  if (secret && (stats.mode & 0o007) !== 0) {
    const message = `${file} may be read by every user of the machine`
    found.push(problem('config.open-secret', path, message, `chmod o-rwx ${file}`, 'weakness'))
  }
  if (kind === 'token' && wrong === null && stats.size < SHORTEST_TOKEN) {
    const message = `${file} holds a token that could be guessed`
    found.push(problem('config.short-token', path, message, 'make a longer one: openssl rand -hex 32', 'weakness'))
  }
  if (kind === 'known-hosts' && (stats.mode & 0o002) !== 0) {
    const message = `${file} may be written by every user of the machine, who could name another host's key`
    found.push(problem('config.open-trust', path, message, `chmod o-w ${file}`, 'weakness'))
  }
  return found
}

function checkDirectory({ path, kind }: Named, directory: string): Problem[] {
  // Only the journal's directory is made where it is missing.
  const found = kind === 'written' ? directory : nearestExisting(directory)
  try {
    if (!statSync(found).isDirectory()) return [problem('config.file', path, `${found} is no directory`, 'name one')]
    accessSync(found, constants.W_OK | constants.X_OK)
    return []
  } catch (error) {
    const message = `${found} cannot be written to (${codeOf(error)})`
    return [problem('config.file', path, message, 'let the user that the sidecar runs as write there')]
  }
}

/** A directory that is not there yet is made at start, so the nearest one above must let us. */
function nearestExisting(directory: string): string {
  let found = resolve(directory)
  while (statSync(found, { throwIfNoEntry: false }) === undefined && dirname(found) !== found) found = dirname(found)
  return found
}

/** Where a target names a certificate and its key. */
const PAIRS: readonly (readonly [section: KeyPath, cert: string, key: string])[] = [
  [['agent', 'tls'], 'cert', 'key'],
  [['credential'], 'certFile', 'keyFile'],
]

/** A certificate without its own key would fail only when the first agent connects. */
function checkPairs(configuration: unknown): Problem[] {
  const targets = child(configuration, 'targets')
  const names = targets !== null && typeof targets === 'object' ? Object.keys(targets) : []
  return names.flatMap((name) =>
    PAIRS.flatMap(([section, cert, key]) => checkPair(configuration, ['targets', name, ...section], cert, key)),
  )
}

function checkPair(configuration: unknown, path: KeyPath, certKey: string, keyKey: string): Problem[] {
  const section = path.reduce(child, configuration)
  const [cert, key] = [child(section, certKey), child(section, keyKey)]
  if (typeof cert !== 'string' || typeof key !== 'string') return []
  try {
    if (new X509Certificate(readFileSync(cert)).checkPrivateKey(createPrivateKey(readFileSync(key)))) return []
  } catch {
    // That one of them cannot be read or parsed was said above.
    return []
  }
  const message = 'is not the key of the certificate'
  return [problem('config.file', [...path, keyKey], message, 'give the private key that the certificate was made for')]
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
