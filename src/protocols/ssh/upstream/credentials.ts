/**
 * The sidecar's own credential for one login. Its files are read at each connection, so that what was rotated holds at once,
 * and once at start, so that mistakes show there.
 */
import { createHash } from 'node:crypto'
import type { SshLogin } from '../../../config/schema.ts'
import { type Certificate, parseCertificateLine } from '../keys/certificate.ts'
import { parsePrivateKey, type PrivateKey } from '../keys/private.ts'
import { algorithmsOf } from '../keys/signature.ts'
import type { Credential, SigningKey } from './authentication.ts'
import { FORCE_COMMAND, FORCES_COMMAND, type Issuing, issueCertificate, type Requester } from './issuing.ts'
import { CERTIFICATE_SUFFIX } from './ssh2/certificates.ts'

/** Reads a secret's file. */
export type ReadSecret = (file: string) => Promise<string>

/** A key of the login's settings, or a file that it names, that cannot be used. The message is for the operator. */
export class CredentialUnusable extends Error {
  override readonly name = 'CredentialUnusable'
  readonly key: keyof SshLogin | 'certificate.authorityFile' | 'certificate.command'

  constructor(key: CredentialUnusable['key'], message: string, cause?: unknown) {
    super(message, { cause })
    this.key = key
  }
}

/** The credential of one login. */
export class LoginCredential {
  readonly login: SshLogin
  readonly #read: ReadSecret
  readonly #keys = new PrivateKeys()

  /** Fails with a {@link CredentialUnusable} where settings contradict each other. */
  constructor(login: SshLogin, read: ReadSecret) {
    this.login = login
    this.#read = read
    checkTogether(login)
  }

  /** Reads everything as a connection would, and asks nobody. */
  async check(): Promise<void> {
    const { certificate, privateKeyFile } = this.login
    await this.#password()
    if (certificate !== undefined && 'authorityFile' in certificate) {
      await this.#privateKey('certificate.authorityFile', certificate.authorityFile)
    }
    if (privateKeyFile === undefined) return
    const key = await this.#privateKey('privateKeyFile', privateKeyFile)
    // Whether it is valid now does not matter now: what renews it may begin after the sidecar.
    await this.#certificateFor(key)
  }

  /** Fails with a {@link CredentialUnusable}. */
  async forConnection(requester: Requester): Promise<Credential> {
    const password = await this.#password()
    const key = await this.#signingKey(requester)
    return { key, password }
  }

  async #signingKey(requester: Requester): Promise<SigningKey | null> {
    const { certificate, privateKeyFile, user } = this.login
    if (certificate !== undefined) {
      const issued = await issueCertificate(await this.#issuing(certificate), user, requester)
      return signingKey(issued.key, issued.certificate)
    }
    if (privateKeyFile === undefined) return null
    const key = await this.#privateKey('privateKeyFile', privateKeyFile)
    const own = await this.#certificateFor(key)
    const now = BigInt(Math.floor(Date.now() / 1000))
    if (own !== null && (now < own.validAfter || now >= own.validBefore)) {
      throw new CredentialUnusable('certificateFile', 'holds a certificate that is not valid now')
    }
    return signingKey(key, own)
  }

  async #issuing(certificate: NonNullable<SshLogin['certificate']>): Promise<Issuing> {
    if ('command' in certificate) return { by: 'command', command: certificate.command }
    const { authorityFile, principals, validity } = certificate
    const authority = await this.#privateKey('certificate.authorityFile', authorityFile)
    return { by: 'authority', authority, principals: principals ?? [this.login.user], validity }
  }

  async #password(): Promise<string | null> {
    const file = this.login.passwordFile
    return file === undefined ? null : await this.#contents('passwordFile', file)
  }

  async #privateKey(key: 'privateKeyFile' | 'certificate.authorityFile', file: string): Promise<PrivateKey> {
    const { passphraseFile } = this.login
    const text = await this.#contents(key, file)
    const passphrase = passphraseFile === undefined ? undefined : await this.#contents('passphraseFile', passphraseFile)
    try {
      return this.#keys.parse(text, passphrase)
    } catch (error) {
      throw unusable(key, file, error)
    }
  }

  /** The certificate that was signed elsewhere, for exactly this key. */
  async #certificateFor(key: PrivateKey): Promise<Certificate | null> {
    const file = this.login.certificateFile
    if (file === undefined) return null
    let certificate: Certificate
    try {
      certificate = parseCertificateLine(await this.#contents('certificateFile', file))
    } catch (error) {
      throw unusable('certificateFile', file, error)
    }
    if (certificate.kind !== 'user') {
      throw new CredentialUnusable('certificateFile', `names ${file}, which holds the certificate of a host`)
    }
    if (!certificate.key.blob.equals(key.publicKey.blob)) {
      throw new CredentialUnusable('certificateFile', `names ${file}, whose certificate is for another private key`)
    }
    if (certificate.critical.has(FORCE_COMMAND)) {
      throw new CredentialUnusable('certificateFile', `names ${file}, whose certificate ${FORCES_COMMAND}`)
    }
    return certificate
  }

  async #contents(key: CredentialUnusable['key'], file: string): Promise<string> {
    try {
      return await this.#read(file)
    } catch (error) {
      throw unusable(key, file, error)
    }
  }
}

/**
 * Decrypting a key takes a third of a second in which nothing else runs, by design. So it is done once for each content of the
 * file and its passphrase: the files are read at each connection all the same.
 */
class PrivateKeys {
  #digest = ''
  #key: PrivateKey | null = null

  parse(text: string, passphrase: string | undefined): PrivateKey {
    const contents = JSON.stringify([text, passphrase ?? null])
    const digest = createHash('sha256').update(contents).digest('base64')
    if (this.#key !== null && this.#digest === digest) return this.#key
    this.#key = parsePrivateKey(text, passphrase)
    this.#digest = digest
    return this.#key
  }
}

function signingKey(key: PrivateKey, certificate: Certificate | null): SigningKey {
  return {
    algorithms: algorithmsOf(key.type),
    blob: certificate?.blob ?? key.publicKey.blob,
    suffix: certificate === null ? '' : CERTIFICATE_SUFFIX,
    sign: (data, algorithm) => key.sign(data, algorithm),
  }
}

function checkTogether({ certificate, certificateFile, passphraseFile, privateKeyFile }: SshLogin): void {
  if (certificate !== undefined && privateKeyFile !== undefined) {
    throw new CredentialUnusable('privateKeyFile', 'has no effect: the certificate is for a new key each time')
  }
  if (certificateFile !== undefined && privateKeyFile === undefined) {
    throw new CredentialUnusable('certificateFile', 'has no effect without the privateKeyFile that it is for')
  }
  const opens = privateKeyFile !== undefined || (certificate !== undefined && 'authorityFile' in certificate)
  if (passphraseFile !== undefined && !opens) {
    throw new CredentialUnusable('passphraseFile', 'has no effect without a private key that it opens')
  }
}

function unusable(key: CredentialUnusable['key'], file: string, error: unknown): CredentialUnusable {
  if (error instanceof CredentialUnusable) return error
  const why = error instanceof Error ? error.message : 'it cannot be used'
  return new CredentialUnusable(key, `names ${file}: ${why}`, error)
}
