/**
 * The API server's protobuf bodies: four bytes, then a runtime.Unknown that says of which kind the message in it is
 * (k8s.io/apimachinery, pkg/runtime/serializer/protobuf).
 */
import { Reader } from 'protobufjs/minimal.js'
import type { JsonObject } from '../../../../gate/json.ts'
import { mediaType, unparsable } from '../refused.ts'
import { messageOf } from './catalogue.ts'
import { Budget, BYTES, textOf } from './codec.ts'
import { readMessage } from './message.ts'

const MAGIC = Buffer.from('k8s\0')
const NOTHING = new Uint8Array(0)

/** The object as the JSON that the API server would write. Throws at what is not known whole. */
export function parseProtobuf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw unparsable('the body is no protobuf of the API server', 'send application/json')
  }
  try {
    const { apiVersion, kind, raw } = readUnknown(bytes.subarray(MAGIC.length))
    const message = messageOf(apiVersion, kind)
    if (message === undefined)
      throw mediaType(`protobuf of ${apiVersion || 'no version'}, ${kind || 'no kind'} is not known`)
    return { apiVersion, kind, ...readMessage(message, raw, new Budget()) }
  } catch (error) {
    if (isMalformed(error)) throw unparsable('the body is cut off, or no protobuf', 'send well-formed messages')
    throw error
  }
}

/** What the reader of the wire format throws. */
function isMalformed(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && /^invalid [a-z]+ encoding$/.test(error.message))
}

interface Unknown {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Uint8Array
}

/** Unknown { TypeMeta typeMeta = 1; bytes raw = 2; string contentEncoding = 3; string contentType = 4 } */
function readUnknown(bytes: Uint8Array): Unknown {
  const fields = split(bytes, 4)
  const type = split(fields[0] ?? NOTHING, 2)
  for (const coding of [fields[2], fields[3]]) {
    if (coding !== undefined && coding.length > 0) {
      throw mediaType('the body is encoded once more inside of its protobuf')
    }
  }
  return { apiVersion: textOf(type[0] ?? NOTHING), kind: textOf(type[1] ?? NOTHING), raw: fields[1] ?? NOTHING }
}

/** Fields 1 to `count`, all of which are bytes. */
function split(bytes: Uint8Array, count: number): (Uint8Array | undefined)[] {
  const found: (Uint8Array | undefined)[] = Array.from({ length: count })
  const reader = Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    const at = (tag >>> 3) - 1
    if ((tag & 7) !== BYTES || at < 0 || at >= count || found[at] !== undefined) {
      throw unparsable('the body is no protobuf of the API server', 'send well-formed messages')
    }
    found[at] = reader.bytes()
  }
  return found
}
