/** From the bytes of a body to what is judged, by one strict reader. */
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Json } from '../../../gate/json.ts'
import type { Request } from '../request/facts.ts'
import type { Body } from './body.ts'

export function decodeBody(_request: Request, contentType: string, bytes: Buffer): Body | Refusal {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (type !== '' && type !== 'application/json') {
    return refusal('command.media-type', `${type} is not understood here`, 'send application/json')
  }
  try {
    const json = JSON.parse(bytes.toString()) as Json
    return {
      json,
      form: 'object',
      name: '',
      generateName: '',
      dryRun: false,
      patch: null,
      pod: null,
      bytes,
      contentType: 'application/json',
    }
  } catch {
    return refusal('command.unparsable', 'the body is not JSON', 'send JSON')
  }
}
