/** Proving the sidecar's credential to a host that has proven itself: each way once, and only what is configured. */
import type { SignatureAlgorithm } from '../keys/signature.ts'
import type { Prompt } from './ssh2/inside.ts'
import type { AuthenticationSteps, AuthenticationWire } from './ssh2/login.ts'

/** A private key that can sign for a login. */
export interface SigningKey {
  /** Signature algorithms, most wanted first: more than one for RSA only. */
  readonly algorithms: readonly SignatureAlgorithm[]
  /** The public key, or a certificate for it. */
  readonly blob: Buffer
  /** What the request adds to the algorithm's name: of a certificate, its suffix. */
  readonly suffix: string
  /** The whole signature: its algorithm and its value. */
  readonly sign: (data: Buffer, algorithm: SignatureAlgorithm) => Buffer
}

export interface Credential {
  readonly key: SigningKey | null
  readonly password: string | null
}

/** A question for the password, and one that only tells that it was right, are what hosts ask. */
const MOST_QUESTIONS = 4

type Method = 'publickey' | 'password' | 'keyboard-interactive' | 'none'

/** Answers a host with one credential. It ends in `ready` of the client, or in one call of `rejected`. */
export class Authentication implements AuthenticationSteps {
  readonly #credential: Credential
  readonly #wire: AuthenticationWire
  readonly #rejected: (why: string) => void
  readonly #ways: Method[]
  #current: Method | null = null
  #questions = 0
  #answered = false
  /** Whatever the host says after that, it is told nothing more. */
  #over = false

  constructor(credential: Credential, wire: AuthenticationWire, rejected: (why: string) => void) {
    this.#credential = credential
    this.#wire = wire
    this.#rejected = rejected
    this.#ways = waysOf(credential)
  }

  begin(): void {
    this.#tryNext(null)
  }

  failed(methods: readonly string[]): void {
    if (!this.#over) this.#tryNext(methods)
  }

  asked(prompts: readonly Prompt[]): void {
    if (this.#over) return
    const endless = ++this.#questions > MOST_QUESTIONS
    if (this.#current !== 'keyboard-interactive' || endless) return this.stuck('it asks without end')
    if (prompts.length === 0) return this.#wire.answer([])
    if (this.#answered || !isPassword(prompts)) return this.stuck('it asks for more than a password')
    this.#answered = true
    this.#wire.answer([this.#credential.password ?? ''])
  }

  stuck(why: string): void {
    if (this.#over) return
    this.#over = true
    this.#rejected(why)
  }

  #tryNext(offered: readonly string[] | null): void {
    const at = this.#ways.findIndex((way) => offered === null || offered.includes(way))
    const [way] = at < 0 ? [] : this.#ways.splice(at, 1)
    if (way === undefined) return this.stuck(`it offers ${printable((offered ?? []).join(','))}`)
    this.#current = way
    this.#try(way)
  }

  #try(way: Method): void {
    const { key, password } = this.#credential
    switch (way) {
      case 'publickey':
        return this.#sign(key)
      case 'password':
        return this.#wire.password(password ?? '')
      case 'keyboard-interactive':
        return this.#wire.keyboard()
      case 'none':
        return this.#wire.none()
      default:
        return way satisfies never
    }
  }

  #sign(key: SigningKey | null): void {
    const algorithm = key === null ? undefined : signatureOf(key, this.#wire.signatures)
    if (key === null || algorithm === undefined) return this.stuck('it takes no signature that the key can give')
    const sign = (data: Buffer) => key.sign(data, algorithm)
    this.#wire.publicKey({ algorithm: algorithm + key.suffix, blob: key.blob, sign })
  }
}

/**
 * Only of RSA there is a choice, and hosts that list what they take (RFC 8308) are asked for that alone: what else they take
 * is not in every such list.
 */
function signatureOf({ algorithms }: SigningKey, taken: readonly string[] | null): SignatureAlgorithm | undefined {
  if (taken === null || algorithms.length === 1) return algorithms[0]
  return algorithms.find((algorithm) => taken.includes(algorithm))
}

function waysOf({ key, password }: Credential): Method[] {
  const ways: Method[] = []
  if (key !== null) ways.push('publickey')
  if (password !== null) ways.push('password', 'keyboard-interactive')
  return ways.length === 0 ? ['none'] : ways
}

/** One prompt without an echo. What it says is the host's business, and is not looked at. */
function isPassword(prompts: readonly Prompt[]): boolean {
  return prompts.length === 1 && prompts[0]?.echo === false
}

/** Words of the host, for the operator's log. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
