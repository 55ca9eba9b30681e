/** The key that the sidecar shows to agents, and the line by which they know it. */
import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SshTargetConfig } from '../../../config/schema.ts'
import { generatePrivateKey, parsePrivateKey, type PrivateKey } from '../keys/private.ts'
import { AgentSideError } from './errors.ts'

/** Agents of other users on the machine read it too; it is public. */
const KNOWN_HOSTS_MODE = 0o644

/** The configured one, or a new one that lasts until the sidecar ends. Fails with an {@link AgentSideError}. */
export async function loadHostKey(
  { hostKeyFile }: SshTargetConfig['agent'],
  secret: (file: string) => Promise<string>,
): Promise<PrivateKey> {
  if (hostKeyFile === undefined) return generatePrivateKey()
  try {
    return parsePrivateKey(await secret(hostKeyFile))
  } catch (error) {
    const why = error instanceof Error ? error.message : 'it cannot be read'
    throw new AgentSideError('ssh.host-key', `agent.hostKeyFile ${hostKeyFile}: ${why}`, error)
  }
}

/** For any name and port: behind the capture every host that an agent dials shows this key. */
export function knownHostsLine({ type, publicKey }: PrivateKey): string {
  return `* ${type} ${publicKey.blob.toString('base64')}`
}

/** An agent that reads the file sees the old line or the new one, and never half of either. */
export async function writeKnownHosts(file: string, line: string): Promise<void> {
  const draft = join(dirname(file), `.${randomUUID()}`)
  try {
    await writeFile(draft, `${line}\n`, { mode: KNOWN_HOSTS_MODE, flag: 'wx' })
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    const why = error instanceof Error ? error.message : 'it cannot be written'
    throw new AgentSideError('ssh.known-hosts', `agent.knownHosts ${file}: ${why}`, error)
  }
}
