/** The files of SSH targets: private keys, certificates, and what hosts are known by. */
import { readFileSync } from 'node:fs'
import { child } from '../keys.ts'
import { type KnownHost, KnownHostsError, lookupName, MAX_KNOWN_HOSTS, parseKnownHosts } from '../known-hosts.ts'
import { inspectPrivateKey, type PrivateKeyFile } from '../private-key.ts'
import { type KeyPath, type Problem, problem } from '../problem.ts'
import { parsePublicKeyBlob, type PublicKey } from '../public-key.ts'
import type { Objection } from './contents.ts'

const MAKE_KEY = 'make one: ssh-keygen -t ed25519'

export function sshKey(bytes: Buffer): Objection {
  if (inspectPrivateKey(bytes.toString()) !== null) return null
  return ['holds no private key that SSH could use', MAKE_KEY]
}

export function sshCertificate(bytes: Buffer): Objection {
  if (certificateBlob(bytes.toString()) !== null) return null
  return ['holds no certificate', 'give the -cert.pub file that ssh-keygen -s has made']
}

export function knownHosts(bytes: Buffer): Objection {
  const remedy = 'put that line right: what cannot be read could be what revokes a key'
  if (bytes.length > MAX_KNOWN_HOSTS)
    return [`is larger than ${MAX_KNOWN_HOSTS} bytes`, 'keep the hosts that are needed']
  try {
    parseKnownHosts(bytes.toString())
    return null
  } catch (error) {
    if (!(error instanceof KnownHostsError)) throw error
    return [`cannot be read: ${error.message}`, remedy]
  }
}

/** What a `known_hosts` file says of one host. */
export interface HostLines {
  /** Lines of the whole file. */
  readonly lines: number
  readonly keys: readonly PublicKey[]
  readonly authorities: readonly PublicKey[]
  readonly revoked: number
}

/** Throws where the file cannot be read or parsed. */
export function readHostLines(file: string, host: string, port: number): HostLines {
  const all = parseKnownHosts(readFileSync(file, 'utf8'))
  const name = lookupName(host, port)
  const ours = all.filter(({ matches }) => matches(name))
  const revoked = ours.filter(({ marker }) => marker === 'revoked')
  const usable = (marker: KnownHost['marker']) =>
    ours.flatMap((line) => {
      if (line.marker !== marker || revoked.some(({ blob }) => blob.equals(line.blob))) return []
      const key = publicKeyOf(line.blob)
      return key === null ? [] : [key]
    })
  return { lines: all.length, keys: usable('key'), authorities: usable('authority'), revoked: revoked.length }
}

/** What holds between the files and keys of each SSH target, as it is written. */
export function checkSshFiles(configuration: unknown): Problem[] {
  const targets = child(configuration, 'targets')
  const names = targets !== null && typeof targets === 'object' ? Object.keys(targets) : []
  return names.flatMap((name) => {
    const target = child(targets, name)
    if (child(target, 'protocol') !== 'ssh') return []
    const path: KeyPath = ['targets', name]
    const users = child(child(target, 'credential'), 'users')
    const logins: KeyPath[] = [[...path, 'credential']]
    if (users !== null && typeof users === 'object') {
      logins.push(...Object.keys(users).map((user) => [...path, 'credential', 'users', user]))
    }
    return [
      ...checkHost(child(target, 'upstream'), [...path, 'upstream']),
      ...checkLocked(configuration, [...path, 'agent', 'hostKeyFile'], null),
      ...logins.flatMap((login) => checkLogin(configuration, login)),
    ]
  })
}

function checkHost(upstream: unknown, path: KeyPath): Problem[] {
  const [file, host, port = 22] = [child(upstream, 'knownHostsFile'), child(upstream, 'host'), child(upstream, 'port')]
  if (typeof file !== 'string' || typeof host !== 'string' || typeof port !== 'number') return []
  const pinned = ['hostKeys', 'hostAuthorities'].some(
    (key) => (child(upstream, key) as readonly unknown[] | undefined)?.length,
  )
  let found: HostLines
  try {
    found = readHostLines(file, host, port)
  } catch {
    // That it cannot be read or parsed was said above.
    return []
  }
  if (pinned || found.keys.length + found.authorities.length > 0) return []
  const message = `${file} has no key of ${lookupName(host, port)} that could be trusted`
  const remedy = `add the key that the host’s administrator gives you, or what ssh-keyscan -p ${port} ${host} prints once you have compared it`
  return [problem('config.unknown-host', [...path, 'knownHostsFile'], message, remedy)]
}

function checkLogin(configuration: unknown, login: KeyPath): Problem[] {
  const passphrase = [...login, 'passphraseFile']
  return [
    ...checkLocked(configuration, [...login, 'privateKeyFile'], passphrase),
    ...checkLocked(configuration, [...login, 'certificate', 'authorityFile'], passphrase),
    ...checkCertified(configuration, login),
  ]
}

/** A locked key would fail only when the first agent connects. */
function checkLocked(configuration: unknown, path: KeyPath, passphrase: KeyPath | null): Problem[] {
  const key = inspected(path.reduce(child, configuration))
  if (key?.locked !== true || (passphrase !== null && passphrase.reduce(child, configuration) !== undefined)) return []
  const remedy = passphrase === null ? 'give one without: ssh-keygen -p -N ""' : 'give its passphraseFile'
  return [problem('config.file', path, 'is locked by a passphrase', remedy)]
}

/** A certificate for another key proves nothing. */
function checkCertified(configuration: unknown, login: KeyPath): Problem[] {
  const path = [...login, 'certificateFile']
  const file = path.reduce(child, configuration)
  const key = inspected([...login, 'privateKeyFile'].reduce(child, configuration))?.publicKey
  const blob = typeof file === 'string' ? certificateBlob(readText(file)) : null
  if (key === undefined || key === null || blob === null || certifies(blob, key)) return []
  const remedy = 'give the certificate that was signed for this privateKeyFile'
  return [problem('config.file', path, `is not for the key ${key.fingerprint}`, remedy)]
}

function inspected(file: unknown): PrivateKeyFile | null {
  return typeof file === 'string' ? inspectPrivateKey(readText(file)) : null
}

/** Empty where it cannot be read: that was said above. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function certificateBlob(text: string): Buffer | null {
  const [type = '', base64 = ''] = text.trim().split(/[ \t]+/)
  const blob = Buffer.from(base64, 'base64')
  const named = blob.length > 4 && blob.toString('latin1', 4, 4 + blob.readUInt32BE(0)) === type
  return named && type.endsWith('-cert-v01@openssh.com') ? blob : null
}

/** PROTOCOL.certkeys: type, nonce, and then the same fields as in the plain key. */
function certifies(certificate: Buffer, { blob }: PublicKey): boolean {
  const after = (bytes: Buffer) => (bytes.length < 4 ? bytes : bytes.subarray(4 + bytes.readUInt32BE(0)))
  const fields = after(blob)
  return after(after(certificate)).subarray(0, fields.length).equals(fields)
}

function publicKeyOf(blob: Buffer): PublicKey | null {
  try {
    return parsePublicKeyBlob(blob)
  } catch {
    return null
  }
}
