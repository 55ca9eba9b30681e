/** TLS towards the agent: our certificate, read again when its files change, and the channel that is bound to it. */
import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { certificateHash } from '../authentication/certificate-hash.ts'
import { ConnectionRefused } from '../connection-refused.ts'

/** The name that PostgreSQL registered for its protocol; direct TLS demands it, so that another protocol's client cannot be led here. */
export const ALPN = 'postgresql'

interface Files {
  readonly cert: string
  readonly key: string
}

interface Loaded {
  readonly context: SecureContext
  /** For `tls-server-end-point`; null where the certificate's algorithm has no hash. */
  readonly binding: Buffer | null
  readonly version: string
}

export class AgentTls {
  readonly #files: Files
  #loaded: Loaded

  private constructor(files: Files, loaded: Loaded) {
    this.#files = files
    this.#loaded = loaded
  }

  /** Fails when the files cannot be used. */
  static async load(files: Files): Promise<AgentTls> {
    return new AgentTls(files, await load(files))
  }

  /** The certificate of now. A renewed one is used at once; one that cannot be used (half written) waits for the next try. */
  async current(): Promise<Loaded> {
    try {
      if ((await versionOf(this.#files)) !== this.#loaded.version) this.#loaded = await load(this.#files)
    } catch {
      return this.#loaded
    }
    return this.#loaded
  }
}

/** The server's end of TLS over a plain socket. */
export function wrapAgent(plain: Socket, context: SecureContext): TLSSocket {
  return new TLSSocket(plain, { isServer: true, secureContext: context, ALPNProtocols: [ALPN] })
}

async function load(files: Files): Promise<Loaded> {
  const version = await versionOf(files)
  const [cert, key] = await Promise.all([readFile(files.cert, 'utf8'), readFile(files.key, 'utf8')])
  const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' })
  return { context, binding: certificateHash(new X509Certificate(cert).raw), version }
}

async function versionOf({ cert, key }: Files): Promise<string> {
  const stats = await Promise.all([stat(cert), stat(key)])
  return stats.map(({ ino, mtimeMs, size }) => `${ino}:${mtimeMs}:${size}`).join(' ')
}

export function noEncryption(): ConnectionRefused {
  return new ConnectionRefused('target.forbidden', '28000', 'this target accepts TLS connections only', {
    remedy: 'connect with sslmode=require or better',
  })
}
