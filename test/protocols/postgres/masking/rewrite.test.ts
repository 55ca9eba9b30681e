import fc from 'fast-check'
import t from 'tap'
import { REDACTED } from '../../../../src/mask/method.ts'
import { type CellMask, RowError, RowMasker } from '../../../../src/protocols/postgres/masking/rewrite.ts'
import { METHODS, valuesOf } from './wire.ts'

type Row = readonly (Uint8Array | null)[]

function frameOf(row: Row): Buffer {
  const parts = [Buffer.from([0x44, 0, 0, 0, 0, row.length >> 8, row.length & 0xff])]
  for (const value of row) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value === null ? -1 : value.length)
    parts.push(length, Buffer.from(value ?? []))
  }
  const frame = Buffer.concat(parts)
  frame.writeInt32BE(frame.length - 1, 1)
  return frame
}

/** What rewriting must come to, the plain way. */
function expected(row: Row, cells: readonly (CellMask | null)[]): Row {
  return row.map((value, index) => {
    const cell = cells[index]
    if (!cell || value === null) return value
    if (cell.text === null) return null
    const target = Buffer.alloc(cell.text.longest)
    return target.subarray(0, cell.text.write(Buffer.from(value), 0, value.length, target, 0))
  })
}

const cell = fc.constantFrom<CellMask | null>(
  null,
  { text: null },
  { text: METHODS.text('redact') },
  { text: METHODS.text('partial') },
  { text: METHODS.text('hash') },
)
const value = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => Buffer.from(text)),
  ),
  { freq: 5 },
)

t.test('rows are rewritten as one, however they are grouped, and what was handed over never changes', (t) => {
  fc.assert(
    fc.property(
      fc.array(cell, { minLength: 1, maxLength: 6 }).chain((cells) =>
        fc.record({
          cells: fc.constant(cells),
          rows: fc.array(fc.tuple(...cells.map(() => value)), { minLength: 1, maxLength: 30 }),
          cuts: fc.array(fc.nat(30), { maxLength: 5 }),
          before: fc.nat(10),
        }),
      ),
      ({ cells, rows, cuts, before }) => {
        const masker = new RowMasker(cells)
        const wanted = rows.map((row) => frameOf(expected(row, cells)))
        const places = [...new Set([0, ...cuts.filter((cut) => cut < rows.length), rows.length])].toSorted(
          (a, b) => a - b,
        )
        const parts: Buffer[] = []
        for (const [index, from] of places.slice(0, -1).entries()) {
          const frames = Buffer.concat(rows.slice(from, places[index + 1]).map(frameOf))
          const padded = Buffer.concat([Buffer.alloc(before), frames, Buffer.alloc(3)])
          parts.push(masker.rewrite(padded, before, before + frames.length))
          if (!masker.passive) padded.fill(0xee)
        }
        return Buffer.concat(parts).equals(Buffer.concat(wanted))
      },
    ),
    { numRuns: 500 },
  )
  t.pass('no counterexample')
  t.end()
})

t.test('a row larger than any slab is rewritten whole', (t) => {
  const masker = new RowMasker([{ text: METHODS.text('redact') }, null])
  const large = Buffer.alloc(5 * 1024 ** 2, 'x')
  const small = frameOf([Buffer.from('secret'), Buffer.from('clear')])
  const out = masker.rewrite(
    Buffer.concat([small, frameOf([Buffer.from('secret'), large]), small]),
    0,
    2 * small.length + large.length + 21,
  )
  const first = valuesOf(out.subarray(0, 1 + out.readInt32BE(1)))
  t.same(first.map(String), [REDACTED, 'clear'])
  t.ok(out.includes(large))
  t.notOk(out.includes('secret'))
  t.end()
})

t.test('a run of many rows comes out complete across slabs', (t) => {
  const masker = new RowMasker([{ text: METHODS.text('redact') }])
  const frame = frameOf([Buffer.from('s')])
  const wanted = frameOf([Buffer.from(REDACTED)])
  const many = 100_000
  const out = masker.rewrite(Buffer.concat(Array.from({ length: many }, () => frame)), 0, many * frame.length)
  t.equal(out.length, many * wanted.length)
  t.ok(out.subarray(-wanted.length).equals(wanted))
  t.end()
})

t.test('bytes that are no whole rows of the result are an error, never passed on', (t) => {
  const masker = new RowMasker([null, { text: null }])
  const whole = frameOf([Buffer.from('a'), Buffer.from('b')])
  const broken: [string, Buffer][] = [
    ['cut short', whole.subarray(0, -1)],
    ['another message', Buffer.concat([whole, Buffer.from('C\0\0\0\x08OK\0\0')])],
    ['other columns', frameOf([Buffer.from('a')])],
    ['a value past its row', Buffer.from(whole)],
    ['a negative length', Buffer.from(whole)],
    ['a length below the header', Buffer.from([0x44, 0, 0, 0, 4, 0, 2])],
  ]
  broken[3]?.[1].writeInt32BE(99, 7)
  broken[4]?.[1].writeInt32BE(-2, 7)
  for (const [what, bytes] of broken)
    t.throws(() => masker.rewrite(bytes, 0, bytes.length), { code: 'protocol.violation' }, what)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        masker.rewrite(Buffer.from(bytes), 0, bytes.length)
        return true
      } catch (error) {
        return error instanceof RowError
      }
    }),
  )
  t.end()
})

t.test('where nothing is masked the rows are not even looked at', (t) => {
  const frame = Buffer.from('anything')
  t.equal(RowMasker.PASSIVE.rewriteRow(frame).buffer, frame.buffer)
  t.ok(RowMasker.PASSIVE.passive)
  t.end()
})
