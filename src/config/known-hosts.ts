/**
 * `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Stricter than OpenSSH, which passes over what it cannot read: here a
 * line that cannot be read is a mistake of the whole file, since it could have been the one that revokes a key. What OpenSSH
 * also does, and this does not: a line of a name without a port says nothing of the same host at another port than 22.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { matchesPatterns } from './host-patterns.ts'

/** Some forty thousand hosts. A wrong path must not fill the memory. */
export const MAX_KNOWN_HOSTS = 8 * 1024 ** 2

/** What a line says of its key: it is the host's own, it signs hosts' certificates, or it proves nothing any more. */
export type Marker = 'key' | 'authority' | 'revoked'

export interface KnownHost {
  readonly marker: Marker
  /** The algorithm, as the line and the key itself name it. */
  readonly type: string
  /** The public key in SSH's own form. */
  readonly blob: Buffer
  readonly matches: (name: string) => boolean
}

/** A line that cannot be read. */
export class KnownHostsError extends Error {
  override readonly name = 'KnownHostsError'
  readonly line: number

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.line = line
  }
}

const MARKERS: ReadonlyMap<string, Marker> = new Map([
  ['@cert-authority', 'authority'],
  ['@revoked', 'revoked'],
])

/** `|1|salt|HMAC-SHA1 of the name|`, both 20 bytes. */
const HASHED = /^\|1\|([A-Za-z0-9+/]{27}=)\|([A-Za-z0-9+/]{27}=)$/
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=)$/

/** Every line with a key, in order. Fails with a {@link KnownHostsError}. */
export function parseKnownHosts(text: string): KnownHost[] {
  const found: KnownHost[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '').replace(/^[ \t]+/, '')
    if (line === '' || line.startsWith('#')) continue
    found.push(parseLine(line, index + 1))
  }
  return found
}

/** The name by which a host at a port is looked up. */
export function lookupName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

function parseLine(line: string, number: number): KnownHost {
  const fields = line.split(/[ \t]+/)
  let marker: Marker = 'key'
  if (fields[0]?.startsWith('@') === true) {
    const named = MARKERS.get(fields.shift() ?? '')
    if (named === undefined) throw new KnownHostsError(number, 'its marker is neither @cert-authority nor @revoked')
    marker = named
  }
  const [hosts, type, encoded] = fields
  if (hosts === undefined || type === undefined || encoded === undefined) {
    throw new KnownHostsError(number, 'it is not names, algorithm and key')
  }
  return { marker, type, blob: blobOf(type, encoded, number), matches: matcher(hosts, number) }
}

function blobOf(type: string, encoded: string, number: number): Buffer {
  const blob = BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0)
  const fields = fieldsOf(blob)
  if (fields === null || fields.length < 2 || fields[0] !== type) {
    throw new KnownHostsError(number, 'it holds no whole key of the algorithm that it names')
  }
  if (type.includes('-cert-v0')) throw new KnownHostsError(number, 'it holds a certificate in the place of a key')
  return blob
}

/** A key of any algorithm is a run of strings, each after its length. Null where it ends within one. */
function fieldsOf(blob: Buffer): string[] | null {
  const fields: string[] = []
  for (let at = 0; at < blob.length;) {
    const end = at + 4 + (at + 4 <= blob.length ? blob.readUInt32BE(at) : blob.length)
    if (end > blob.length) return null
    fields.push(blob.toString('latin1', at + 4, end))
    at = end
  }
  return fields
}

function matcher(hosts: string, number: number): (name: string) => boolean {
  if (hosts.startsWith('|')) {
    const [, salt, hash] = HASHED.exec(hosts) ?? []
    if (salt === undefined || hash === undefined) throw new KnownHostsError(number, 'its hashed name cannot be read')
    const expected = Buffer.from(hash, 'base64')
    const key = Buffer.from(salt, 'base64')
    return (name) => timingSafeEqual(createHmac('sha1', key).update(name).digest(), expected)
  }
  const patterns = hosts.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern === '' || pattern === '!' || pattern.includes('|'))) {
    throw new KnownHostsError(number, 'one of its names is empty, or hashed among others')
  }
  return (name) => matchesPatterns(name, patterns)
}
