import fc from 'fast-check'
import t from 'tap'
import { FRAME, FrameReader, NONE, PIECE, RUN } from '../../../src/protocols/postgres/framing.ts'
import { encodeCopyData, encodeQuery, encodeSync } from '../../../src/protocols/postgres/messages/frontend-writing.ts'
import { encodeStartup, PROTOCOL_3_0, STARTUP_PACKET } from '../../../src/protocols/postgres/messages/startup.ts'
import { BACKEND, backendTable, frontendTable } from '../../../src/protocols/postgres/messages/types.ts'

const LARGE = 4 * 1024 ** 2

interface Seen {
  readonly kind: number
  readonly type: number
  readonly bytes: string
  readonly frames: number
}

/** All that the reader gives for these chunks, pieces of one frame put together again. */
function split(reader: FrameReader, chunks: readonly Buffer[]): Seen[] {
  const seen: Seen[] = []
  let pieces: Buffer[] = []
  for (const chunk of chunks) {
    reader.feed(chunk)
    for (let kind = reader.next(); kind !== NONE; kind = reader.next()) {
      const bytes = Buffer.from(reader.buffer.subarray(reader.start, reader.end))
      if (kind === PIECE) {
        if (reader.first !== (pieces.length === 0)) throw new Error('the first piece is not marked as such')
        pieces.push(bytes)
        if (reader.remaining > 0) continue
        seen.push({ kind, type: reader.type, bytes: Buffer.concat(pieces).toString('latin1'), frames: 1 })
        pieces = []
      } else {
        const frames = kind === RUN ? reader.frames : 1
        seen.push({ kind, type: reader.type, bytes: bytes.toString('latin1'), frames })
      }
    }
  }
  return seen
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  // Each chunk has memory of its own, which is overwritten as a socket's would be: nothing may depend on an old one.
  return [0, ...at].map((from, index) => Buffer.from(bytes.subarray(from, at[index] ?? bytes.length)))
}

function frame(type: number, body: Uint8Array): Buffer {
  const head = Buffer.from([type, 0, 0, 0, 0])
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const frames = fc.array(
  fc.tuple(
    fc.constantFrom(BACKEND.DataRow, BACKEND.CommandComplete, BACKEND.CopyData),
    fc.uint8Array({ maxLength: 60 }),
  ),
  { maxLength: 30 },
)

t.test('frames come out whole and in order wherever the stream is cut', async (t) => {
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.nat()),
      fc.boolean(),
      fc.integer({ min: 4, max: 80 }),
      (list, places, runs, above) => {
        const encoded = list.map(([type, body]) => frame(type, body))
        const reader = new FrameReader(backendTable(LARGE))
        reader.runOf = runs ? BACKEND.DataRow : 0
        reader.pieceAbove = above
        const seen = split(reader, cut(Buffer.concat(encoded), places))
        t.equal(seen.map((one) => one.bytes).join(''), Buffer.concat(encoded).toString('latin1'))
        t.equal(
          seen.reduce((sum, one) => sum + one.frames, 0),
          encoded.length,
        )
        for (const one of seen) if (one.kind === RUN) t.equal(one.type, BACKEND.DataRow)
        t.ok(reader.clean)
      },
    ),
    { numRuns: 300 },
  )
})

t.test('one byte at a time gives the same frames as all at once', async (t) => {
  const bytes = Buffer.concat([
    encodeQuery('SELECT 1'),
    encodeSync(),
    encodeCopyData(Buffer.alloc(300, 7)),
    encodeSync(),
  ])
  const whole = split(new FrameReader(frontendTable(LARGE)), [bytes])
  const single = split(
    new FrameReader(frontendTable(LARGE)),
    Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
  )
  t.strictSame(single, whole)
  t.equal(whole.length, 4)
})

t.test('a large DataRow is handed on while it comes, without being held', async (t) => {
  const reader = new FrameReader(backendTable(LARGE))
  const big = frame(BACKEND.DataRow, Buffer.alloc(1_000_000, 1))
  let given = 0
  for (let at = 0; at < big.length; at += 65_536) {
    reader.feed(big.subarray(at, at + 65_536))
    while (reader.next() === PIECE) given += reader.end - reader.start
    t.equal(given, Math.min(at + 65_536, big.length))
  }
  t.ok(reader.clean)
})

