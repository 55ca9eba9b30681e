/**
 * What ssh2's client lacks for this leg, given to each connection at run time: it knows no host certificates, offers its host
 * key algorithms in one order only, names a user certificate's type in a signature where the plain key's belongs, signs with
 * RSA and SHA-1, asks a host to prove every key that it announces, and loops for ever when a host announces packets of no
 * size. All of it needs the inside of ssh2, which is touched in this file only and described in `ssh2/inside.ts`.
 */
import type { Socket } from 'node:net'
import ssh2, { type Client } from 'ssh2'
import { ALGORITHMS } from '../algorithms.ts'
import { wire } from '../keys/wire.ts'
import {
  type Exchange,
  type Inside,
  insideOf,
  KexInit,
  type Prompt,
  type Protocol,
  sendPacket,
  type Signed,
} from './ssh2/inside.ts'

/** What follows the algorithm's name where a certificate stands for the key (OpenSSH, PROTOCOL.certkeys). */
export const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com'

/** The least packet that a host may ask for. OpenSSH asks for 32 KiB; of one byte each, a write would never come to its end. */
const LEAST_PACKET = 1024
/** RFC 4252, section 5 and 7. */
const USERAUTH_REQUEST = 50
const SIGNED = 1

/** What a host may send before its greeting: lines of text for people. */
const GREETING_BYTES = 64 * 1024
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

/** What can be sent to authenticate. */
export interface AuthenticationWire {
  none(): void
  password(password: string): void
  keyboard(): void
  answer(answers: readonly string[]): void
  /** Asks for the login by a signature of what `data` is made of it. */
  publicKey(signed: Signed): void
  /** The signature algorithms that the host says it takes; null where it does not say. */
  readonly signatures: readonly string[] | null
}

/** What is answered to that. */
export interface AuthenticationSteps {
  begin(): void
  failed(methods: readonly string[], partial: boolean): void
  asked(prompts: readonly Prompt[]): void
  /** The host wants something that nobody can give it: a new password, a signature twice. */
  stuck(what: string): void
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
  takeAuthentication(protocol, options)
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

/** ssh2 takes no names of certificates, so the offer that it has made is replaced before it is sent. */
function offerHostKeys(protocol: Protocol, algorithms: readonly string[]): void {
  const { kex, cs, sc } = protocol._offer.lists
  const direction = ({ cipher, mac, compress, lang }: typeof cs) => ({
    cipher: cipher.array,
    mac: mac.array,
    compress: compress.array,
    lang: lang.array,
  })
  protocol._offer = new KexInit({
    kex: kex.array,
    serverHostKey: algorithms,
    cs: direction(cs),
    sc: direction(sc),
  })
}

/**
 * Key exchanges with a host certificate. Of ssh2's own steps three would fail: it compares the negotiated algorithm with the
 * type of what is shown, which differ for RSA; it compares it with the type of the signature, which is the plain one; and it
 * verifies the signature by what was shown. So each of the three finds what it should compare at its time: the exchange's
 * hash is made over the whole certificate, and the signature is verified by the certified key. Where these steps came in
 * another order, the exchange would fail.
 */
class CertificateExchanges {
  #exchange: Exchange | undefined
  #signature: string | null = null
  #key: Buffer | null = null

  constructor(protocol: Protocol) {
    this.#exchange = protocol._kex
    Object.defineProperty(protocol, '_kex', {
      get: () => this.#exchange,
      set: (exchange: Exchange | undefined) => {
        this.#begin(exchange)
      },
    })
  }

  #begin(exchange: Exchange | undefined): void {
    this.#exchange = exchange
    this.#signature = null
    this.#key = null
    const algorithm = exchange?.negotiated.serverHostKey ?? ''
    if (exchange === undefined || !algorithm.endsWith(CERTIFICATE_SUFFIX)) return
    this.#signature = algorithm.slice(0, -CERTIFICATE_SUFFIX.length)
    // The certificate's type, for the comparison with what is shown.
    exchange.negotiated.serverHostKey = this.#signature.replace(/^rsa-sha2-\d+$/, 'ssh-rsa') + CERTIFICATE_SUFFIX
    // Called a second time right after the hash took what was shown, and before the signature is looked at.
    const publicKey = exchange.getPublicKey.bind(exchange)
    exchange.getPublicKey = () => {
      if (this.#key !== null) exchange._hostKey = this.#key
      return publicKey()
    }
  }

