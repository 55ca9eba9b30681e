/** From the bytes of a body to what is judged, by one strict reader per representation. */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Json } from '../../../gate/json.ts'
import type { Request } from '../request/facts.ts'
import { Refused } from '../request/refused.ts'
import type { Body } from './body.ts'
import { encodeJson } from './encode.ts'
import { parseJson } from './json/parse.ts'
import { identityOf, objectOf } from './object.ts'
import { dryRunOf, isOptions } from './options.ts'
import { parseProtobuf } from './protobuf/envelope.ts'
import { mediaType } from './refused.ts'

interface Read {
  readonly json: Json
  readonly bytes: Uint8Array
}

/** What of a body is understood, by its content type. All are sent on as JSON. */
const READERS: ReadonlyMap<string, (bytes: Buffer) => Read> = new Map([
  // The very bytes: all that readers could differ in was refused.
  ['application/json', (bytes) => ({ json: parseJson(bytes), bytes })],
  ['application/vnd.kubernetes.protobuf', (bytes) => encoded(parseProtobuf(bytes))],
])

/** Never throws. What is sent of the body is what was judged of it. */
export function decodeBody(request: Request, contentType: string, bytes: Buffer): Body | Refusal {
  try {
    return decode(request, contentType, bytes)
  } catch (error) {
    if (error instanceof Refused) return error.refusal
    throw error
  }
}

function decode({ facts }: Request, contentType: string, sent: Buffer): Body {
  const type = essenceOf(contentType)
  const read = READERS.get(type)
  if (read === undefined) throw mediaType(`${type} is not understood here`)
  const { json, bytes } = read(sent)
  const object = objectOf(json, 'the body')
  const { name, generateName } = identityOf(object, facts)
  const options = isOptions(facts)
  return {
    json,
    form: options ? 'options' : 'object',
    name: facts.verb === 'create' ? name : '',
    generateName: facts.verb === 'create' ? generateName : '',
    dryRun: options && dryRunOf(object, facts),
    patch: null,
    pod: null,
    bytes,
    contentType: 'application/json',
  }
}

function encoded(json: Json): Read {
  return { json, bytes: encodeJson(json) }
}

/** Without parameters, of which only the character set means something. */
function essenceOf(contentType: string): string {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase())
  for (const parameter of parameters) {
    if (!/^charset="?utf-?8"?$/.test(parameter)) throw mediaType(`${parameter} is not understood of a content type`)
  }
  // What the API server takes it for.
  return type === '' ? 'application/json' : type
}
