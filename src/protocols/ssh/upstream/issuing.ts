/** A new key and a certificate for it, for one connection: signed here by the host's authority, or by the operator's program. */
import { randomBytes } from 'node:crypto'
import type { Workload } from '../../../gate/principal.ts'
import { type Certificate, parseCertificateLine } from '../keys/certificate.ts'
import { issueUserCertificate } from '../keys/issue.ts'
import { generatePrivateKey, type PrivateKey } from '../keys/private.ts'
import { verifySignature } from '../keys/signature.ts'
import type { Permission } from '../legs.ts'
import { ask } from './command.ts'

/** Clocks of hosts differ. */
const CLOCK_SKEW_MS = 60_000

/**
 * What the host is told that the bearer may do. Each of these is a Command that policy rules before it is asked of the host,
 * which knows nothing of that; and nobody but this one connection ever bears the key. `permit-user-rc` is not among them: a
 * login must not run what lies in the account's ~/.ssh/rc beside what was ruled.
 */
const PERMITS: readonly Permission[] = [
  'permit-pty',
  'permit-port-forwarding',
  'permit-agent-forwarding',
  'permit-X11-forwarding',
]

/** The critical option under which the host runs one command, whatever is asked of it. */
export const FORCE_COMMAND = 'force-command'
export const FORCES_COMMAND = 'has the host run a command of its own, and not the one that was ruled (force-command)'

/** For whom a connection is made. */
export interface Requester {
  /** The session's id, or an empty string where there is none yet. */
  readonly session: string
  readonly target: string
  readonly workload: Workload
  readonly signal: AbortSignal
}

export type Issuing =
  | {
      readonly by: 'authority'
      readonly authority: PrivateKey
      readonly principals: readonly string[]
      /** Milliseconds. */
      readonly validity: number
    }
  | { readonly by: 'command'; readonly command: readonly string[] }

export interface Issued {
  readonly key: PrivateKey
  readonly certificate: Certificate
}

/** Fails with a `CommandError`, or with an error that says what is wrong with the program's certificate. */
export async function issueCertificate(issuing: Issuing, user: string, requester: Requester): Promise<Issued> {
  const key = generatePrivateKey()
  if (issuing.by === 'command') {
    return { key, certificate: await certificateOfCommand(issuing.command, key, user, requester) }
  }
  const { authority, principals, validity } = issuing
  const now = Date.now()
  const certificate = issueUserCertificate(
    {
      key: key.publicKey,
      keyId: keyIdOf(requester),
      serial: randomBytes(8).readBigUInt64BE(),
      principals,
      validAfter: now - CLOCK_SKEW_MS,
      validBefore: now + validity,
      permits: PERMITS,
    },
    authority,
  )
  return { key, certificate }
}

/** What stands in the host's log beside the login. */
export function keyIdOf({ session, target, workload: { namespace, pod } }: Omit<Requester, 'signal'>): string {
  const words = { session, target, workload: namespace === '' ? pod : `${namespace}/${pod}` }
  const known = Object.entries(words).filter(([, value]) => value !== '')
  return `sidegate:${known.map(([name, value]) => `${name}=${value.replace(/[^\x21-\x7e]|,/g, '?')}`).join(',')}`
}

async function certificateOfCommand(
  command: readonly string[],
  { publicKey: { type, blob } }: PrivateKey,
  user: string,
  requester: Requester,
): Promise<Certificate> {
  const { session, target, signal } = requester
  const answer = await ask({
    command,
    input: `${type} ${blob.toString('base64')} ${keyIdOf(requester)}\n`,
    environment: { SIDEGATE_USER: user, SIDEGATE_TARGET: target, SIDEGATE_SESSION: session },
    signal,
  })
  const certificate = parseCertificateLine(answer)
  const wrong = wrongOf(certificate, blob, user)
  if (wrong !== null) throw new Error(`the certificate that the command gave ${wrong}`)
  return certificate
}

function wrongOf(certificate: Certificate, key: Buffer, user: string): string | null {
  const now = BigInt(Math.floor(Date.now() / 1_000))
  if (certificate.kind !== 'user') return 'is one of a host'
  if (!certificate.key.blob.equals(key)) return 'is for another key'
  if (!certificate.principals.includes(user)) return `is not for the login ${user}`
  if (certificate.critical.has(FORCE_COMMAND)) return FORCES_COMMAND
  // A signer whose clock is ahead by a little gives one that is valid soon: the host decides about that.
  if (now >= certificate.validBefore) return 'has expired'
  const { authority, signed, signature } = certificate
  return verifySignature(authority, signed, signature) ? null : 'is not signed by the authority that it names'
}
