/** Logging in without ssh2's client, which would parse keys, choose algorithms and keep passwords: here it does none of it. */
import { wire } from '../../keys/wire.ts'
import { type Prompt, type Protocol, sendPacket } from './inside.ts'

/** RFC 4252, sections 5 and 7. */
const USERAUTH_REQUEST = 50
const SIGNED = 1

/** A public key, or a certificate, and what signs by it. */
export interface Signed {
  /** As the request names it: of a certificate, with the suffix. */
  readonly algorithm: string
  readonly blob: Buffer
  /** The whole signature: the plain algorithm and its value. */
  readonly sign: (data: Buffer) => Buffer
}

/** What can be sent to authenticate. */
export interface AuthenticationWire {
  none(): void
  password(password: string): void
  keyboard(): void
  answer(answers: readonly string[]): void
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

/** Takes over what ssh2's client would do between the key exchange and `ready`. */
export function takeLogin(
  protocol: Protocol,
  user: string,
  authentication: (wire: AuthenticationWire) => AuthenticationSteps,
): void {
  let signatures: readonly string[] | null = null
  const steps = authentication({
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
