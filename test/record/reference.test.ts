import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { JsonObject } from '../../src/gate/json.ts'
import { BLOCK_HEADER, digestOf, genesis, sealBlock, SEGMENT_HEADER, segmentHeader } from '../../src/record/block.ts'
import { Encoding, RECORD_MAX, type Segment } from '../../src/record/encoding.ts'
import { headOf } from '../../src/record/head.ts'
import { readLines } from '../../src/record/reader.ts'
import { expand, partsOf, REFERRED_MAX, referenceOf, storedLine } from '../../src/record/reference.ts'
import { skipString, skipValue } from '../../src/record/skip.ts'
import { deciding, type Deciding, events } from './events.ts'
import { decision, session, temporary } from './support.ts'

const slab = Buffer.alloc(2 * RECORD_MAX)
const referredBy = (line: Buffer) => referenceOf(line, headOf(line))
const encoding = () => new Encoding({ instance: 'test-1', sidegate: '0.0.0' })

/** What refers to what, in a segment that is kept in memory: `whole` is what is stored without references. */
interface Written {
  readonly stored: Buffer
  readonly whole: Buffer
  readonly offset: number
}

function write(of: readonly Deciding[], at = SEGMENT_HEADER): Written[] {
  const one = encoding()
  const event = events()
  let size = at
  return of.map((what, index) => {
    const segment: Segment = { generation: what.generation, size: size - BLOCK_HEADER }
    const due = event(what)
    const line = (segment: Segment | null): Buffer => {
      const end = one.decision(slab, BLOCK_HEADER, index + 1, due, segment)
      assert.equal(slab.indexOf('\n', BLOCK_HEADER), end - 1, 'a record is one line')
      return Buffer.from(slab.subarray(BLOCK_HEADER, end - 1))
    }
    const whole = line(null)
    const stored = line(segment)
    const offset = size
    size += stored.length + 1
    return { stored, whole, offset }
  })
}

const withoutAs = (line: Buffer) => line.toString().replace(/("sequence":\d+),"as":\[[^\]]+\]/, '$1')

t.test('what is stored as a reference is read as if it had been stored whole, byte for byte', (t) => {
  let short = 0
  fc.assert(
    fc.property(fc.array(deciding, { minLength: 10, maxLength: 40, size: 'max' }), (of) => {
      const written = write(of)
      for (const [index, { stored, whole }] of written.entries()) {
        const reference = referredBy(stored)
        if (reference === null) {
          assert.equal(stored.toString(), whole.toString())
          assert(storedLine(stored).equals(stored))
          continue
        }
        short++
        const other = written[reference.seq - 1]
        if (other === undefined) throw new Error('it refers to nothing')
        assert(reference.seq <= index, 'to an earlier one')
        assert.equal(of[reference.seq - 1]?.generation, of[index]?.generation, 'to one that is still there')
        assert.deepEqual([reference.offset, reference.length], [other.offset, other.stored.length])
        const read = expand(stored, reference, other.stored, partsOf(other.stored, headOf(other.stored)))
        assert.equal(withoutAs(read), whole.toString())
        assert(storedLine(read).equals(stored), 'and the stored bytes are made of it again')
        assert(storedLine(stored).equals(stored))
        assert(stored.length < whole.length)
      }
    }),
    { numRuns: 300 },
  )
  t.ok(short > 1_000, `${short} were short`)
  t.end()
})

t.test('facts that are made anew for each command are stored once too, and fill no memory', (t) => {
  const one = encoding()
  const segment = { generation: 1, size: SEGMENT_HEADER }
  const of = session()
  const again = (detail: JsonObject): boolean => {
    const event = decision(of)
    const command = { shape: { ...event.command.shape, detail }, varying: {} }
    return referredBy(slab.subarray(0, one.decision(slab, 0, 1, { ...event, command }, segment) - 1)) !== null
  }
  t.same(
    [again({ path: '/a' }), again({ path: '/a' }), again({ path: '/b' }), again({ path: '/a' })],
    [false, true, false, true],
  )
  for (let index = 0; index < 1_000; index++) assert.equal(again({ path: `/${index}` }), false)
  t.equal(again({ path: '/a' }), false, 'the oldest are forgotten')
  const long = { body: 'x'.repeat(3_000) }
  t.same([again({ ...long }), again({ ...long }), again(long), again(long)], [false, false, false, true])
  t.end()
})

