/**
 * The target of a request line, taken apart without any leniency.
 *
 * The API server decodes percent-encoding before it routes, so that `/api/v1/s%65crets` is `/api/v1/secrets` to it. What is
 * read here is therefore what is forwarded: the path is made anew from its decoded segments, and must be what was sent.
 */
import { isUtf8 } from 'node:buffer'
import { Refused } from './refused.ts'

/** The API server takes more; no client comes near. */
const TARGET_BYTES = 8 * 1024
const PRINTABLE = /^[\x21-\x7e]+$/
/** What stays as it is in a segment: RFC 3986's pchar without the semicolon, which servers give meanings of their own. */
const PLAIN = /[A-Za-z0-9\-._~!$&'()*+,=:@]/

export interface Target {
  /** Decoded, none of them empty. */
  readonly segments: readonly string[]
  /** As they came. */
  readonly raw: readonly string[]
  /** One slash follows the last of them, as libraries made from the OpenAPI document send it for discovery. */
  readonly trailing: boolean
  /** What follows the question mark, as it came; empty where nothing does. */
  readonly query: string
}

/** Throws {@link Refused}. */
export function splitTarget(target: string): Target {
  if (target.length > TARGET_BYTES) {
    throw new Refused('command.too-large', `the request's address is longer than ${TARGET_BYTES} bytes`, 'shorten it')
  }
  if (!target.startsWith('/') || !PRINTABLE.test(target) || target.includes('#') || target.includes('\\')) {
    throw unparsable('the request has no plain path', 'send an absolute path in ASCII')
  }
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark + 1)
  if (path === '/') return { segments: [], raw: [], trailing: false, query }
  const trailing = path.length > 2 && path.endsWith('/')
  const raw = path.slice(1, trailing ? -1 : undefined).split('/')
  return { segments: raw.map(segmentOf), raw, trailing, query }
}

function segmentOf(raw: string): string {
  const segment = decoded(raw)
  if (segment === '' || segment === '.' || segment === '..') {
    throw notPlain()
  }
  if (!/^[\x20-\x7e]+$/.test(segment) || /[/%\\;]/.test(segment)) {
    throw unparsable('a segment of the path has characters that no name of Kubernetes has', 'send plain names')
  }
  return segment
}

export function notPlain(): Refused {
  return unparsable('the path has empty or dot segments', 'send it without //, . and .. and without a slash at its end')
}

/** A segment in the one form in which it is forwarded. */
export function encodeSegment(segment: string): string {
  let out = ''
  for (const byte of Buffer.from(segment)) {
    const character = String.fromCharCode(byte)
    out += PLAIN.test(character) ? character : percent(byte)
  }
  return out
}

/** A key or a value of a query in the one form in which it is forwarded. */
export function encodeParameter(text: string): string {
  let out = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    out += /[A-Za-z0-9\-._~]/.test(character) ? character : percent(byte)
  }
  return out
}

/** Percent-decoded once. Throws {@link Refused} at what is no percent-encoding or no UTF-8. */
export function decoded(raw: string): string {
  if (!raw.includes('%')) return raw
  const bytes: number[] = []
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] !== '%') {
      bytes.push(raw.charCodeAt(at))
      continue
    }
    const digits = raw.slice(at + 1, at + 3)
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) throw unparsable('a percent sign begins no encoding', 'encode it as %25')
    bytes.push(Number.parseInt(digits, 16))
    at += 2
  }
  const buffer = Buffer.from(bytes)
  if (!isUtf8(buffer)) throw unparsable('an encoded text is not UTF-8', 'encode it as UTF-8')
  return buffer.toString()
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

export function unparsable(message: string, remedy: string): Refused {
  return new Refused('command.unparsable', message, remedy)
}