t.test('adjacent rows come as one run, and the run ends at another type', async (t) => {
  const reader = new FrameReader(backendTable(LARGE))
  reader.runOf = BACKEND.DataRow
  const row = frame(BACKEND.DataRow, Buffer.from([0, 0]))
  const done = frame(BACKEND.CommandComplete, Buffer.from('SELECT 3\0'))
  reader.feed(Buffer.concat([row, row, row, done]))
  t.equal(reader.next(), RUN)
  t.equal(reader.frames, 3)
  t.equal(reader.next(), FRAME)
  t.equal(reader.type, BACKEND.CommandComplete)
})

t.test('a stream is refused at the first header that cannot be right', async (t) => {
  const refused = (bytes: number[], what: RegExp) => {
    const reader = new FrameReader(frontendTable(LARGE))
    reader.feed(Buffer.from(bytes))
    const drain = () => {
      while (reader.next() !== NONE);
    }
    t.throws(drain, { code: 'protocol.violation', message: what })
    const slow = new FrameReader(frontendTable(LARGE))
    t.throws(
      () =>
        split(
          slow,
          bytes.map((byte) => Buffer.from([byte])),
        ),
      { code: 'protocol.violation', message: what },
    )
  }
  refused([0x51, 0, 0, 0, 3], /byte 0 .*Query with the impossible length 3/)
  refused([0x51, 0xff, 0xff, 0xff, 0xff], /Query of 4294967295 bytes/)
  refused([0x51, 0, 0x40, 0, 1], /Query of 4194305 bytes, and 4194304 are permitted/)
  refused([0x21, 0, 0, 0, 4], /unknown type 0x21/)
  refused([0x53, 0, 0, 0x27, 0x11], /Sync of 10001 bytes/)
  refused([...encodeSync(), 0x00, 0, 0, 0, 4], /byte 5 /)
})

t.test('a header that announces much takes no memory before the bytes come', async (t) => {
  const reader = new FrameReader(frontendTable(LARGE))
  const before = process.memoryUsage().arrayBuffers
  const header = Buffer.from([0x51, 0, 0x3f, 0xff, 0xff])
  reader.feed(header)
  t.equal(reader.next(), NONE)
  t.equal(reader.buffered, 5)
  t.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
})

t.test('start-up packets are found at every cut, and what follows them is kept', async (t) => {
  const packet = encodeStartup(PROTOCOL_3_0, [['user', 'agent']])
  const bytes = Buffer.concat([packet, encodeSync()])
  for (let at = 0; at <= bytes.length; at++) {
    const reader = new FrameReader(frontendTable(LARGE))
    reader.feed(bytes.subarray(0, at))
    let found = reader.nextPacket(STARTUP_PACKET)
    if (found === NONE) {
      reader.feed(bytes.subarray(at))
      found = reader.nextPacket(STARTUP_PACKET)
    } else if (at < bytes.length) {
      t.strictSame(reader.buffer.subarray(reader.start, reader.end), packet)
      reader.feed(bytes.subarray(at))
    }
    t.equal(found, FRAME)
    t.equal(reader.next(), FRAME)
    t.equal(reader.type, 0x53)
    t.ok(reader.clean)
  }
})

t.test('a start-up packet longer than the limit is refused at its length', async (t) => {
  const reader = new FrameReader(frontendTable(LARGE))
  reader.feed(Buffer.from([0, 0, 0x27, 0x11]))
  t.throws(() => reader.nextPacket(STARTUP_PACKET), { code: 'protocol.violation' })
})

t.test('what was not read yet outlives its memory once it is kept', async (t) => {
  const memory = Buffer.concat([encodeSync(), encodeQuery('SELECT 1'), encodeSync().subarray(0, 3)])
  const reader = new FrameReader(frontendTable(LARGE))
  reader.feed(memory)
  t.equal(reader.next(), FRAME)
  reader.keep()
  memory.fill(0xff)
  reader.feed(encodeSync().subarray(3))
  t.equal(reader.next(), FRAME)
  t.strictSame(reader.buffer.subarray(reader.start, reader.end), encodeQuery('SELECT 1'))
  t.equal(reader.next(), FRAME)
  t.ok(reader.clean)
})

t.test('arbitrary bytes are split or refused, and nothing else happens', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      try {
        split(
          new FrameReader(frontendTable(LARGE)),
          chunks.map((chunk) => Buffer.from(chunk)),
        )
      } catch (error) {
        t.match(error, { code: 'protocol.violation' })
      }
    }),
  )
  t.pass('no other error')
})