t.test('where a JSON value ends is found without parsing it', (t) => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), fc.constantFrom(',', '}', ']', ''), (json, next) => {
      const bytes = Buffer.from(`,${json}${next}"more"`)
      const end = 1 + Buffer.byteLength(json)
      if (next !== '' || /["}\]]$/.test(json)) assert.equal(skipValue(bytes, 1), end)
      if (json.startsWith('"')) assert.equal(skipString(bytes, 1), end)
    }),
    { numRuns: 1_000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      const end = skipValue(Buffer.from(bytes), 0)
      assert(end >= 0 && end <= bytes.length)
    }),
  )
  t.pass()
  t.end()
})

t.test('no bytes at all keep a reader from saying that they are no decision', (t) => {
  const [first] = write([{ ...fc.sample(deciding, 1)[0] } as Deciding])
  const line = first?.whole ?? Buffer.alloc(0)
  fc.assert(
    fc.property(fc.nat(line.length), fc.string({ unit: 'binary', maxLength: 5 }), (cut, rest) => {
      try {
        partsOf(Buffer.concat([line.subarray(0, cut), Buffer.from(rest)]), headOf(line))
      } catch (error) {
        assert(error instanceof Error && /decision/.test(error.message))
      }
    }),
  )
  t.pass()
  t.end()
})

t.test('a text of a megabyte, or a decision beyond what may be referred to, is stored whole each time', (t) => {
  const segment = { generation: 1, size: SEGMENT_HEADER }
  const again = (text: string) => {
    const one = encoding()
    const event = decision(session(), text)
    return [1, 2].map((seq) => {
      const end = one.decision(slab, 0, seq, event, segment)
      return referredBy(slab.subarray(0, end - 1)) !== null
    })
  }
  t.same(again('x'), [false, true])
  t.same(again('y'.repeat(REFERRED_MAX)), [false, false])
  t.same(again('z'.repeat(1024 ** 2)), [false, false])
  t.end()
})

/** A segment of one block with these lines, which no writer would have written. */
function forged(lines: readonly string[]): string {
  const directory = temporary()
  const previous = genesis('test-1')
  const end = BLOCK_HEADER + slab.write(`${lines.join('\n')}\n`, BLOCK_HEADER)
  sealBlock(slab, end, 1, lines.length, digestOf(previous))
  const block = slab.subarray(0, end)
  const header = segmentHeader({ instance: 'test-1', first: 1, createdAt: 1_000, previous })
  writeFileSync(join(directory, `${'1'.padStart(16, '0')}.segment`), Buffer.concat([header, block]))
  return directory
}

t.test('a reference to anything but an earlier decision that is stored whole is damage, and is told', (t) => {
  const same: Deciding = {
    ...(fc.sample(deciding, 1)[0] as Deciding),
    refused: false,
    granted: false,
    parameters: null,
  }
  const written = write(
    [
      { ...same, generation: 1, text: 'SELECT 1' },
      { ...same, generation: 1, text: 'SELECT 1' },
    ],
    SEGMENT_HEADER + BLOCK_HEADER,
  )
  const [whole, short] = written.map(({ stored }) => stored.toString()) as [string, string]
  const length = Buffer.byteLength(whole)
  const start = SEGMENT_HEADER + BLOCK_HEADER
  t.equal([...readLines(forged([whole, short]))].length, 2)
  const outcome = whole.replace('"type":"decision"', '"type":"outcome"')
  const other = (as: string) => short.replace(/"as":\[[^\]]+\]/, `"as":[${as}]`)
  for (const [name, lines] of [
    ['another position', [whole, other(`3,${start},${length}`)]],
    ['its own position', [whole, other(`2,${start + length + 1},${short.length}`)]],
    ['the middle of a line', [whole, other(`1,${start + 1},${length - 1}`)]],
    ['a shorter line', [whole, other(`1,${start},${length - 1}`)]],
    ['a longer line', [whole, other(`1,${start},${length + 1}`)]],
    ['what is not there', [whole, other(`1,${start + 100_000},${length}`)]],
    ['what is before all blocks', [whole, other(`1,0,${length}`)]],
    ['more than may be', [whole, other(`1,${start},${2 ** 31}`)]],
    ['an outcome', [outcome, other(`1,${start},${length - 1}`)]],
    [
      'a reference',
      [whole, short, other(`2,${start + length + 1},${short.length}`).replaceAll(/(\/|"seq":)2\b/g, '$13')],
    ],
    ['with a text that is not there', [whole, other(`1,${start},${length},"text"`)]],
  ] as const) {
    const directory = forged(lines)
    t.throws(() => [...readLines(directory)], { code: 'record.corrupt', message: /refers to record/ }, name)
  }
  t.end()
})
