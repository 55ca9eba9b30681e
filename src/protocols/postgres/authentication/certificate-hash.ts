/** The channel binding `tls-server-end-point`, RFC 5929: the hash of the server's certificate by its own signature's algorithm. */
import { createHash } from 'node:crypto'

const SHA_256 = 'sha256'
/** By the signature algorithm's OID in hexadecimal. MD5 and SHA-1 become SHA-256, as the RFC says. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010104', SHA_256],
  ['2a864886f70d010105', SHA_256],
  ['2a864886f70d01010b', SHA_256],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a864886f70d01010e', 'sha224'],
  ['2a8648ce3d0401', SHA_256],
  ['2a8648ce3d040301', 'sha224'],
  ['2a8648ce3d040302', SHA_256],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
])
const RSASSA_PSS = '2a864886f70d01010a'
/** Hashes that RSASSA-PSS may name in its parameters, by OID. */
const PSS_HASHES: ReadonlyMap<string, string> = new Map([
  ['608648016503040201', SHA_256],
  ['608648016503040202', 'sha384'],
  ['608648016503040203', 'sha512'],
])

const SEQUENCE = 0x30
const OBJECT_IDENTIFIER = 0x06
const CONTEXT_0 = 0xa0

interface Element {
  readonly tag: number
  readonly body: Buffer
  readonly next: number
}

/** Null where the algorithm defines no hash (Ed25519): no channel can be bound to such a certificate. */
export function certificateHash(der: Buffer): Buffer | null {
  const name = hashName(der)
  return name === null ? null : createHash(name).update(der).digest()
}

function hashName(der: Buffer): string | null {
  const certificate = element(der, 0, SEQUENCE)
  const signed = certificate === null ? null : element(certificate.body, 0, SEQUENCE)
  const algorithm = certificate === null || signed === null ? null : element(certificate.body, signed.next, SEQUENCE)
  const oid = algorithm === null ? null : element(algorithm.body, 0, OBJECT_IDENTIFIER)
  if (algorithm === null || oid === null) return null
  const name = oid.body.toString('hex')
  return name === RSASSA_PSS ? pssHash(algorithm.body, oid.next) : (HASHES.get(name) ?? null)
}

/** RSASSA-PSS-params: the hash is its first, optional member; left out, it is SHA-1, which becomes SHA-256. */
function pssHash(algorithm: Buffer, at: number): string | null {
  const parameters = element(algorithm, at, SEQUENCE)
  if (parameters === null) return null
  const hash = element(parameters.body, 0, CONTEXT_0)
  if (hash === null) return SHA_256
  const identifier = element(hash.body, 0, SEQUENCE)
  const oid = identifier === null ? null : element(identifier.body, 0, OBJECT_IDENTIFIER)
  return oid === null ? null : (PSS_HASHES.get(oid.body.toString('hex')) ?? null)
}

function element(bytes: Buffer, at: number, tag: number): Element | null {
  const first = bytes[at + 1]
  if (bytes[at] !== tag || first === undefined) return null
  const size = first < 0x80 ? 0 : first & 0x7f
  // Four bytes of length are more than any certificate has.
  if (size > 4 || at + 2 + size > bytes.length) return null
  const length = size === 0 ? first : bytes.readUIntBE(at + 2, size)
  const start = at + 2 + size
  if (length > bytes.length - start) return null
  return { tag, body: bytes.subarray(start, start + length), next: start + length }
}
