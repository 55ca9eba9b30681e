import fc from 'fast-check'
import t from 'tap'
import { FRAME_KINDS, type FrameEvent, type FrameKind } from '../../src/gate/ports.ts'
import type { Session } from '../../src/gate/session.ts'
import { FRAME_BYTES } from '../../src/record/frames.ts'
import type { FrameRecord } from '../../src/record/records.ts'
import { all, decision, frame, open, outcome, session, temporary, whenDurable } from './support.ts'

/** Joining looks at the time: a test that was held up must not see that. */
const AT = Date.now()

const bytesOf = ({ data }: FrameRecord) => Buffer.from(data, 'base64')

async function framesOf(directory: string): Promise<FrameRecord[]> {
  return (await all(directory)).flatMap(({ record }) => (record.type === 'frame' ? [record] : []))
}

t.test('a frame is on record with its command, its kind and its bytes', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  const start = journal.sessionStart(of)
  journal.decision(decision(of))
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value))
  for (const kind of FRAME_KINDS) {
    const position = journal.frame(frame(of, kind, bytes))
    t.ok(journal.durable < position)
    t.equal(await whenDurable(journal), null)
    t.equal(journal.durable, position)
  }
  await journal.close()
  const frames = await framesOf(directory)
  t.same(
    frames.map(({ kind }) => kind),
    FRAME_KINDS,
  )
  for (const one of frames) {
    t.match(one, { session: of.id, start, sequence: 1 })
    t.same(bytesOf(one), bytes)
  }
})

t.test('small pieces of one stream that come in one turn are one frame, however they were cut', async (t) => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 40 })
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  const expected: Buffer[] = []
  fc.assert(
    fc.property(pieces, (parts) => {
      journal.decision(decision(of))
      for (const part of parts) journal.frame({ ...frame(of, 'output', part), at: AT })
      expected.push(Buffer.concat(parts))
    }),
    { numRuns: 300 },
  )
  t.equal(await whenDurable(journal), null)
  await journal.close()
  const found = await framesOf(directory)
  t.same(found.map(bytesOf), expected)
})

t.test('only neighbours of the same command and stream are joined, and markers never are', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const [one, two] = [session(), session()]
  for (const each of [one, two]) {
    journal.sessionStart(each)
    journal.decision(decision(each))
  }
  const sent: [Session, FrameKind, string][] = [
    [one, 'output', 'a'],
    [one, 'output', 'b'],
    [two, 'output', 'c'],
    [one, 'output', 'd'],
    [one, 'error', 'e'],
    [one, 'marker', 'f'],
    [one, 'marker', 'g'],
  ]
  for (const [of, kind, text] of sent) journal.frame({ ...frame(of, kind, text), at: AT })
  await whenDurable(journal)
  journal.frame(frame(one, 'marker', Buffer.from('h')))
  journal.frame({ ...frame(one, 'output', Buffer.from('i')), sequence: 7 })
  journal.frame({ ...frame(one, 'output', Buffer.from('j')), sequence: 8 })
  await whenDurable(journal)
  journal.frame({ ...frame(one, 'output', Buffer.from('k')), sequence: 8 })
  journal.outcome(outcome(one))
  await journal.close()
  t.same(
    (await framesOf(directory)).map(
      (found) => `${bytesOf(found).toString()}${found.session === one.id ? '' : ' of two'}`,
    ),
    ['ab', 'c of two', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'],
  )
})

t.test('what comes later in a turn that was held up has a time of its own', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  for (const after of [0, 5, 10, 1_000]) journal.frame({ ...frame(of, 'output', String(after)), at: AT + after })
  await journal.close()
  const found = await framesOf(directory)
  t.same(
    found.map((one) => [one.at - AT, bytesOf(one).toString()]),
    [
      [0, '0510'],
      [1_000, '1000'],
    ],
  )
})

t.test('a large piece is split, also after what it was joined to, and none of it is lost', async (t) => {
  const directory = temporary()
  const journal = open(directory)
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  const bytes = Buffer.alloc(3 * FRAME_BYTES + 5)
  for (let index = 0; index < bytes.length; index++) bytes[index] = index * 31 + (index >> 8)
  const sizes = [1, 2, FRAME_BYTES - 4, 2, FRAME_BYTES + 1, 2 * FRAME_BYTES]
  let from = 0
  for (const size of sizes) {
    journal.frame({ ...frame(of, 'output', bytes.subarray(from, from + size)), at: AT })
    from += size
  }
  await journal.close()
  const found = await framesOf(directory)
  t.ok(found.every((one) => bytesOf(one).length <= FRAME_BYTES))
  t.ok(Buffer.concat(found.map(bytesOf)).equals(bytes.subarray(0, from)))
  t.equal(found.length, 4)
})

t.test('a burst of a shell is whole on record, over many blocks and segments, with the commands between', async (t) => {
  const directory = temporary()
  const journal = open(directory, { segmentSize: 2 * 1024 ** 2 })
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  const chunk = Buffer.alloc(32 * 1024 - 1)
  let sent = 0
  for (let turn = 0; turn < 10; turn++) {
    // 50 MB a second are 50 KB a millisecond; here 3 MB come in one turn, which is more than a slab.
    for (let index = 0; index < 96; index++) {
      chunk.writeUInt32BE(sent++, 0)
      journal.frame(frame(of, 'output', chunk))
    }
    journal.decision(decision(of, `SELECT ${turn}`))
    of.sequence = 1
    t.equal(await whenDurable(journal), null)
  }
  await journal.close()
  await open(directory).close()
  const records = (await all(directory)).map(({ record }) => record)
  t.same(
    records.map(({ seq }) => seq),
    records.map((_, index) => index + 1),
  )
  const whole = Buffer.concat(records.flatMap((record) => (record.type === 'frame' ? [bytesOf(record)] : [])))
  t.equal(whole.length, sent * chunk.length)
  for (let index = 0; index < sent; index++) {
    if (whole.readUInt32BE(index * chunk.length) !== index) t.fail(`chunk ${index} is not in its place`)
  }
  t.equal(records.filter(({ type }) => type === 'decision').length, 11)
})

t.test('a full journal refuses frames, and keeps room for outcomes', async (t) => {
  const journal = open(temporary(), { maxSize: 4 * 1024 ** 2, segmentSize: 256 * 1024, shipping: true })
  const of = session()
  journal.sessionStart(of)
  journal.decision(decision(of))
  const event: FrameEvent = frame(of, 'output', Buffer.alloc(100_000))
  t.throws(
    () => {
      for (let index = 0; index < 1_000; index++) journal.frame(event)
    },
    { code: 'record.spool-full' },
  )
  t.throws(() => journal.frame(frame(of, 'marker', Buffer.from('x'))), { code: 'record.spool-full' })
  t.ok(journal.outcome(outcome(of)) > 0)
  t.equal(await whenDurable(journal), null)
  t.ok(journal.status.bytes <= 4 * 1024 ** 2, 'no more is stored than was allowed')
  journal.release(journal.durable)
  journal.frame(event)
  t.equal(await whenDurable(journal), null)
  await journal.close()
  t.throws(() => journal.frame(event), { code: 'record.unavailable' })
})
