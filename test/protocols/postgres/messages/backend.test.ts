import fc from 'fast-check'
import { parse } from 'pg-protocol'
import { Readable } from 'node:stream'
import t from 'tap'
import * as backend from '../../../../src/protocols/postgres/messages.ts'
import type { Format } from '../../../../src/protocols/postgres/messages/frontend.ts'

const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''))
const format = fc.constantFrom<Format>(0, 1)
const int = (bits: 16 | 32) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const oid = fc.integer({ min: 0, max: 0xffffffff })
const field = fc.record({
  name: text,
  table: oid,
  column: int(16),
  type: oid,
  size: int(16),
  modifier: int(32),
  format,
})
const bytes = (max: number, min = 0) =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((value) => Buffer.from(value))
const notNull = fc.constantFrom(...'SVCMDHPpqWstcdnFLR'.split(''))

type Decode<T> = (bytes: Buffer, start: number, end: number) => T

/** Reads back what was written, anywhere in a buffer; and refuses it cut short or with a byte more. */
function roundTrip<T>(values: fc.Arbitrary<T>, encode: (value: T) => Buffer, decode: Decode<T>, loose = false): void {
  fc.assert(
    fc.property(values, fc.nat(9), fc.nat(), (value, padding, at) => {
      const encoded = encode(value)
      if (encoded.readUInt32BE(1) !== encoded.length - 1) throw new Error('a wrong length')
      const placed = Buffer.concat([Buffer.alloc(padding, 1), encoded, Buffer.alloc(padding, 1)])
      const found = JSON.stringify(asPlain(decode(placed, padding, padding + encoded.length)))
      if (found !== JSON.stringify(asPlain(value))) throw new Error(`${found} is not ${JSON.stringify(asPlain(value))}`)
      if (loose) return
      const cut = 5 + (at % Math.max(1, encoded.length - 5))
      for (const wrong of [encoded.subarray(0, cut), Buffer.concat([encoded, Buffer.from([7])])]) {
        if (wrong.length === encoded.length) continue
        try {
          decode(wrong, 0, wrong.length)
        } catch (error) {
          if ((error as { code?: string }).code === 'protocol.violation') continue
          throw error
        }
        throw new Error(`${wrong.toString('hex')} was read`)
      }
    }),
  )
}

const asPlain = (value: unknown): unknown => (value instanceof Map ? [...value] : value)

t.test(
  'every message that a server may send is read as it was written, and refused when it is not whole',
  async (t) => {
    roundTrip(
      fc.record({ processId: int(32), secret: bytes(256, 4) }),
      backend.encodeBackendKeyData,
      backend.decodeBackendKeyData,
      true,
    )
    roundTrip(
      fc.record({ parameter: text, value: text }),
      ({ parameter, value }) => backend.encodeParameterStatus(parameter, value),
      backend.decodeParameterStatus,
    )
    roundTrip(fc.constantFrom('I', 'T', 'E'), backend.encodeReadyForQuery, backend.decodeReadyForQuery)
    roundTrip(fc.array(field, { maxLength: 8 }), backend.encodeRowDescription, backend.decodeRowDescription)
    roundTrip(fc.array(oid), backend.encodeParameterDescription, backend.decodeParameterDescription)
    roundTrip(fc.array(fc.option(bytes(60))), backend.encodeDataRow, backend.decodeDataRow)
    roundTrip(text, backend.encodeCommandComplete, backend.decodeCommandComplete)
    roundTrip(
      fc.array(fc.tuple(notNull, text)).map((pairs) => new Map(pairs) as ReadonlyMap<string, string>),
      backend.encodeErrorResponse,
      backend.decodeErrorResponse,
    )
    roundTrip(
      fc.record({ processId: int(32), channel: text, payload: text }),
      backend.encodeNotification,
      backend.decodeNotification,
    )
    roundTrip(
      fc.record({ version: oid, unknown: fc.array(text) }),
      backend.encodeNegotiateProtocolVersion,
      backend.decodeNegotiateProtocolVersion,
    )
    roundTrip(
      fc.record({ format, columns: fc.array(format) }),
      (value) => backend.encodeCopyResponse('CopyInResponse', value),
      backend.decodeCopyResponse,
    )
    roundTrip(fc.option(bytes(60)), backend.encodeFunctionCallResponse, backend.decodeFunctionCallResponse)
    t.pass('all of them')
  },
)

t.test('a cancel key of less than 4 or more than 256 bytes is refused', async (t) => {
  for (const size of [0, 3, 257]) {
    const encoded = backend.encodeBackendKeyData({ processId: 1, secret: Buffer.alloc(size) })
    t.throws(() => backend.decodeBackendKeyData(encoded, 0, encoded.length), { code: 'protocol.violation' })
  }
})

t.test('pg-protocol reads our rows, descriptions and errors as they were meant', async (t) => {
  const stream = Readable.from([
    backend.encodeRowDescription([
      { name: 'näme', table: 16384, column: 2, type: 25, size: -1, modifier: -1, format: 0 },
    ]),
    backend.encodeDataRow([Buffer.from('välue')]),
    backend.encodeDataRow([null]),
    backend.encodeErrorResponse(
      backend.errorFields({ severity: 'ERROR', code: '42501', message: 'no', detail: 'policy.no-match', hint: 'ask' }),
    ),
    backend.encodeCommandComplete('SELECT 2'),
    backend.encodeReadyForQuery('T'),
  ])
  const seen: unknown[] = []
  await parse(stream, (message) => seen.push(message))
  t.match(seen, [
    {
      name: 'rowDescription',
      fields: [{ name: 'näme', tableID: 16384, columnID: 2, dataTypeID: 25, dataTypeSize: -1 }],
    },
    { name: 'dataRow', fields: ['välue'] },
    { name: 'dataRow', fields: [null] },
    { severity: 'ERROR', code: '42501', message: 'no', detail: 'policy.no-match', hint: 'ask' },
    { name: 'commandComplete', text: 'SELECT 2' },
    { name: 'readyForQuery', status: 'T' },
  ])
})

t.test('the count of rows is taken from every tag that has one', async (t) => {
  const tags: [string, number | null][] = [
    ['SELECT 5', 5],
    ['INSERT 0 12', 12],
    ['COPY 7', 7],
    ['CREATE TABLE', null],
    ['BEGIN', null],
    ['FETCH 0', 0],
    ['CREATE TABLE AS', null],
  ]
  for (const [tag, rows] of tags) t.equal(backend.rowsOf(tag), rows, tag)
})

t.test('error text in another encoding is shown as well as it can be, and does not end the connection', async (t) => {
  const encoded = Buffer.from('E\0\0\0\x0cMgr\xfc\xdfe\0\0', 'latin1')
  encoded.writeInt32BE(encoded.length - 1, 1)
  t.equal(backend.decodeErrorResponse(encoded, 0, encoded.length).get('M'), 'gr\ufffd\ufffde')
})
