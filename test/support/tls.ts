/** Certificates for tests, made by openssl: ECDSA P-256, as the sidecar's own are. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const DAYS = 30

export interface Certificate {
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS #8. */
  readonly key: string
}

export interface CertificateOptions {
  /** The common name; for a client certificate, whom it names. */
  readonly name?: string
  /** Subject alternative names, as openssl writes them: `DNS:db.test`, `IP:127.0.0.1`. */
  readonly names?: readonly string[]
  /** It is not valid any more. */
  readonly expired?: boolean
  readonly usage?: 'serverAuth' | 'clientAuth'
}

export interface TestAuthority extends Certificate {
  /** Issues a certificate for 127.0.0.1, ::1 and localhost unless told otherwise. */
  issue(options?: CertificateOptions): Certificate
}

/** A certificate authority of the test's own. */
export function createAuthority(name = 'Sidegate test authority'): TestAuthority {
  const authority = inDirectory((path) => {
    const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
    openssl(
      'req',
      '-x509',
      ...newKey(path('key')),
      '-out',
      path('cert'),
      '-days',
      String(DAYS),
      ...subject(name),
      ...added(extensions),
    )
    return { cert: readFileSync(path('cert'), 'utf8'), key: readFileSync(path('key'), 'utf8') }
  })
  return { ...authority, issue: (options = {}) => issue(authority, options) }
}

function issue(authority: Certificate, options: CertificateOptions): Certificate {
  const { name = 'localhost', expired = false, usage = 'serverAuth' } = options
  const names = options.names ?? ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1']
  return inDirectory((path) => {
    writeFileSync(path('ca.cert'), authority.cert)
    writeFileSync(path('ca.key'), authority.key, { mode: 0o600 })
    const extensions = [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      `extendedKeyUsage=${usage}`,
    ]
    if (names.length > 0) extensions.push(`subjectAltName=${names.join(',')}`)
    writeFileSync(path('extensions'), extensions.join('\n'))
    openssl('req', '-new', ...newKey(path('key')), '-out', path('request'), ...subject(name))
    const signer = ['-CA', path('ca.cert'), '-CAkey', path('ca.key'), '-CAcreateserial']
    // Negative days put the end before the beginning, which is expired to everyone who checks.
    const days = ['-days', String(expired ? -1 : DAYS)]
    openssl(
      'x509',
      '-req',
      '-in',
      path('request'),
      ...signer,
      '-out',
      path('cert'),
      ...days,
      '-extfile',
      path('extensions'),
    )
    return { cert: readFileSync(path('cert'), 'utf8'), key: readFileSync(path('key'), 'utf8') }
  })
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file]
}

function subject(name: string): string[] {
  return ['-subj', `/CN=${name}`]
}

function added(extensions: readonly string[]): string[] {
  return extensions.flatMap((extension) => ['-addext', extension])
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function inDirectory<T>(use: (path: (name: string) => string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-tls-'))
  try {
    return use((name) => join(directory, name))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
