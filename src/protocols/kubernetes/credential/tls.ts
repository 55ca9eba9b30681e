/** What connections to the API server are made with, from files that are rotated. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { KubernetesTargetConfig } from '../../../config/targets/kubernetes.ts'
import { stampOf } from './file.ts'
import { UpstreamError } from './failure.ts'

/** Connections that are open stay as they are, so files that only new ones need are not looked at for every request. */
const LOOK_MS = 1_000
/** Certificate and key are two files: whoever replaces them has a moment in which they do not fit. */
const FIT_TRIES = 20
const FIT_MS = 50

/** The same object for as long as the files hold the same. */
export type TlsOptions = Readonly<
  Pick<
    ConnectionOptions,
    'host' | 'port' | 'ca' | 'cert' | 'key' | 'servername' | 'ALPNProtocols' | 'rejectUnauthorized'
  >
>

export class TlsFiles {
  readonly #config: KubernetesTargetConfig
  readonly #secret: (file: string) => Promise<string>
  readonly #files: readonly string[]
  #stamps: readonly (string | null)[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  #options: TlsOptions | null = null
  #reading: Promise<TlsOptions> | null = null

  constructor(config: KubernetesTargetConfig, secret: (file: string) => Promise<string>) {
    this.#config = config
    this.#secret = secret
    const { credential, upstream } = config
    const own = 'certFile' in credential ? [credential.certFile, credential.keyFile] : []
    this.#files = upstream.ca === undefined ? own : [upstream.ca, ...own]
  }

  /** At once where nothing changed. Fails with a coded error where a file cannot be used. */
  current(): TlsOptions | Promise<TlsOptions> {
    const now = performance.now()
    if (this.#options !== null && now - this.#lookedAt < LOOK_MS) return this.#options
    this.#lookedAt = now
    const unchanged = this.#stamps.every((stamp, at) => stamp !== null && stamp === stampOf(this.#files[at] as string))
    return this.#options !== null && unchanged ? this.#options : this.reread()
  }

  reread(): Promise<TlsOptions> {
    this.#reading ??= this.#read().finally(() => (this.#reading = null))
    return this.#reading
  }

  async #read(): Promise<TlsOptions> {
    const before = this.#options
    // Until it is read, nobody goes on with what may have been withdrawn.
    this.#options = null
    const stamps = this.#files.map(stampOf)
    const { ca } = this.#config.upstream
    const options: TlsOptions = {
      ...addressOf(this.#config),
      ...(ca === undefined ? {} : { ca: await authoritiesIn(ca) }),
      ...(await this.#certificate()),
    }
    const same =
      before !== null && before.ca === options.ca && before.cert === options.cert && before.key === options.key
    this.#stamps = stamps
    this.#lookedAt = performance.now()
    this.#options = same ? before : Object.freeze(options)
    return this.#options
  }

  async #certificate(): Promise<{ readonly cert: string; readonly key: string } | null> {
    const { credential } = this.#config
    if (!('certFile' in credential)) return null
    for (let tries = 1; ; tries++) {
      const [cert, key] = [await this.#secret(credential.certFile), await this.#secret(credential.keyFile)]
      if (fits(cert, key)) return { cert, key }
      if (tries === FIT_TRIES) {
        throw new UpstreamError('upstream.rejected', 'the certificate of the sidecar and its key do not fit')
      }
      await sleep(FIT_MS)
    }
  }
}

function addressOf({ upstream: { host, port, serverName } }: KubernetesTargetConfig): TlsOptions {
  // An address is verified as one, and never sent as a server name (RFC 6066, section 3).
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined)
  // Said, so that nothing in the environment (NODE_TLS_REJECT_UNAUTHORIZED) says otherwise.
  const verified = { rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] }
  return { host, port, ...verified, ...(servername === undefined ? {} : { servername }) }
}

async function authoritiesIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const message = 'the authorities that the API server is verified by cannot be read'
    throw new UpstreamError('upstream.untrusted', message, error)
  }
}

function fits(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    // Half written, for one.
    return false
  }
}
