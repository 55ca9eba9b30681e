/**
 * What ssh2's client lacks for this leg, given to each connection at run time: it knows no host certificates, offers its host
 * key algorithms in one order only, names a user certificate's type in a signature where the plain key's belongs, signs with
 * RSA and SHA-1, asks a host to prove every key that it announces, and loops for ever when a host announces packets of no
 * size. All of it needs the inside of ssh2, which is touched in `ssh2/` only and described in `ssh2/inside.ts`.
 */
import type { Socket } from 'node:net'
import ssh2, { type Client } from 'ssh2'
import { ALGORITHMS } from '../algorithms.ts'
import { CertificateExchanges, offerHostKeys } from './ssh2/certificates.ts'
import { guardChannels, ignoreGlobalRequests, watchBytes } from './ssh2/guards.ts'
import { insideOf } from './ssh2/inside.ts'
import { type AuthenticationSteps, type AuthenticationWire, takeLogin } from './ssh2/login.ts'

/** Unanswered questions whether the host is still there before it is not. */
const KEEPALIVES = 3
/** From an error, or our own end, to the end of the socket: a host that does not close must not keep it. */
const LINGER_MS = 2_000

/** What {@link openClient} asks its caller for while a connection is made. */
export interface ClientOptions {
  readonly user: string
  /** Milliseconds between two questions whether the host is still there; 0 is never. */
  readonly keepalive: number
  /** Bytes in both directions after which the keys are made anew. */
  readonly rekey: number
  /** Most wanted first, those of certificates included. */
  readonly hostKeyAlgorithms: readonly string[]
  /** Judges what the host shows, a key or a certificate. Gives the key that must have signed the exchange, or null to end it. */
  readonly judgeHost: (shown: Buffer) => Buffer | null
  readonly authentication: (wire: AuthenticationWire) => AuthenticationSteps
}

/** Begins a connection over a connected socket: its `ready`, `error` and `close` tell how it went. */
export function openClient(socket: Socket, options: ClientOptions): Client {
  const client = new ssh2.Client()
  // Before everything else: an error of a connection must find a listener, whoever else forgets.
  client.on('error', () => closeSoon(socket))
  socket.once('finish', () => closeSoon(socket))
  let exchanges: CertificateExchanges | null = null
  client.connect({
    sock: socket,
    username: options.user,
    ident: 'Sidegate',
    readyTimeout: 0,
    keepaliveInterval: options.keepalive,
    keepaliveCountMax: KEEPALIVES,
    // Whether a host knows OpenSSH's extensions is for it to answer, not for its greeting.
    strictVendor: false,
    algorithms: ALGORITHMS,
    hostVerifier: (shown: Buffer) => {
      const key = options.judgeHost(shown)
      if (key === null) return false
      exchanges?.judged(key)
      return true
    },
  })
  const inside = insideOf(client)
  const { protocol } = inside
  offerHostKeys(protocol, options.hostKeyAlgorithms)
  exchanges = new CertificateExchanges(protocol)
  takeLogin(protocol, options.user, options.authentication)
  guardChannels(inside, socket)
  ignoreGlobalRequests(protocol)
  watchBytes(protocol, socket, options.rekey)
  return client
}

/** The greeting after `SSH-2.0-`, without what no greeting should hold. */
export function greetingOf(client: Client): string {
  const raw = insideOf(client).protocol._remoteIdentRaw?.toString('latin1') ?? ''
  return raw.replace(/^SSH-[^-]*-/, '').replace(/[^\x20-\x7e]/g, '')
}

/** Ends a socket whose other side does not. */
export function closeSoon(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
