import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Writer } from 'protobufjs/minimal.js'
import t from 'tap'
import type { Json } from '../../../../../src/gate/json.ts'
import { encodeJson } from '../../../../../src/protocols/kubernetes/body/encode.ts'
import { parseProtobuf } from '../../../../../src/protocols/kubernetes/body/protobuf/envelope.ts'
import { goDuration } from '../../../../../src/protocols/kubernetes/body/protobuf/special.ts'
import { Refused } from '../../../../../src/protocols/kubernetes/request/refused.ts'
import { decoded, unpacked } from '../requests.ts'

interface Sample {
  readonly protobuf: string
  readonly json: Json
}

/** By the API server's own encoders: make protobuf. */
const SAMPLES = unpacked<Sample>(
  gunzipSync(readFileSync(join(import.meta.dirname, 'samples.jsonl.gz'))).toString(),
).map(({ protobuf, json }) => ({ bytes: Buffer.from(protobuf, 'base64'), json }))

const NOTHING = new Uint8Array(0)
const MAGIC = Buffer.from('k8s\0')
const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap' }

/** Unknown { typeMeta { apiVersion, kind }, raw, contentEncoding, contentType } */
function envelope(kind: typeof CONFIG_MAP, raw: Uint8Array, more = (writer: Writer) => writer): Buffer {
  const type = Writer.create().uint32(10).string(kind.apiVersion).uint32(18).string(kind.kind).finish()
  return Buffer.concat([MAGIC, more(Writer.create().uint32(10).bytes(type).uint32(18).bytes(raw)).finish()])
}

t.test('A body of every kind means what the API server reads of it', async (t) => {
  t.ok(SAMPLES.length > 700)
  const wrong = SAMPLES.filter(({ bytes, json }) => {
    const found = parseProtobuf(bytes)
    return JSON.stringify(sorted(found)) !== JSON.stringify(sorted(json))
  })
  t.same(wrong, [])
})

t.test('What is sent of it says no more and no less than what was judged', async (t) => {
  for (const { bytes } of SAMPLES.slice(0, 200)) {
    const json = parseProtobuf(bytes)
    t.equal(JSON.stringify(JSON.parse(encodeJson(json).toString())), JSON.stringify(json))
  }
})

