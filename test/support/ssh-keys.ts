/** Keys and certificates of OpenSSH for tests, made by ssh-keygen. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface SshKey {
  /** The private key, in OpenSSH's own format. */
  readonly file: string
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly line: string
}

export interface SshKeyOptions {
  readonly type?: 'ed25519' | 'ecdsa' | 'rsa'
  readonly bits?: number
  readonly passphrase?: string
}

/** Makes a key pair: `file` and `file.pub`. */
export async function makeSshKey(file: string, options: SshKeyOptions = {}): Promise<SshKey> {
  const { type = 'ed25519', bits, passphrase = '' } = options
  const size = bits === undefined ? [] : ['-b', String(bits)]
  await execute('ssh-keygen', ['-q', '-t', type, ...size, '-N', passphrase, '-C', '', '-f', file])
  return { file, line: publicLine(`${file}.pub`) }
}

export interface SshCertificateOptions {
  readonly kind?: 'user' | 'host'
  /** Login names, or names of the host. None makes a certificate that holds for all. */
  readonly principals?: readonly string[]
  /** As ssh-keygen's `-V`: `+5m`, `-2m:-1m`. */
  readonly validity?: string
  readonly identity?: string
  readonly serial?: number
  /** As ssh-keygen's `-O`: `force-command=…`, `source-address=…`, `clear`. */
  readonly options?: readonly string[]
}

/** Signs a public key by an authority's private one. Gives the certificate's file: `KEY-cert.pub`. */
export async function signSshKey(authority: string, key: SshKey, options: SshCertificateOptions = {}): Promise<string> {
  const { kind = 'user', principals = [], validity = '-1m:+1h', identity = 'test', serial = 1 } = options
  const args = ['-q', '-s', authority, '-I', identity, '-z', String(serial), '-V', validity]
  if (kind === 'host') args.push('-h')
  if (principals.length > 0) args.push('-n', principals.join(','))
  for (const option of options.options ?? []) args.push('-O', option)
  await execute('ssh-keygen', [...args, `${key.file}.pub`])
  return `${key.file}-cert.pub`
}

/** The algorithm and the key of a public key's or certificate's file, without the comment. */
export function publicLine(file: string): string {
  return readFileSync(file, 'utf8').split(' ', 2).join(' ').trim()
}
