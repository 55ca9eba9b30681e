/** Proves the sidecar's credential to the target: SCRAM-SHA-256 always, MD5 and cleartext where configured and safe. */
import { createHash } from 'node:crypto'
import { ConnectionRefused } from '../connection-refused.ts'
import type { Handshake, Message } from '../handshake.ts'
import {
  type AuthenticationRequest,
  decodeAuthentication,
  encodePassword,
  encodeSASLInitialResponse,
  encodeSASLResponse,
} from '../messages/authentication.ts'
import { BACKEND } from '../messages/types.ts'
import { ProtocolViolation } from '../messages/violation.ts'
import { type ScramChannel, ScramClient } from './scram-client.ts'
import { targetError } from './errors.ts'

export interface Credential {
  readonly user: string
  /** Asked for only when the target wants one; null where none is configured. */
  readonly password: () => Promise<string | null>
  /** Besides SCRAM-SHA-256. */
  readonly allow: readonly ('md5' | 'cleartext')[]
  /** The target is on this host: nobody is in between. */
  readonly local: boolean
  readonly database: string
}

/** Requests that a server may make before it says Ok; one exchange takes three. */
const MOST_REQUESTS = 8

/** Up to AuthenticationOk. Fails with a {@link ConnectionRefused}. */
export async function authenticateUpstream(
  handshake: Handshake,
  credential: Credential,
  channel: ScramChannel,
): Promise<void> {
  let scram: ScramClient | null = null
  let proven = false
  for (let requests = 0; requests < MOST_REQUESTS; requests++) {
    const request = await authenticationRequest(handshake, credential)
    switch (request.name) {
      case 'Ok':
        // A server that stops half way has not shown that it knows the password.
        if (scram !== null && !proven) throw untrustedEnd()
        return
      case 'SASL':
        scram = new ScramClient(await passwordOf(credential), request.mechanisms, channel)
        handshake.write(encodeSASLInitialResponse(scram.mechanism, scram.first()))
        break
      case 'SASLContinue':
        if (scram === null) throw outOfOrder(request.name)
        handshake.write(encodeSASLResponse(await scram.final(request.data)))
        break
      case 'SASLFinal':
        if (scram === null) throw outOfOrder(request.name)
        scram.verify(request.data)
        proven = true
        break
      case 'MD5Password':
        permit('md5', credential, channel)
        handshake.write(encodePassword(md5(await passwordOf(credential), credential.user, request.salt)))
        break
      case 'CleartextPassword':
        permit('cleartext', credential, channel)
        handshake.write(encodePassword(await passwordOf(credential)))
        break
      case 'Unsupported':
        throw rejected(`the target asks for a way to authenticate that is not spoken here (${request.code})`)
    }
  }
  throw new ProtocolViolation('Authentication', `more than ${MOST_REQUESTS} requests`)
}

async function authenticationRequest(handshake: Handshake, credential: Credential): Promise<AuthenticationRequest> {
  for (;;) {
    const { type, buffer, start, end }: Message = await handshake.message()
    if (type === BACKEND.Authentication) return decodeAuthentication(buffer, start, end)
    if (type === BACKEND.ErrorResponse) throw targetError(buffer, start, end, credential.database)
    if (type !== BACKEND.NoticeResponse && type !== BACKEND.NegotiateProtocolVersion) {
      throw new ProtocolViolation('Authentication', `a message of type ${String.fromCharCode(type)} came instead`)
    }
  }
}

async function passwordOf(credential: Credential): Promise<string> {
  let password: string | null
  try {
    password = await credential.password()
  } catch (cause) {
    throw new ConnectionRefused('upstream.rejected', '08004', 'the credential for the target cannot be read', { cause })
  }
  if (password === null) throw rejected('the target asks for a password, and none is configured')
  return password
}

/** Whoever gets such an answer can use it: it must reach nobody but the target. */
function permit(way: 'md5' | 'cleartext', { allow, local }: Credential, channel: ScramChannel): void {
  if (!allow.includes(way)) throw rejected(`the target asks for ${way} authentication, which is not allowed here`)
  if (!local && !(channel.encrypted && channel.verified)) {
    throw rejected(`${way} authentication needs a verified TLS connection to the target`)
  }
}

function md5(password: string, user: string, salt: Buffer): string {
  const inner = createHash('md5')
    .update(password + user)
    .digest('hex')
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`
}

function rejected(message: string): ConnectionRefused {
  return new ConnectionRefused('upstream.rejected', '08004', message)
}

function untrustedEnd(): ConnectionRefused {
  return new ConnectionRefused('upstream.untrusted', '08001', 'the target did not prove that it knows the credential')
}

function outOfOrder(name: string): ProtocolViolation {
  return new ProtocolViolation('Authentication', `${name} came out of order`)
}
