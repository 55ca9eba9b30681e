/** What this folder throws when a body is not one that can be judged; `decodeBody` turns it into a value. */
import { Refused } from '../request/refused.ts'

export function unparsable(message: string, remedy: string): Refused {
  return new Refused('command.unparsable', message, remedy)
}

export function tooLarge(message: string): Refused {
  return new Refused('command.too-large', message, 'send less at once')
}

export function mediaType(message: string): Refused {
  return new Refused('command.media-type', message, 'send application/json')
}
