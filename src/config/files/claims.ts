/** What a bearer token says of itself, for whoever sets it up: read, and verified by nobody. */
import { readFileSync } from 'node:fs'
import { child } from '../keys.ts'

/** No token is longer; a wrong path must not be parsed as one. */
const LONGEST_TOKEN = 64 * 1024

export interface Claims {
  /** Empty where it names nobody. Printable. */
  readonly subject: string
  readonly audiences: readonly string[]
  /** Null where it holds for ever. */
  readonly expires: Date | null
}

/** RFC 7519. Null where the file holds no such token. */
export function readClaims(file: string): Claims | null {
  try {
    const text = readFileSync(file, 'utf8').trim()
    const [, payload, signature] = text.split('.')
    if (text.length > LONGEST_TOKEN || payload === undefined || signature === undefined) return null
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const expires = new Date(Number(child(claims, 'exp')) * 1000)
    return {
      subject: printable(child(claims, 'sub')),
      audiences: [child(claims, 'aud')]
        .flat()
        .map(printable)
        .filter((audience) => audience !== ''),
      expires: Number.isNaN(expires.getTime()) ? null : expires,
    }
  } catch {
    return null
  }
}

/** Escape sequences of terminals have no place in a name. */
function printable(claim: unknown): string {
  return typeof claim === 'string' ? JSON.stringify(claim).slice(1, -1) : ''
}
