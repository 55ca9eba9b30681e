/** What becomes of one attempt to log in. */
import type { Workload } from '../../../gate/principal.ts'
import { type Refusal, refusal, type RefusalCode } from '../../../gate/refusal.ts'
import type { Identities } from '../../protocol.ts'
import type { Proven } from '../legs.ts'

export type Judgement =
  | { readonly kind: 'proven'; readonly proven: Proven }
  /** The key would do; nothing is proven before it has signed. */
  | { readonly kind: 'acceptable' }
  | { readonly kind: 'rejected'; readonly refusal: Refusal }

/** One attempt, in the words of RFC 4252. The login name has been found to be one. */
export type Attempt =
  | { readonly method: 'none'; readonly user: string }
  | { readonly method: 'password'; readonly user: string; readonly password: string }
  | { readonly method: 'publickey'; readonly user: string; readonly key: OfferedKey }

/** A key or a certificate that is offered, and what it signed where it has. */
export interface OfferedKey {
  /** `ssh-ed25519`, `ssh-rsa`, `ssh-ed25519-cert-v01@openssh.com` … */
  readonly algorithm: string
  /** Of an RSA key: what follows from the name of the signature. Undefined is SHA-1. */
  readonly hash: string | undefined
  readonly blob: Buffer
  readonly proof: { readonly signed: Buffer; readonly signature: Buffer } | null
}

export interface Peer {
  readonly address: string
  readonly local: boolean
}

/** How the agents of a target prove who they are. */
export interface Authenticator {
  /** What is named to an agent that has not proven itself; the wire's words. */
  readonly methods: readonly ('password' | 'keyboard-interactive' | 'publickey')[]
  judge(attempt: Attempt, peer: Peer): Judgement | Promise<Judgement>
}

export interface AuthenticatorPorts {
  readonly workload: Workload
  readonly identities: Identities
}

export const ACCEPTABLE: Judgement = Object.freeze({ kind: 'acceptable' })

export function rejected(
  code: Extract<RefusalCode, `identity.${string}`>,
  message: string,
  remedy?: string,
): Judgement & { readonly kind: 'rejected' } {
  return { kind: 'rejected', refusal: refusal(code, message, remedy) }
}

export function proven(as: Proven): Judgement {
  return { kind: 'proven', proven: Object.freeze(as) }
}