  /** What the host showed was accepted: from now on the signature is what counts. */
  judged(key: Buffer): void {
    if (this.#exchange === undefined || this.#signature === null) return
    this.#exchange.negotiated.serverHostKey = this.#signature
    this.#key = key
  }
}

/** ssh2's own client would parse the keys, choose the algorithms and keep the password; here it does none of it. */
function takeAuthentication(protocol: Protocol, options: ClientOptions): void {
  let signatures: readonly string[] | null = null
  const { user } = options
  const steps = options.authentication({
    none: () => protocol.authNone(user),
    password: (password) => protocol.authPassword(user, password),
    keyboard: () => protocol.authKeyboard(user),
    answer: (answers) => protocol.authInfoRes(answers),
    publicKey: (signed) => authenticateByKey(protocol, user, signed),
    get signatures() {
      return signatures
    },
  })
  let begun = false
  Object.assign(protocol._handlers, {
    EXT_INFO: (_, extensions) => {
      signatures ??= extensions.find(({ name }) => name === 'server-sig-algs')?.algs ?? null
    },
    SERVICE_ACCEPT: (_, name) => {
      if (name !== 'ssh-userauth' || begun) return
      begun = true
      steps.begin()
    },
    USERAUTH_FAILURE: (_, methods, partial) => begun && steps.failed(methods, partial),
    USERAUTH_INFO_REQUEST: (_, _name, _instructions, prompts) => steps.asked(prompts),
    USERAUTH_PASSWD_CHANGEREQ: () => steps.stuck('it asks for a new password'),
    USERAUTH_PK_OK: () => steps.stuck('it asks for a signature that it has'),
  } satisfies Partial<Protocol['_handlers']>)
}

/** RFC 4252, section 7, without the question beforehand whether the key would do. */
function authenticateByKey(protocol: Protocol, user: string, { algorithm, blob, sign }: Signed): void {
  const session = protocol._kex?.sessionID
  if (session === undefined) throw new Error('there is no session to sign for')
  const request = Buffer.concat([
    Buffer.of(USERAUTH_REQUEST),
    wire(user, 'ssh-connection', 'publickey'),
    Buffer.of(SIGNED),
    wire(algorithm, blob),
  ])
  const payload = Buffer.concat([request, wire(sign(Buffer.concat([wire(session), request])))])
  protocol._authsQueue.push('publickey')
  const writer = protocol._packetRW.write
  const packet = writer.alloc(payload.length)
  packet.set(payload, writer.allocStart)
  sendPacket(protocol, writer.finalize(packet))
}

/** Ends the connection where ssh2 would loop, or lose what the host sent without a word. */
function guardChannels({ protocol, channel }: Inside, socket: Socket): void {
  const violation = (what: string): never => {
    socket.destroy()
    throw Object.assign(new Error(`the host does not follow the protocol: ${what}`), { level: 'protocol' })
  }
  const handlers = protocol._handlers
  const { CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_DATA, CHANNEL_EXTENDED_DATA } = handlers
  const large = ({ packetSize }: { readonly packetSize: number }) => {
    if (packetSize < LEAST_PACKET) violation(`packets of ${packetSize} bytes`)
  }
  const expected = (recipient: number, { length }: Buffer) => {
    const incoming = channel(recipient)?.incoming
    if (incoming === undefined) return
    if (incoming.state !== 'open') violation('data after its end')
    if (length > incoming.window) violation('more data than there is room for')
  }
  Object.assign(handlers, {
    CHANNEL_OPEN: (self, info) => {
      large(info)
      CHANNEL_OPEN(self, info)
    },
    CHANNEL_OPEN_CONFIRMATION: (self, info) => {
      large(info)
      CHANNEL_OPEN_CONFIRMATION(self, info)
    },
    CHANNEL_DATA: (self, recipient, data) => {
      expected(recipient, data)
      CHANNEL_DATA(self, recipient, data)
    },
    CHANNEL_EXTENDED_DATA: (self, recipient, data, type) => {
      expected(recipient, data)
      CHANNEL_EXTENDED_DATA(self, recipient, data, type)
    },
  } satisfies Partial<typeof handlers>)
}

/** A host announces its keys (`hostkeys-00@openssh.com`), and asks whether we are still there. It learns the latter only. */
function ignoreGlobalRequests(protocol: Protocol): void {
  protocol._handlers.GLOBAL_REQUEST = (self, _name, wantReply) => {
    if (wantReply) self.requestFailure()
  }
}

/** Counts both directions whenever something comes: whoever only sends gets room for more from time to time. */
function watchBytes(protocol: Protocol, socket: Socket, rekey: number): void {
  let at = 0
  socket.on('data', () => {
    const bytes = socket.bytesRead + socket.bytesWritten
    if (protocol._remoteIdentRaw === undefined && bytes > GREETING_BYTES) socket.destroy(new Error('no greeting'))
    if (bytes - at < rekey || !protocol._authenticated || !socket.writable) return
    at = bytes
    protocol.rekey()
  })
}
