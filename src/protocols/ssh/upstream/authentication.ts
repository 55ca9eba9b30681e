/** Proving the sidecar's credential to a host that has proven itself: each way once, and only what is configured. */
import type { SignatureAlgorithm } from '../keys/signature.ts'
import type { AuthenticationSteps, AuthenticationWire } from './ssh2.ts'
import type { Prompt } from './ssh2/inside.ts'

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

/** Answers a host's authentication with one credential. It ends in `ready` of the client, or in a call of `rejected`. */
export function authenticateBy(
  credential: Credential,
  wire: AuthenticationWire,
  rejected: (why: string) => void,
): AuthenticationSteps {
  const ways = waysOf(credential)
  let current: Method | null = null
  let questions = 0
  let answered = false

  function tryNext(offered: readonly string[] | null): void {
    const at = ways.findIndex((way) => offered === null || offered.includes(way))
    if (at < 0)
      return rejected(offered === null ? 'there is no credential' : `it offers ${printable(offered.join(','))}`)
    const [way] = ways.splice(at, 1)
    current = way ?? null
    if (way !== undefined) start[way]()
  }

  const start: Readonly<Record<Method, () => void>> = {
    publickey: () => {
      const key = credential.key
      const algorithm = key?.algorithms.find((name) => wire.signatures === null || wire.signatures.includes(name))
      if (key === null) return
      if (algorithm === undefined) return rejected('it takes no signature that the key can give')
      wire.publicKey({
        algorithm: algorithm + key.suffix,
        blob: key.blob,
        sign: (data) => key.sign(data, algorithm),
      })
    },
    password: () => wire.password(credential.password ?? ''),
    'keyboard-interactive': () => wire.keyboard(),
    none: () => wire.none(),
  }

  return {
    begin: () => tryNext(null),
    failed: (methods) => tryNext(methods),
    asked: (prompts) => {
      if (current !== 'keyboard-interactive' || ++questions > MOST_QUESTIONS) return rejected('it asks without end')
      if (prompts.length === 0) return wire.answer([])
      if (answered || !isPassword(prompts)) return rejected('it asks for more than a password')
      answered = true
      wire.answer([credential.password ?? ''])
    },
    stuck: rejected,
  }
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
