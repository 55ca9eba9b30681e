/** Logins by keys and certificates at one real host. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UpstreamLeg } from '../../../../src/protocols/ssh/legs.ts'
import { connectUpstream, type UpstreamSide } from '../../../../src/protocols/ssh/upstream.ts'
import { makeSshKey, type SshKey, type SshKeyOptions } from '../../../support/ssh-keys.ts'
import { startSshd } from '../../../support/sshd.ts'
import { directory, targetOf } from './dialing.ts'

export const server = await startSshd({ settings: { RequiredRSASize: '2048' } })
export const upstream = { host: server.host, port: server.port, hostKeys: server.hostKeys }
export const { user } = server

/** A target with that host, or with another one. */
export function login(credential: Record<string, unknown>, at: Record<string, unknown> = {}) {
  return targetOf({ upstream: { ...upstream, ...at }, credential: { user, ...credential } })
}

let keys = 0

/** A key that the host does not know. RSA of the least size that is taken, which is made in a moment. */
export async function keyOf(options: SshKeyOptions = {}): Promise<SshKey> {
  const bits = options.type === 'rsa' ? { bits: 2048 } : {}
  return await makeSshKey(join(directory, `key-${++keys}`), { ...bits, ...options })
}

/** A key that opens the host. */
export async function knownKey(options: SshKeyOptions = {}): Promise<SshKey> {
  const key = await keyOf(options)
  appendFileSync(server.authorizedKeysFile, `${key.line}\n`)
  return key
}

/** Another connection of a target that was prepared before. */
export async function connectAgain(side: UpstreamSide): Promise<UpstreamLeg> {
  return await connectUpstream(side, 'agent', new AbortController().signal)
}

export const REJECTED = {
  code: 'upstream.rejected',
  message: 'the target did not accept the credential of the sidecar',
}
export const UNUSABLE = {
  code: 'upstream.unavailable',
  message: 'the sidecar cannot use its credential for the target',
}
