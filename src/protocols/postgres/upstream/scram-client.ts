/** Our own proof to the target by SCRAM-SHA-256, RFC 5802: its signature is verified too, so that it knows the password. */
import { randomBytes } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { ConnectionRefused } from '../connection-refused.ts'
import {
  base64,
  CHANNEL_BINDING,
  equal,
  hmac,
  keysOf,
  saltedPassword,
  SASL_MESSAGE,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  sha256,
  xor,
} from '../authentication/scram.ts'

const NONCE_BYTES = 18
/** Half a second of one core; PostgreSQL's default is 4,096. More would let a server keep our threads busy. */
const MOST_ITERATIONS = 1_000_000
/** RFC 7677's minimum, demanded where the server is not verified: with one iteration the proof is quickly guessed from. */
const LEAST_ITERATIONS = 4096
/** Derived keys that are kept, so that sessions of one role derive theirs once. */
const KEPT = 64

const derived = new Map<string, Promise<Buffer>>()
const mapSecret = randomBytes(32)

const SERVER_FIRST = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9]\d{0,8})(?:,.*)?$/s
const SERVER_FINAL = /^(?:v=([A-Za-z0-9+/=]+)|e=([^,]*))(?:,.*)?$/s

export interface ScramChannel {
  readonly encrypted: boolean
  /** The server's certificate was verified. */
  readonly verified: boolean
  /** The hash of the server's certificate, where there is one. */
  readonly binding: Buffer | null
}

export class ScramClient {
  readonly mechanism: string
  readonly #password: string
  readonly #channel: ScramChannel
  readonly #header: string
  readonly #firstBare: string
  readonly #nonce: string
  #signature: Buffer | null = null

  /** Fails when the server offers no mechanism that we speak. */
  constructor(password: string, offered: readonly string[], channel: ScramChannel) {
    const plus = channel.binding !== null && offered.includes(SCRAM_SHA_256_PLUS)
    if (!plus && !offered.includes(SCRAM_SHA_256))
      throw rejected('the target offers no way to authenticate that is spoken here')
    this.mechanism = plus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256
    this.#password = password
    this.#channel = channel
    // `y` tells a server that did offer it that someone in between took the offer away.
    this.#header = plus ? `p=${CHANNEL_BINDING},,` : channel.binding === null ? 'n,,' : 'y,,'
    this.#nonce = randomBytes(NONCE_BYTES).toString('base64')
    // PostgreSQL takes the user from the start-up message and ignores this one.
    this.#firstBare = `n=,r=${this.#nonce}`
  }

  first(): Buffer {
    return Buffer.from(this.#header + this.#firstBare)
  }

  async final(data: Buffer): Promise<Buffer> {
    const serverFirst = utf8(data)
    const [, nonce, saltText, count] = SERVER_FIRST.exec(serverFirst) ?? []
    const salt = base64(saltText ?? '')
    const iterations = Number(count)
    if (nonce === undefined || salt === null || salt.length === 0) throw untrusted('a malformed first message')
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw untrusted('a nonce that is not ours')
    const least = this.#channel.verified ? 1 : LEAST_ITERATIONS
    if (iterations > MOST_ITERATIONS || iterations < least) throw untrusted(`${iterations} iterations`)
    const keys = keysOf(await saltedOf(this.#password, salt, iterations))
    const bound = this.mechanism === SCRAM_SHA_256_PLUS ? (this.#channel.binding ?? Buffer.alloc(0)) : Buffer.alloc(0)
    const binding = Buffer.concat([Buffer.from(this.#header), bound]).toString('base64')
    const withoutProof = `c=${binding},r=${nonce}`
    const message = `${this.#firstBare},${serverFirst},${withoutProof}`
    this.#signature = hmac(keys.serverKey, message)
    const proof = xor(keys.clientKey, hmac(keys.storedKey, message))
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** Fails unless the server has shown that it knows the password. */
  verify(data: Buffer): void {
    const [, signature, error] = SERVER_FINAL.exec(utf8(data)) ?? []
    if (error !== undefined) throw rejected('the target did not accept the credential')
    const given = base64(signature ?? '')
    if (this.#signature === null || given === null || !equal(this.#signature, given))
      throw untrusted('a wrong signature')
  }
}

async function saltedOf(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  const id = hmac(
    mapSecret,
    JSON.stringify([sha256(Buffer.from(password)).toString('hex'), salt.toString('hex'), iterations]),
  )
  const key = id.toString('base64')
  const known = derived.get(key)
  if (known !== undefined) return await known
  const made = saltedPassword(password, salt, iterations)
  if (derived.size >= KEPT) derived.delete(derived.keys().next().value ?? '')
  derived.set(key, made)
  return await made
}

function utf8(data: Buffer): string {
  if (data.length > SASL_MESSAGE || !isUtf8(data)) throw untrusted('a message of the wrong form')
  return data.toString('utf8')
}

function untrusted(what: string): ConnectionRefused {
  return new ConnectionRefused(
    'upstream.untrusted',
    '08001',
    'the target could not prove that it knows the credential',
    {
      cause: new Error(`SCRAM-SHA-256: ${what}`),
    },
  )
}

function rejected(message: string): ConnectionRefused {
  return new ConnectionRefused('upstream.rejected', '08004', message)
}
