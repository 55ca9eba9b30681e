/** Authentication requests (`R`) and their answers (`p`), whose meaning hangs on the request. */
import { BodyReader } from './body.ts'
import { BACKEND, PASSWORD_MESSAGE } from './types.ts'
import { Writer } from './writer.ts'

export type AuthenticationRequest =
  | { readonly name: 'Ok' }
  | { readonly name: 'CleartextPassword' }
  | { readonly name: 'MD5Password'; readonly salt: Buffer }
  | { readonly name: 'SASL'; readonly mechanisms: readonly string[] }
  | { readonly name: 'SASLContinue'; readonly data: Buffer }
  | { readonly name: 'SASLFinal'; readonly data: Buffer }
  /** Kerberos, GSSAPI, SSPI and what may come: known by number only. */
  | { readonly name: 'Unsupported'; readonly code: number }

const OK = 0
const CLEARTEXT_PASSWORD = 3
const MD5_PASSWORD = 5
const SASL = 10
const SASL_CONTINUE = 11
const SASL_FINAL = 12

export function decodeAuthentication(bytes: Buffer, start: number, end: number): AuthenticationRequest {
  const body = new BodyReader('Authentication', bytes, start + 5, end)
  const code = body.uint32('the request')
  switch (code) {
    case OK:
      body.end()
      return { name: 'Ok' }
    case CLEARTEXT_PASSWORD:
      body.end()
      return { name: 'CleartextPassword' }
    case MD5_PASSWORD: {
      const salt = body.bytes(4, 'the salt')
      body.end()
      return { name: 'MD5Password', salt }
    }
    case SASL:
      return { name: 'SASL', mechanisms: mechanisms(body) }
    case SASL_CONTINUE:
      return { name: 'SASLContinue', data: body.bytes(body.left, 'the data') }
    case SASL_FINAL:
      return { name: 'SASLFinal', data: body.bytes(body.left, 'the data') }
    default:
      return { name: 'Unsupported', code }
  }
}

function mechanisms(body: BodyReader): string[] {
  const names: string[] = []
  for (;;) {
    const name = body.string('a mechanism')
    if (name === '') break
    names.push(name)
  }
  body.end()
  return names
}

const request = (code: number): Writer => new Writer(64).begin(BACKEND.Authentication).uint32(code)
export const encodeAuthenticationOk = (): Buffer => request(OK).finish().take()
export const encodeAuthenticationCleartextPassword = (): Buffer => request(CLEARTEXT_PASSWORD).finish().take()
export const encodeAuthenticationSASLContinue = (data: Uint8Array): Buffer =>
  request(SASL_CONTINUE).bytes(data).finish().take()
export const encodeAuthenticationSASLFinal = (data: Uint8Array): Buffer =>
  request(SASL_FINAL).bytes(data).finish().take()

export function encodeAuthenticationSASL(names: readonly string[]): Buffer {
  const writer = request(SASL)
  for (const name of names) writer.string(name)
  return writer.uint8(0).finish().take()
}

/** PasswordMessage: cleartext, or the MD5 answer. */
export function decodePassword(bytes: Buffer, start: number, end: number): string {
  const body = new BodyReader('PasswordMessage', bytes, start + 5, end)
  const password = body.string('the password')
  body.end()
  return password
}

export interface SASLInitialResponse {
  readonly mechanism: string
  /** Null where the client sends none. */
  readonly data: Buffer | null
}

export function decodeSASLInitialResponse(bytes: Buffer, start: number, end: number): SASLInitialResponse {
  const body = new BodyReader('SASLInitialResponse', bytes, start + 5, end)
  const mechanism = body.string('the mechanism')
  const data = body.value('the data')
  body.end()
  return { mechanism, data }
}

export function decodeSASLResponse(bytes: Buffer, start: number, end: number): Buffer {
  return bytes.subarray(start + 5, end)
}

export const encodePassword = (password: string): Buffer =>
  new Writer().begin(PASSWORD_MESSAGE).string(password).finish().take()
export const encodeSASLInitialResponse = (mechanism: string, data: Uint8Array): Buffer =>
  new Writer().begin(PASSWORD_MESSAGE).string(mechanism).value(data).finish().take()
export const encodeSASLResponse = (data: Uint8Array): Buffer =>
  new Writer().begin(PASSWORD_MESSAGE).bytes(data).finish().take()
