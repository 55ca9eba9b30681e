/** Who the agent is: nothing to prove on loopback, its own password by SCRAM-SHA-256, or a token sent as password. */
import type { PostgresTargetConfig } from '../../../config/schema.ts'
import type { Principal, Workload } from '../../../gate/principal.ts'
import type { Identities, TokenVerifier } from '../../protocol.ts'
import { ConnectionRefused } from '../connection-refused.ts'
import type { Handshake } from '../handshake.ts'
import {
  decodePassword,
  decodeSASLInitialResponse,
  decodeSASLResponse,
  encodeAuthenticationCleartextPassword,
  encodeAuthenticationSASL,
  encodeAuthenticationSASLContinue,
  encodeAuthenticationSASLFinal,
} from '../messages/authentication.ts'
import { ScramServer } from './scram-server.ts'

/** The channel over which the proof comes. */
export interface Channel {
  readonly encrypted: boolean
  readonly local: boolean
  /** The hash of our certificate, where TLS can be bound to it. */
  readonly binding: Buffer | null
}

/** Asks for the proof, up to but not including AuthenticationOk. Fails with a {@link ConnectionRefused}. */
export type Authenticate = (handshake: Handshake, user: string, channel: Channel) => Promise<Principal>

export interface AuthenticationPorts {
  readonly workload: Workload
  readonly identities: Identities
  readonly secret: (file: string) => Promise<string>
}

/** Fails with a coded error when the keys or the passwords cannot be read. */
export async function agentAuthentication(
  config: PostgresTargetConfig['agent'],
  ports: AuthenticationPorts,
): Promise<Authenticate> {
  switch (config.authenticate) {
    case 'none':
      return async (_, __, channel) => {
        if (!channel.local)
          throw refusedProof('identity.missing', '28000', 'without a proof, only loopback may connect')
        return ports.identities.workload(ports.workload)
      }
    case 'password': {
      const users = new Map(Object.entries(config.users))
      for (const { passwordFile } of users.values()) await ports.secret(passwordFile)
      return async (handshake, user, channel) => {
        await provePassword(handshake, user, channel, users.get(user)?.passwordFile ?? null, ports.secret)
        return ports.identities.password(user)
      }
    }
    case 'jwt': {
      const verifier = await ports.identities.tokens(config)
      return async (handshake, user, channel) => await proveToken(handshake, user, channel, verifier)
    }
    default:
      return assertNever(config)
  }
}

async function provePassword(
  handshake: Handshake,
  user: string,
  channel: Channel,
  file: string | null,
  secret: AuthenticationPorts['secret'],
): Promise<void> {
  const scram = new ScramServer(user, channel.binding)
  handshake.write(encodeAuthenticationSASL(scram.mechanisms))
  const opening = await handshake.message()
  const { mechanism, data } = decodeSASLInitialResponse(opening.buffer, opening.start, opening.end)
  const first = scram.first(mechanism, data)
  if (typeof first === 'string') throw refusedProof('identity.invalid', '28000', first)
  handshake.write(encodeAuthenticationSASLContinue(first))
  const closing = await handshake.message()
  const password = file === null ? null : await secretOf(file, secret)
  const proof = await scram.final(decodeSASLResponse(closing.buffer, closing.start, closing.end), password)
  if (proof.kind === 'refused') {
    // The same words whether the user is known or not.
    throw refusedProof('identity.invalid', '28P01', `password authentication failed for user "${user}"`, proof.why)
  }
  handshake.write(encodeAuthenticationSASLFinal(proof.final))
}

async function secretOf(file: string, secret: AuthenticationPorts['secret']): Promise<string> {
  try {
    return await secret(file)
  } catch (error) {
    throw refusedProof('identity.invalid', '28000', 'the sidecar cannot check passwords at the moment', error)
  }
}

async function proveToken(
  handshake: Handshake,
  user: string,
  channel: Channel,
  verifier: TokenVerifier,
): Promise<Principal> {
  if (!channel.encrypted && !channel.local) {
    throw refusedProof('identity.missing', '28000', 'a token may only be sent inside TLS')
  }
  handshake.write(encodeAuthenticationCleartextPassword())
  const answer = await handshake.message()
  const token = decodePassword(answer.buffer, answer.start, answer.end)
  try {
    return await verifier.verify(token)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'identity.missing' || code === 'identity.invalid' || code === 'identity.expired') {
      throw refusedProof(
        code,
        '28P01',
        `token authentication failed for user "${user}": ${(error as Error).message}`,
        error,
      )
    }
    throw refusedProof('identity.invalid', '28000', 'the sidecar cannot verify tokens at the moment', error)
  }
}

function refusedProof(
  code: 'identity.missing' | 'identity.invalid' | 'identity.expired',
  sqlstate: string,
  message: string,
  cause?: unknown,
): ConnectionRefused {
  return new ConnectionRefused(code, sqlstate, message, { cause })
}

function assertNever(config: never): never {
  throw new TypeError(`no such way to authenticate: ${JSON.stringify(config)}`)
}
