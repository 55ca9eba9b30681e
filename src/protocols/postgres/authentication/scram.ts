/** SCRAM-SHA-256, RFC 5802 and 7677: what both sides share. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export const SCRAM_SHA_256 = 'SCRAM-SHA-256'
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS'
export const CHANNEL_BINDING = 'tls-server-end-point'
/** PostgreSQL's own limit for one message of the exchange: PG_MAX_SASL_MESSAGE_LENGTH. */
export const SASL_MESSAGE = 1024
export const KEY_LENGTH = 32

const derive = promisify(pbkdf2)

/** Off the main thread: 4,096 iterations take about a millisecond. */
export async function saltedPassword(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return await derive(saslprep(password), salt, iterations, KEY_LENGTH, 'sha256')
}

export interface Keys {
  readonly clientKey: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export function keysOf(salted: Buffer): Keys {
  const clientKey = hmac(salted, 'Client Key')
  return { clientKey, storedKey: sha256(clientKey), serverKey: hmac(salted, 'Server Key') }
}

export const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
export const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

export function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)))
}

export function equal(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Strict base64: what decodes and encodes to the same text. */
export function base64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

/** RFC 3454 table C.1.2: spaces that are not ASCII, mapped to one that is. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
/** RFC 3454 table B.1: mapped to nothing. Alternatives, because some of them combine with their neighbours. */
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g
/** RFC 3454 tables C.2.1 to C.9: controls, private use, non-characters, surrogates, what changes display. */
const PROHIBITED =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u2061-\u2063\u206a-\u206f\u2ff0-\u2ffb\ufdd0-\ufdef\ufff9-\uffff\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}]/u

/** RFC 4013, with PostgreSQL's own exception: a password that it prohibits is used as it is. */
export function saslprep(password: string): string {
  if (/^[\u0020-\u007e]*$/.test(password)) return password
  const prepared = password.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) || mixesDirections(prepared) ? password : prepared
}

/** RFC 3454 section 6, by script instead of by table: right-to-left text may not hold left-to-right letters. */
function mixesDirections(text: string): boolean {
  const rightToLeft = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u
  if (!rightToLeft.test(text)) return false
  const chars = [...text]
  const ends = rightToLeft.test(chars[0] ?? '') && rightToLeft.test(chars.at(-1) ?? '')
  return !ends || /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hangul}]/u.test(text)
}
