/** The keys that a target's host is known by: those of the configuration once, those of its file as the file is now. */
import { open } from 'node:fs/promises'
import { parsePublicKey, type PublicKey } from '../../../config/public-key.ts'
import type { SshTargetConfig } from '../../../config/schema.ts'
import { UpstreamConfigurationError } from './errors.ts'
import { type KnownHost, MAX_KNOWN_HOSTS, parseKnownHosts } from '../../../config/known-hosts.ts'
import { HostTrust } from './trust.ts'

type Config = Pick<SshTargetConfig, 'name' | 'upstream'>

export class HostKeys {
  readonly #config: Config
  readonly #keys: readonly PublicKey[]
  readonly #authorities: readonly PublicKey[]
  #trust: HostTrust | null = null
  #version = ''

  private constructor(config: Config) {
    this.#config = config
    this.#keys = parsed(config, 'hostKeys')
    this.#authorities = parsed(config, 'hostAuthorities')
  }

  /** Fails with an {@link UpstreamConfigurationError} that names the key, or the file and its line. */
  static async load(config: Config): Promise<HostKeys> {
    const keys = new HostKeys(config)
    await keys.trust()
    return keys
  }

  /** As {@link load} fails when the file was changed, and cannot be read any more: who relied on it is not served. */
  async trust(): Promise<HostTrust> {
    const file = this.#config.upstream.knownHostsFile
    if (file === undefined) return (this.#trust ??= this.#made([]))
    await using handle = await open(file, 'r').catch(this.#unreadable)
    const { ino, mtimeMs, size } = await handle.stat().catch(this.#unreadable)
    const version = `${ino} ${mtimeMs} ${size}`
    if (this.#trust !== null && this.#version === version) return this.#trust
    if (size > MAX_KNOWN_HOSTS) throw this.#wrong(`names ${file}, which is larger than ${MAX_KNOWN_HOSTS} bytes`)
    const text = await handle.readFile('utf8').catch(this.#unreadable)
    const trust = this.#made(this.#parsed(file, text))
    this.#version = version
    this.#trust = trust
    return trust
  }

  readonly #unreadable = (error: unknown): never => {
    throw this.#wrong(`names ${this.#config.upstream.knownHostsFile ?? ''}, which cannot be read`, error)
  }

  #parsed(file: string, text: string): KnownHost[] {
    try {
      return parseKnownHosts(text)
    } catch (error) {
      throw this.#wrong(`names ${file}, ${error instanceof Error ? error.message : 'which cannot be parsed'}`, error)
    }
  }

  #made(knownHosts: readonly KnownHost[]): HostTrust {
    const { host, port } = this.#config.upstream
    const trust = new HostTrust({ host, port, keys: this.#keys, authorities: this.#authorities, knownHosts })
    if (trust.empty) throw this.#wrong(`knows no key of ${host} at port ${port}`)
    return trust
  }

  #wrong(message: string, cause?: unknown): UpstreamConfigurationError {
    return new UpstreamConfigurationError(this.#config.name, 'upstream.knownHostsFile', message, cause)
  }
}

function parsed({ name, upstream }: Config, key: 'hostKeys' | 'hostAuthorities'): PublicKey[] {
  return upstream[key].map((line, index) => {
    try {
      return parsePublicKey(line)
    } catch (error) {
      const message = error instanceof Error ? error.message : 'is no public key'
      throw new UpstreamConfigurationError(name, `upstream.${key}[${index}]`, message, error)
    }
  })
}
