import type { IncomingMessage } from 'node:http'
import { type Refusal, refusal } from '../../../gate/refusal.ts'

/** Reads a request's body whole: nothing of it goes on before it was judged. Rejects when the agent leaves. */
export async function readWhole(request: IncomingMessage, limit: number): Promise<Buffer | Refusal> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limit) return tooLarge(limit)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > limit) return tooLarge(limit)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length)
}

function tooLarge(limit: number): Refusal {
  return refusal('command.too-large', `the body is larger than ${limit} bytes`, 'send less at once')
}
