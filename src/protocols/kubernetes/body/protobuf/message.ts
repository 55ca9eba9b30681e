/** Messages of the API as the JSON that Go's encoding/json makes of them, by the fields that their descriptors name. */
import { Reader } from 'protobufjs/minimal.js'
import type { Json } from '../../../../gate/json.ts'
import { unparsable } from '../refused.ts'
import { type Field, fieldsOf, parseField } from './catalogue.ts'
import { type Budget, BYTES, type Codec, pointer, repeated, SCALARS, struct } from './codec.ts'
import { SPECIALS, type Special } from './special.ts'

interface FieldCodec extends Field {
  readonly codec: Codec
}
type Fields = ReadonlyMap<number, FieldCodec>
type Members = Record<string, Json>

const codecs = new Map<string, Codec>(SCALARS)
const messages = new Map<string, Fields>()

/** Throws at what the message has no field for: it could do what nobody judged. */
export function readMessage(name: string, bytes: Uint8Array, budget: Budget): Members {
  return readFields(name, fieldsByNumber(name), bytes, budget)
}

function readFields(name: string, fields: Fields, bytes: Uint8Array, budget: Budget): Members {
  return budget.nested(() => render(fields, collect(name, fields, bytes, budget)))
}

function fieldsByNumber(name: string): Fields {
  let known = messages.get(name)
  if (known === undefined) {
    known = compile(fieldsOf(name))
    messages.set(name, known)
  }
  return known
}

function compile(fields: readonly Field[]): Fields {
  return new Map(fields.map((field) => [field.number, { ...field, codec: codecOf(field.type) }]))
}

function collect(name: string, fields: Fields, bytes: Uint8Array, budget: Budget): Map<number, Json> {
  const found = new Map<number, Json>()
  const reader = Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    const field = fields.get(tag >>> 3)
    if (field === undefined) {
      throw unparsable(`the body has a field ${tag >>> 3} that is not known of ${name}`, 'send application/json')
    }
    budget.value()
    readField(reader, tag & 7, field, found, budget)
  }
  return found
}

function readField(reader: Reader, wire: number, field: FieldCodec, found: Map<number, Json>, budget: Budget): void {
  const { number, codec } = field
  if (wire !== codec.wire) {
    // Numbers of a list may be packed into one field.
    if (!codec.repeated || codec.wire === BYTES || wire !== BYTES)
      throw unparsable(`${field.key ?? field.type} is no ${field.type} in the body`, 'send well-formed messages')
    const packed = Reader.create(reader.bytes())
    while (packed.pos < packed.len) {
      budget.value()
      append(found, number, codec.read(packed, budget))
    }
    return
  }
  const json = codec.read(reader, budget)
  if (codec.repeated) return append(found, number, json)
  if (found.has(number)) throw unparsable(`the body has ${field.key ?? field.type} twice`, 'send each field once')
  found.set(number, json)
}

/** Lists collect items; maps, the entries that each came as an object of one member. */
function append(found: Map<number, Json>, number: number, json: Json): void {
  const before = found.get(number) as Json[] | undefined
  if (before === undefined) found.set(number, [json])
  else before.push(json)
}

function render(fields: Fields, found: ReadonlyMap<number, Json>): Members {
  const members: Members = {}
  for (const { number, key, type, omission, codec } of fields.values()) {
    const there = found.has(number)
    if (!there && omission !== 'always' && (type.startsWith('*') || codec.repeated)) continue
    const collected = there ? (found.get(number) as Json) : codec.zero()
    const json = type.startsWith('{') && there ? mapOf(collected as readonly Entry[]) : collected
    if (omission === 'empty' && codec.empty(json)) continue
    if (omission === 'zero' && json === null && !type.startsWith('*')) continue
    if (key === null) Object.assign(members, json)
    else members[key] = json
  }
  return members
}

type Entry = readonly [string, Json]

function mapOf(entries: readonly Entry[]): Members {
  const map: Members = {}
  for (const [key, value] of entries) {
    if (key === '__proto__') throw unparsable('a key is __proto__', 'leave it out')
    if (Object.hasOwn(map, key)) throw unparsable('a key is there twice in one map', 'send each key once')
    map[key] = value
  }
  return map
}

function codecOf(type: string): Codec {
  let codec = codecs.get(type)
  if (codec === undefined) {
    codec = makeCodec(type)
    codecs.set(type, codec)
  }
  return codec
}

function makeCodec(type: string): Codec {
  if (type.startsWith('*')) return pointer(codecOf(type.slice(1)))
  if (type.startsWith('[]')) {
    const { wire, read } = codecOf(type.slice(2))
    return repeated(wire, read)
  }
  if (type.startsWith('{string}')) return mapCodec(type.slice('{string}'.length))
  if (type.startsWith('@items')) return itemsCodec(type.slice('@items'.length))
  const special = SPECIALS.get(type)
  if (special !== undefined) return specialCodec(type, special)
  return struct(
    () => render(fieldsByNumber(type), new Map()),
    (reader, budget) => readMessage(type, reader.bytes(), budget),
  )
}

/** An empty message is the zero value. */
function specialCodec(name: string, { fields, zero, json }: Special): Codec {
  let compiled: Fields | undefined
  return struct(
    () => zero,
    (reader, budget) => {
      compiled ??= compile(fields.map(parseField))
      const bytes = reader.bytes()
      return bytes.length === 0 ? zero : json(readFields(name, compiled, bytes, budget))
    },
  )
}

/** An entry is a message of a key, which is a string, and a value. */
function mapCodec(type: string): Codec {
  const fields = compile([parseField('1 key string always'), parseField(`2 value ${type} always`)])
  return repeated(BYTES, (reader, budget) => {
    const { key, value } = readFields('an entry', fields, reader.bytes(), budget)
    // Go makes bytes of what is not there, in maps alone.
    return [key as string, type === 'bytes' ? (value ?? '') : (value as Json)]
  })
}

/** A named list of Go that has a message of its own: an empty one, where there is one at all. */
function itemsCodec(type: string): Codec {
  const fields = compile([parseField(`1 items ${type} always`)])
  return struct(
    () => [],
    (reader, budget) => readFields('a list', fields, reader.bytes(), budget)['items'] ?? [],
  )
}