t.test('A body that was cut off or damaged is refused, or means something else, and never fails', async (t) => {
  const sample = fc.constantFrom(...SAMPLES.map(({ bytes }) => bytes))
  fc.assert(
    fc.property(sample, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean(), (bytes, at, byte, cut) => {
      const damaged = Buffer.from(cut ? bytes.subarray(0, at % bytes.length) : bytes)
      if (!cut) damaged[at % damaged.length] = byte
      try {
        encodeJson(parseProtobuf(damaged))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
    }),
    { numRuns: 1_000 },
  )
  const overlong = Buffer.from('8fffffffffffffffffffff01', 'hex')
  t.throws(() => parseProtobuf(Buffer.concat([MAGIC, overlong])), { message: /cut off, or no protobuf/ })
})

t.test('What could hide something is refused', async (t) => {
  const refused = (bytes: Buffer, message: RegExp) => t.throws(() => parseProtobuf(bytes), { message }, String(message))
  const data = Writer.create().uint32(18).bytes(Writer.create().uint32(10).string('k').finish()).finish()
  refused(
    envelope(
      CONFIG_MAP,
      Writer.create()
        .uint32((99 << 3) | 2)
        .string('x')
        .finish(),
    ),
    /field 99/,
  )
  refused(envelope(CONFIG_MAP, Buffer.concat([data, data])), /a key is there twice/)
  refused(
    envelope(CONFIG_MAP, Writer.create().uint32(10).bytes(NOTHING).uint32(10).bytes(NOTHING).finish()),
    /metadata twice/,
  )
  refused(
    envelope(CONFIG_MAP, Writer.create().uint32(32).bool(true).uint32(32).bool(false).finish()),
    /immutable twice/,
  )
  refused(envelope(CONFIG_MAP, Writer.create().uint32(34).string('x').finish()), /immutable is no/)
  refused(
    envelope(
      CONFIG_MAP,
      Writer.create()
        .uint32(10)
        .bytes(Uint8Array.of(10, 2, 0xff, 0xfe))
        .finish(),
    ),
    /not UTF-8/,
  )
  refused(envelope(CONFIG_MAP, data.subarray(0, -1)), /cut off/)
  refused(envelope({ apiVersion: 'example.org/v1', kind: 'Widget' }, data), /Widget is not known/)
  refused(envelope({ apiVersion: 'v1', kind: 'constructor' }, data), /constructor is not known/)
  refused(
    envelope(CONFIG_MAP, data, (writer) => writer.uint32(26).string('gzip')),
    /encoded once more/,
  )
  refused(
    envelope(CONFIG_MAP, data, (writer) => writer.uint32(42).string('x')),
    /no protobuf of the API server/,
  )
  refused(Buffer.from('{}'), /no protobuf of the API server/)
  const proto = Writer.create().uint32(10).string('__proto__').finish()
  refused(envelope(CONFIG_MAP, Writer.create().uint32(18).bytes(proto).finish()), /__proto__/)
})

t.test('A message of few bytes does not become more values than a body may have', async (t) => {
  const container = Writer.create().uint32(18).bytes(NOTHING).finish()
  const spec = Writer.create()
    .uint32(18)
    .bytes(Buffer.concat(Array.from({ length: 120_000 }, () => container)))
    .finish()
  t.throws(() => parseProtobuf(envelope({ apiVersion: 'v1', kind: 'Pod' }, spec)), {
    message: /more than 100000 values/,
  })
})

t.test('A schema that holds itself deeper than any is refused', async (t) => {
  let schema: Uint8Array = Writer.create().uint32(42).string('object').finish()
  for (let depth = 0; depth < 300; depth++) schema = Writer.create().uint32(226).bytes(schema).finish()
  const version = Writer.create().uint32(34).bytes(Writer.create().uint32(10).bytes(schema).finish()).finish()
  const spec = Writer.create().uint32(58).bytes(version).finish()
  const kind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }
  t.throws(() => parseProtobuf(envelope(kind, Writer.create().uint32(18).bytes(spec).finish())), {
    message: /nested deeper/,
  })
})

t.test('A typed create is judged and sent as JSON', async (t) => {
  const entry = Writer.create().uint32(10).string('key').uint32(18).string('value').finish()
  const metadata = Writer.create().uint32(10).string('settings').finish()
  const raw = Writer.create().uint32(10).bytes(metadata).uint32(18).bytes(entry).finish()
  const sent = { type: 'application/vnd.kubernetes.protobuf', body: envelope(CONFIG_MAP, raw) }
  const body = decoded('POST', '/api/v1/namespaces/default/configmaps', sent)
  t.equal(body.contentType, 'application/json')
  t.equal(body.name, 'settings')
  t.same(JSON.parse(Buffer.from(body.bytes).toString()), {
    ...CONFIG_MAP,
    metadata: { name: 'settings' },
    data: { key: 'value' },
  })
  t.throws(() => decoded('POST', '/api/v1/namespaces/default/configmaps', { ...sent, type: 'application/cbor' }), {
    message: /^command.media-type/,
  })
})

t.test('Durations are written as Go does', async (t) => {
  const written: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [1, '1ns'],
    [1_500, '1.5µs'],
    [2_500_000, '2.5ms'],
    [1_000_000_000, '1s'],
    [-5_400_000_000_000, '-1h30m0s'],
    [93_605_000_000_001, '26h0m5.000000001s'],
  ]
  for (const [nanoseconds, text] of written) t.equal(goDuration(nanoseconds), text)
})

function sorted(json: Json): Json {
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return (json as readonly Json[]).map(sorted)
  const entries = Object.entries(json).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([key, value]) => [key, sorted(value)]))
}
