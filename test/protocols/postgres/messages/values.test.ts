import fc from 'fast-check'
import pg from 'pg'
import t from 'tap'
import { decodeParameter } from '../../../../src/protocols/postgres/messages/values.ts'
import { sharedPostgres } from '../../../support/postgres.ts'

/** What the server itself prints for a value, and its binary form, by type. */
const SAMPLES: Record<string, readonly string[]> = {
  bool: ['t', 'f'],
  int2: ['-32768', '32767'],
  int4: ['-2147483648', '0', '2147483647'],
  int8: ['-9007199254740991', '42', '9007199254740991'],
  oid: ['4294967295'],
  float4: ['1.5', '-0.25'],
  float8: ['0.1', '-1e+300', '1e-300'],
  numeric: ['0', '0.00', '1.10', '-12345.6789', '100000', '0.0001', '9999', '10000', '-0.5', '123456789012345', '1e3'],
  text: ['', 'päß'],
  varchar: ['x'],
  bpchar: ['y'],
  name: ['n'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  bytea: [String.raw`\x00ff10`, String.raw`\x`],
  date: ['2024-02-29', '1999-12-31', '0001-01-01', '0044-03-15 BC', '5874897-12-31', 'infinity', '-infinity'],
  timestamp: ['2024-02-29 23:59:59.999999', '1969-12-31 00:00:00', '0044-03-15 12:00:00.5 BC', 'infinity'],
  timestamptz: ['2024-02-29 23:59:59.1+00', '1900-03-01 00:00:00+00'],
  json: ['{"a": 1}'],
  jsonb: ['{"a": 1}'],
  'int4[]': ['{}', '{1,NULL,-3}'],
  'text[]': [String.raw`{a,"b c","","NULL",NULL,"q\"\\"}`],
  'bool[]': ['{t,f}'],
  'numeric[]': ['{1.5,20000}'],
  'uuid[]': ['{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'],
}

t.test('binary values are read as the server itself prints them', async (t) => {
  const server = await sharedPostgres()
  const client = new pg.Client({ ...server.connection(), types: { getTypeParser: () => (value: unknown) => value } })
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  for (const [type, texts] of Object.entries(SAMPLES)) {
    const ask = `SELECT oid::int, typsend::text FROM pg_type WHERE oid = '${type}'::regtype`
    const [{ oid, typsend }] = (await client.query(ask)).rows as [{ oid: string; typsend: string }]
    for (const sample of texts) {
      const select = `SELECT v::text AS shown, encode(${typsend}(v), 'hex') AS sent FROM (SELECT $1::text::${type}) AS s(v)`
      const [row] = (await client.query(select, [sample])).rows as [{ shown: string; sent: string }]
      const read = decodeParameter(Number(oid), 1, Buffer.from(row.sent, 'hex'))
      t.match(read, { type, known: true }, `${type} ${sample}`)
      // A cast of bool to text spells the words out.
      const expected = typeof read.value === 'number' ? Number(row.shown) : row.shown
      t.equal(typeof read.value === 'boolean' ? String(read.value) : read.value, expected, `${type} ${sample}`)
    }
  }
  await client.end()
})

t.test('the same value means the same in text and in binary', async (t) => {
  const both = (oid: number, text: string, binary: Buffer) => {
    t.strictSame(decodeParameter(oid, 0, Buffer.from(text)), decodeParameter(oid, 1, binary))
  }
  both(16, ' YES ', Buffer.from([1]))
  both(16, 'of', Buffer.from([0]))
  both(23, ' +7 ', Buffer.from([0, 0, 0, 7]))
  both(17, String.raw`a\\\001`, Buffer.from([0x61, 0x5c, 1]))
  both(17, String.raw`\x61 5C`, Buffer.from([0x61, 0x5c]))
  both(2950, '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}', Buffer.from('a0eebc999c0b4ef8bb6d6bb9bd380a11', 'hex'))
})

t.test('a value that would be read with loss, or not at all, is not known', async (t) => {
  const unknown: [number, 0 | 1, Buffer][] = [
    [20, 0, Buffer.from('9007199254740993')],
    [20, 1, Buffer.from('0020000000000001', 'hex')],
    [23, 0, Buffer.from('0x10')],
    [23, 0, Buffer.from('1_000')],
    [23, 1, Buffer.from([1])],
    [701, 0, Buffer.from('NaN')],
    [701, 1, Buffer.from('7ff8000000000000', 'hex')],
    [1700, 0, Buffer.from('12345678901234567890')],
    [1082, 0, Buffer.from('yesterday')],
    [1114, 0, Buffer.from('01/02/03 00:00')],
    [25, 1, Buffer.from([0xc3, 0x28])],
    [25, 0, Buffer.from('a\0b')],
    [600, 1, Buffer.alloc(16)],
    [600, 0, Buffer.from('(1,2)')],
    [2950, 0, Buffer.from('{a0eebc999c0b4ef8bb6d6bb9bd380a11')],
    [1007, 1, Buffer.alloc(11)],
  ]
  for (const [oid, format, bytes] of unknown) {
    t.equal(decodeParameter(oid, format, bytes).known, false, `${oid} ${bytes.toString('latin1')}`)
  }
  t.strictSame(decodeParameter(600, 0, null), { type: 'oid:600', value: null, known: true })
})

t.test('arbitrary bytes as a value of any type never throw', async (t) => {
  const oids = [16, 17, 18, 20, 21, 23, 25, 26, 114, 700, 701, 1082, 1114, 1184, 1700, 2950, 3802, 1007, 1009, 1231, 0]
  fc.assert(
    fc.property(
      fc.constantFrom(...oids),
      fc.constantFrom(0 as const, 1 as const),
      fc.uint8Array(),
      (oid, format, bytes) => {
        const read = decodeParameter(oid, format, Buffer.from(bytes))
        JSON.stringify(read)
        if (typeof read.value === 'number' && !Number.isFinite(read.value)) throw new Error('a number that is not JSON')
      },
    ),
    { numRuns: 3_000 },
  )
  t.pass('3,000 values')
})
