/** Requests with bodies, as the exchange hands them on. */
import type { Body } from '../../../../src/protocols/kubernetes/body/body.ts'
import { decodeBody } from '../../../../src/protocols/kubernetes/body/decode.ts'
import { parseRequest } from '../../../../src/protocols/kubernetes/request/parse.ts'

export interface Sent {
  readonly type?: string
  readonly body: string | Buffer | object
}

/** What becomes of a body; a refusal is thrown as `CODE message`. */
export function decoded(method: string, target: string, { type = 'application/json', body }: Sent): Body {
  const parsed = parseRequest(method, target)
  if (parsed.kind === 'refused') throw new Error(`${parsed.refusal.code} ${parsed.refusal.message}`)
  const found = decodeBody(parsed.request, type, bytesOf(body))
  if ('code' in found) throw new Error(`${found.code} ${found.message}`)
  return found
}

function bytesOf(body: Sent['body']): Buffer {
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Lines of JSON, as they were packed. */
export function unpacked<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
