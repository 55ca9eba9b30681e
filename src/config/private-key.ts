/** What can be told of a private key's file without opening the key: whether it is one, is locked, and whose other half it is. */
import { createPrivateKey } from 'node:crypto'
import { parsePublicKeyBlob, type PublicKey, PublicKeyError } from './public-key.ts'

export interface PrivateKeyFile {
  /** It takes a passphrase. */
  readonly locked: boolean
  /** Null where only opening it would tell. */
  readonly publicKey: PublicKey | null
}

/** PROTOCOL.key: what an OpenSSH private key begins with, after its armour. */
const MAGIC = Buffer.from('openssh-key-v1\0')

/** Null where it holds no private key, or one of a kind that is not trusted. */
export function inspectPrivateKey(text: string): PrivateKeyFile | null {
  const [, armoured] =
    /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/.exec(text) ?? []
  if (armoured !== undefined) return inspectOpenSsh(Buffer.from(armoured, 'base64'))
  if (/^PuTTY-User-Key-File-[23]: /.test(text)) return { locked: !/^Encryption: none\r?$/m.test(text), publicKey: null }
  const locked = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED\r?$/m.test(text)
  if (locked) return { locked, publicKey: null }
  try {
    const { asymmetricKeyType = '' } = createPrivateKey(text)
    return ['ed25519', 'ec', 'rsa'].includes(asymmetricKeyType) ? { locked, publicKey: null } : null
  } catch {
    return null
  }
}

/** Magic, cipher, key derivation and its options, the number of keys (one), the public key; then the private one. */
function inspectOpenSsh(bytes: Buffer): PrivateKeyFile | null {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null
  let at = MAGIC.length
  const string = () => {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new RangeError('cut off')
    const value = bytes.subarray(at + 4, end)
    at = end
    return value
  }
  try {
    const cipher = string().toString('latin1')
    string()
    string()
    const keys = bytes.readUInt32BE(at)
    at += 4
    const publicKey = parsePublicKeyBlob(string())
    string()
    return keys === 1 ? { locked: cipher !== 'none', publicKey } : null
  } catch (error) {
    if (error instanceof RangeError || error instanceof PublicKeyError) return null
    throw error
  }
}
