/** From a connected socket to a leg: the host proves itself, then the sidecar does. */
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Client } from 'ssh2'
import type { SshTargetConfig } from '../../../config/schema.ts'
import type { UpstreamError, UpstreamLeg } from '../legs.ts'
import { Authentication, type Credential } from './authentication.ts'
import { upstreamError, upstreamFailure } from './errors.ts'
import { closeSoon, greetingOf, openClient } from './ssh2.ts'
import type { HostTrust, Judgement } from './trust.ts'

export interface HandshakeOptions {
  /** The login name upstream. */
  readonly user: string
  readonly credential: Credential
  readonly trust: HostTrust
  readonly limits: Pick<SshTargetConfig['limits'], 'keepalive' | 'rekey'>
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Fails with an `UpstreamError`. The socket is its own from the call on, and gone where it fails. */
export function handshake(socket: Socket, options: HandshakeOptions): Promise<UpstreamLeg> {
  const { user, credential, signal, log } = options
  const progress = new Progress(options.trust)
  return new Promise((resolve, reject) => {
    const client = openClient(socket, {
      user,
      ...options.limits,
      hostKeyAlgorithms: options.trust.algorithms(),
      judgeHost: (shown) => progress.judge(shown),
      authentication: (wire) => new Authentication(credential, wire, rejected),
    })
    const failed = (error: Error) => {
      socket.destroySoon()
      closeSoon(socket)
      settle(() => reject(progress.failure(error, signal)))
    }
    const closed = () => failed(new Error('the host closed the connection'))
    const abort = () => {
      socket.destroy()
      failed(signal.reason instanceof Error ? signal.reason : new Error('given up'))
    }
    const exchanged = () => progress.exchanged()
    const ready = () => settle(() => resolve(progress.leg(client, user)))

    function rejected(why: string): void {
      client.end()
      failed(upstreamError('upstream.rejected', NOT_ACCEPTED, new Error(why)))
    }

    let settled = false
    function settle(outcome: () => void): void {
      if (settled) return
      settled = true
      signal.removeEventListener('abort', abort)
      client.off('error', failed).off('close', closed).off('handshake', exchanged).off('ready', ready)
      client.on('error', (error: Error) => log.debug({ err: error }, 'the connection to the host failed'))
      outcome()
    }

    client.on('error', failed).on('close', closed).on('handshake', exchanged).on('ready', ready)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
  })
}

const NOT_ACCEPTED = 'the target did not accept the credential of the sidecar'

/** How far a connection has come, which is what its failure means. */
class Progress {
  readonly #trust: HostTrust
  #shown: Buffer | null = null
  #judgement: Judgement | null = null
  #exchanged = false

  constructor(trust: HostTrust) {
    this.#trust = trust
  }

  /** The key that must have signed the exchange; null ends the connection. */
  judge(shown: Buffer): Buffer | null {
    if (this.#judgement?.kind === 'known') {
      // Keys that are made anew later are signed by the same host: a certificate may have expired since, the host has not.
      return this.#shown?.equals(shown) === true ? this.#judgement.key : null
    }
    this.#shown = shown
    this.#judgement = this.#trust.judge(shown, Date.now())
    return this.#judgement.kind === 'known' ? this.#judgement.key : null
  }

  /** The host has proven itself: from now on failures are about us. */
  exchanged(): void {
    this.#exchanged = true
  }

  leg(client: Client, user: string): UpstreamLeg {
    if (!this.#exchanged || this.#judgement?.kind !== 'known') throw new Error('ready before the host was proven')
    const { fingerprint, by } = this.#judgement
    return { client, user, software: greetingOf(client), host: { fingerprint, by } }
  }

  failure(error: Error, signal: AbortSignal): UpstreamError {
    if (this.#judgement?.kind === 'refused') {
      const { why, fingerprint, cause } = this.#judgement
      const shown = new Error(`it showed ${fingerprint}`, { cause: cause ?? error })
      return upstreamError('upstream.untrusted', `the target could not prove who it is: ${why}`, shown)
    }
    if (signal.aborted) return upstreamFailure(error, signal)
    const level = 'level' in error ? error.level : null
    if (this.#exchanged) {
      // A disconnection with a reason, which is what hosts do to those whom they do not want.
      const code = 'code' in error && typeof error.code === 'number'
      return code ? upstreamError('upstream.rejected', NOT_ACCEPTED, error) : upstreamFailure(error, signal)
    }
    if (level !== 'handshake') return upstreamFailure(error, signal)
    return this.#judgement === null
      ? upstreamError('upstream.unavailable', 'the target and the sidecar have no algorithms in common', error)
      : upstreamError('upstream.untrusted', 'the target does not hold the key that it showed', error)
  }
}
