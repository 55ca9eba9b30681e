/** The host's side of a connection: reached, proven to be the host, and logged in to with the sidecar's own credential. */
import type { SshLogin, SshTargetConfig } from '../../config/schema.ts'
import type { Wiring } from '../protocol.ts'
import type { UpstreamLeg } from './legs.ts'
import type { Credential } from './upstream/authentication.ts'
import { CredentialUnusable, LoginCredential } from './upstream/credentials.ts'
import { dial } from './upstream/dial.ts'
import { UpstreamConfigurationError, upstreamError, upstreamFailure } from './upstream/errors.ts'
import { handshake } from './upstream/handshake.ts'
import { HostKeys } from './upstream/host-keys.ts'
import { checkSsh2 } from './upstream/ssh2/inside.ts'
import type { HostTrust } from './upstream/trust.ts'

/** The name under which the one login of a target stands that does not tell agents apart. */
const ANYONE = Symbol('anyone')

/** What this leg needs of what is wired up. */
export type UpstreamWiring = Pick<Wiring, 'workload' | 'log' | 'secret'>

/** What a target has ready for its upstream connections. Made by {@link prepareUpstream}. */
export class UpstreamSide {
  readonly config: SshTargetConfig
  readonly hostKeys: HostKeys
  readonly wiring: UpstreamWiring
  readonly #logins: ReadonlyMap<string | typeof ANYONE, LoginCredential>

  constructor(config: SshTargetConfig, wiring: UpstreamWiring, hostKeys: HostKeys) {
    this.config = config
    this.wiring = wiring
    this.hostKeys = hostKeys
    this.#logins = loginsOf(config, wiring)
  }

  /** The login upstream of an agent that gave this name. Throws an `UpstreamError` where the target has none for it. */
  loginOf(agentUser: string): SshLogin {
    return this.credentialOf(agentUser).login
  }

  credentialOf(agentUser: string): LoginCredential {
    const found = this.#logins.get(ANYONE) ?? this.#logins.get(agentUser)
    if (found !== undefined) return found
    throw upstreamError('target.forbidden', 'the target has no login for this user name', undefined, OTHER_NAME)
  }

  /** Reads every secret once. Fails with an {@link UpstreamConfigurationError}. */
  async check(): Promise<void> {
    for (const [name, credential] of this.#logins) {
      try {
        await credential.check()
      } catch (error) {
        throw misconfigured(this.config, name, error)
      }
    }
  }
}

const OTHER_NAME = 'connect with one of the user names that the target is configured for'

/**
 * Reads and checks all that the configuration names: keys and certificates of the host, secrets of the logins. Fails with an
 * {@link UpstreamConfigurationError} that names the key and the file.
 */
export async function prepareUpstream(config: SshTargetConfig, wiring: UpstreamWiring): Promise<UpstreamSide> {
  checkSsh2()
  const side = new UpstreamSide(config, wiring, await HostKeys.load(config))
  await side.check()
  return side
}

/**
 * Connects for an agent that gave this user name; `session` stands in the host's log where certificates are issued. Fails
 * with an `UpstreamError` only. The signal, and `limits.handshake`, bound the time until the leg is there; after that
 * the leg is its owner's.
 */
export async function connectUpstream(
  side: UpstreamSide,
  user: string,
  signal: AbortSignal,
  session = '',
): Promise<UpstreamLeg> {
  const { config, wiring } = side
  const { host, port } = config.upstream
  const credentialOfUser = side.credentialOf(user)
  const within = AbortSignal.any([signal, AbortSignal.timeout(config.limits.handshake)])
  try {
    const trust = await trustOf(side)
    const requester = { session, target: config.name, workload: wiring.workload, signal: within }
    const credential = await credentialFor(credentialOfUser, requester)
    const socket = await dial(host, port, within)
    return await handshake(socket, {
      user: credentialOfUser.login.user,
      credential,
      trust,
      limits: config.limits,
      signal: within,
      log: wiring.log,
    })
  } catch (error) {
    throw upstreamFailure(error, within)
  }
}

/** The file of known hosts may have changed since the start, and not for the better. */
async function trustOf({ hostKeys }: UpstreamSide): Promise<HostTrust> {
  try {
    return await hostKeys.trust()
  } catch (error) {
    throw upstreamError('upstream.untrusted', 'the keys that the target is known by cannot be read', error)
  }
}

async function credentialFor(
  login: LoginCredential,
  requester: Parameters<LoginCredential['forConnection']>[0],
): Promise<Credential> {
  try {
    return await login.forConnection(requester)
  } catch (error) {
    throw upstreamError('upstream.unavailable', 'the sidecar cannot use its credential for the target', error)
  }
}

function loginsOf(config: SshTargetConfig, { secret }: UpstreamWiring): Map<string | typeof ANYONE, LoginCredential> {
  const { credential } = config
  const named: [string | typeof ANYONE, SshLogin][] =
    'users' in credential ? Object.entries(credential.users) : [[ANYONE, credential]]
  return new Map(
    named.map(([name, login]) => {
      try {
        return [name, new LoginCredential(login, secret)]
      } catch (error) {
        throw misconfigured(config, name, error)
      }
    }),
  )
}

function misconfigured(config: SshTargetConfig, user: string | typeof ANYONE, error: unknown): unknown {
  if (!(error instanceof CredentialUnusable)) return error
  const login = typeof user === 'string' ? `credential.users.${user}` : 'credential'
  return new UpstreamConfigurationError(config.name, `${login}.${error.key}`, error.message, error)
}
