/** From the bytes of a body to what is judged, by one strict reader per representation. */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Json } from '../../../gate/json.ts'
import type { Request, RequestFacts } from '../request/facts.ts'
import { Refused } from '../request/refused.ts'
import type { Body } from './body.ts'
import { encodeJson, encodeYaml } from './encode.ts'
import { parseJson } from './json/parse.ts'
import { identityOf, objectOf } from './object.ts'
import { dryRunOf, isOptions } from './options.ts'
import { PATCHES, readPatch } from './patch/patch.ts'
import { factsOf } from './pod/facts.ts'
import { podOf } from './pod/pod.ts'
import { parseProtobuf } from './protobuf/envelope.ts'
import { mediaType, unparsable } from './refused.ts'
import { parseYaml } from './yaml/parse.ts'

/** What was read, and the bytes that are sent of it. */
interface Read {
  readonly json: Json
  readonly bytes: Uint8Array
}
type Reader = (bytes: Buffer) => Read

// The very bytes: whatever readers could differ in was refused.
const readJson: Reader = (bytes) => ({ json: parseJson(bytes), bytes })
const readProtobuf: Reader = (bytes) => encoded(parseProtobuf(bytes))
/** Most of what is called YAML is JSON: kubectl and client libraries apply it so. */
const readYaml: Reader = (bytes) => (beginsObject(bytes) ? readJson(bytes) : encoded(parseYaml(bytes)))
/** The API server reads it as YAML, whatever it is. */
const readApplied: Reader = (bytes) => {
  const { json } = readYaml(bytes)
  return { json, bytes: encodeYaml(json) }
}

const NOTHING_SAID = { name: '', generateName: '', dryRun: false, patch: null, pod: null } as const

const OBJECTS: ReadonlyMap<string, Reader> = new Map([
  // What the API server takes it for where nothing is said.
  ['', readJson],
  ['application/json', readJson],
  ['application/yaml', readYaml],
  ['application/vnd.kubernetes.protobuf', readProtobuf],
])

/** Never throws. What is sent of the body is what was judged of it. */
export function decodeBody({ facts, action }: Request, contentType: string, bytes: Buffer): Body | Refusal {
  try {
    const type = essenceOf(contentType)
    if (action === 'connect') return foreignBody(type, bytes)
    return facts.verb === 'patch' ? patchBody(facts, type, bytes) : objectBody(facts, type, bytes)
  } catch (error) {
    if (error instanceof Refused) return error.refusal
    throw error
  }
}

function objectBody(facts: RequestFacts, type: string, sent: Buffer): Body {
  const read = OBJECTS.get(type)
  if (read === undefined) throw mediaType(`${type} is not understood here`)
  const { json, bytes } = read(sent)
  const object = objectOf(json, 'the body')
  const { name, generateName } = identityOf(object, facts)
  const options = isOptions(facts)
  const pod = options ? null : podOf(facts, json, false)
  const creates = facts.verb === 'create'
  return {
    json,
    form: options ? 'options' : 'object',
    name: creates ? name : '',
    generateName: creates ? generateName : '',
    dryRun: options && dryRunOf(object, facts),
    patch: null,
    pod: pod && factsOf(pod),
    bytes,
    contentType: 'application/json',
  }
}

function patchBody(facts: RequestFacts, contentType: string, sent: Buffer): Body {
  const type = PATCHES.get(contentType)
  if (type === undefined) throw mediaType(`a patch of ${contentType || 'no type'} is not understood here`)
  const { json, bytes } = type === 'apply' ? readApplied(sent) : readJson(sent)
  const patch = readPatch(type, json, facts)
  const pod = podOf(facts, patch.partial, true)
  return {
    ...NOTHING_SAID,
    json,
    form: 'patch',
    patch: patch.facts,
    pod: pod && factsOf(pod),
    bytes,
    contentType,
  }
}

/** What goes on to whatever is behind a proxy means what it means there. */
function foreignBody(type: string, sent: Buffer): Body {
  if (type !== 'application/json') throw mediaType(`${type || 'what has no type'} is not understood here`)
  const { json, bytes } = readJson(sent)
  if (json === null || typeof json !== 'object') throw unparsable('the body is no object and no list', 'send one')
  return { ...NOTHING_SAID, json, form: 'object', bytes, contentType: type }
}

function encoded(json: Json): Read {
  return { json, bytes: encodeJson(json) }
}

function beginsObject(bytes: Buffer): boolean {
  return /^[ \t\r\n]*\{/.test(bytes.subarray(0, 64).toString('latin1'))
}

/** Without parameters, of which only the character set means something. */
function essenceOf(contentType: string): string {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase())
  for (const parameter of parameters) {
    if (!/^charset="?utf-?8"?$/.test(parameter)) throw mediaType(`${parameter} is not understood of a content type`)
  }
  return type
}
