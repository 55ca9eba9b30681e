/** TLS towards the target, in libpq's modes; `verify-full` unless configured otherwise. */
import { readFile } from 'node:fs/promises'
import { isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect, type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { PostgresTargetConfig } from '../../../config/schema.ts'
import { certificateHash } from '../authentication/certificate-hash.ts'
import type { ScramChannel } from './scram-client.ts'
import { ConnectionRefused } from '../connection-refused.ts'
import type { Handshake } from '../handshake.ts'
import { encodeSSLRequest } from '../messages/startup.ts'
import { ALPN } from '../startup/tls.ts'

export type UpstreamConfig = PostgresTargetConfig['upstream']

const YES = 0x53
const NO = 0x4e

/** Asks for TLS and begins it. Nothing that came before is believed, nor told to anyone. */
export async function secureUpstream(handshake: Handshake, config: UpstreamConfig): Promise<ScramChannel> {
  if (config.tls === 'disable') return { encrypted: false, verified: false, binding: null }
  handshake.write(encodeSSLRequest())
  const answer = await handshake.answer()
  if (answer === NO) throw untrusted('the target does not offer TLS', undefined)
  if (answer !== YES) throw untrusted('the target did not answer as PostgreSQL does', undefined)
  const options = await optionsOf(config)
  let secured: TLSSocket
  try {
    secured = await handshake.secure('secureConnect', (socket: Socket) => connect({ ...options, socket }))
  } catch (error) {
    throw untrusted('the target could not prove who it is, or TLS failed', error)
  }
  const der = secured.getPeerCertificate().raw as Buffer | undefined
  return {
    encrypted: true,
    verified: config.tls !== 'require',
    binding: der === undefined ? null : certificateHash(der),
  }
}

async function optionsOf(config: UpstreamConfig): Promise<ConnectionOptions> {
  const name = config.serverName ?? config.host
  const options: ConnectionOptions = {
    host: name,
    // An address is no server name (RFC 6066); it is verified all the same, as `host`.
    servername: isIP(name) === 0 ? name : '',
    minVersion: 'TLSv1.2',
    ALPNProtocols: [ALPN],
    rejectUnauthorized: config.tls !== 'require',
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      config.tls === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
  }
  return config.ca === undefined ? options : { ...options, ca: await authorities(config.ca) }
}

async function authorities(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw untrusted('the authorities that the target is verified by cannot be read', error)
  }
}

export function untrusted(message: string, cause: unknown): ConnectionRefused {
  return new ConnectionRefused('upstream.untrusted', '08001', message, { cause })
}
