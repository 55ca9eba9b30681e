/** The agent's proof by SCRAM-SHA-256: the sidecar as server, RFC 5802. */
import { createHmac, randomBytes } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { ProtocolViolation } from '../messages/violation.ts'
import {
  base64,
  CHANNEL_BINDING,
  equal,
  hmac,
  type Keys,
  keysOf,
  saltedPassword,
  SASL_MESSAGE,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  sha256,
  xor,
} from './scram.ts'

/** RFC 7677's minimum and PostgreSQL's default. */
const ITERATIONS = 4096
const NONCE_BYTES = 18
const SALT_BYTES = 16
/** Verifiers kept, so that a pool that opens many connections derives its key once. */
const VERIFIERS = 256

/** Salts hang on the user's name and this process alone: those of unknown users look like any other, and stay the same. */
const saltSecret = randomBytes(32)
const verifiers = new Map<string, Promise<Keys>>()

function saltOf(user: string): Buffer {
  return createHmac('sha256', saltSecret).update(user).digest().subarray(0, SALT_BYTES)
}

async function verifierOf(user: string, password: string): Promise<Keys> {
  const id = createHmac('sha256', saltSecret)
    .update(JSON.stringify([user, password]))
    .digest('base64')
  const known = verifiers.get(id)
  if (known !== undefined) return await known
  const made = saltedPassword(password, saltOf(user), ITERATIONS).then(keysOf)
  if (verifiers.size >= VERIFIERS) verifiers.delete(verifiers.keys().next().value ?? '')
  verifiers.set(id, made)
  return await made
}

/** No agent can know it: whoever is not known is asked, and fails, like one who is. */
const decoy = randomBytes(32).toString('base64')

const GS2 = /^(?:(n)|(y)|p=([A-Za-z0-9.-]{1,64})),(a=[^,]*)?,/
const FIRST = /^n=[^,]*,r=([\x21-\x2b\x2d-\x7e]{1,256})(?:,|$)/
const FINAL = /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[^,]*)*),p=([A-Za-z0-9+/=]+)$/

export type Proof =
  | { readonly kind: 'proven'; readonly final: Buffer }
  | { readonly kind: 'refused'; readonly why: string }

export class ScramServer {
  readonly #user: string
  readonly #binding: Buffer | null
  #header = ''
  #plus = false
  #firstBare = ''
  #serverFirst = ''
  #nonce = ''

  /** `binding`: the hash of our certificate inside TLS, null where no channel can be bound. */
  constructor(user: string, binding: Buffer | null) {
    this.#user = user
    this.#binding = binding
  }

  /** The mechanisms to offer, the strongest first. */
  get mechanisms(): string[] {
    return this.#binding === null ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256]
  }

  /** Takes the client's first message, gives the server's, or says why the exchange is over. */
  first(mechanism: string, data: Buffer | null): Buffer | string {
    if (!this.mechanisms.includes(mechanism))
      throw violation(`the mechanism ${JSON.stringify(mechanism)} was not offered`)
    const text = utf8(data)
    const [header, none, downgrade, type, identity] = GS2.exec(text) ?? []
    if (header === undefined) throw violation('a malformed first message')
    this.#plus = mechanism === SCRAM_SHA_256_PLUS
    if (identity !== undefined) return 'an authorization identity is not supported'
    if (this.#plus !== (type !== undefined)) throw violation('the mechanism and the channel binding flag disagree')
    if (type !== undefined && type !== CHANNEL_BINDING) throw violation('an unknown channel binding')
    // The client can bind channels and believes that we cannot, though we said so: someone in between took it away.
    if (downgrade !== undefined && this.#binding !== null) return 'the channel binding was stripped from the offer'
    if (none === undefined && downgrade === undefined && type === undefined) throw violation('no channel binding flag')
    this.#header = header
    this.#firstBare = text.slice(header.length)
    const nonce = FIRST.exec(this.#firstBare)?.[1]
    if (nonce === undefined) throw violation('a malformed first message')
    this.#nonce = nonce + randomBytes(NONCE_BYTES).toString('base64')
    this.#serverFirst = `r=${this.#nonce},s=${saltOf(this.#user).toString('base64')},i=${ITERATIONS}`
    return Buffer.from(this.#serverFirst)
  }

  /** Takes the client's final message. `password` is null for a user that is not known. */
  async final(data: Buffer, password: string | null): Promise<Proof> {
    const [, withoutProof, bound, nonce, proofText] = FINAL.exec(utf8(data)) ?? []
    const proof = base64(proofText ?? '')
    if (withoutProof === undefined || bound === undefined || proof === null)
      throw violation('a malformed final message')
    const channel = this.#plus && this.#binding !== null ? this.#binding : Buffer.alloc(0)
    const expected = Buffer.concat([Buffer.from(this.#header), channel]).toString('base64')
    if (bound !== expected) return { kind: 'refused', why: 'the proof is bound to another channel' }
    if (nonce !== this.#nonce) throw violation('the nonce is another one')
    const keys = await verifierOf(this.#user, password ?? decoy)
    const message = `${this.#firstBare},${this.#serverFirst},${withoutProof}`
    const clientKey = xor(hmac(keys.storedKey, message), proof)
    const proven = proof.length === clientKey.length && equal(sha256(clientKey), keys.storedKey)
    if (!proven || password === null) return { kind: 'refused', why: 'the password is not right' }
    return { kind: 'proven', final: Buffer.from(`v=${hmac(keys.serverKey, message).toString('base64')}`) }
  }
}

function utf8(data: Buffer | null): string {
  if (data === null || data.length > SASL_MESSAGE || !isUtf8(data)) throw violation('a message of the wrong form')
  return data.toString('utf8')
}

function violation(what: string): ProtocolViolation {
  return new ProtocolViolation('SCRAM-SHA-256', what)
}
