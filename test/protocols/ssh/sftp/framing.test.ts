import fc from 'fast-check'
import t from 'tap'
import { PacketReader } from '../../../../src/protocols/ssh/sftp/framing.ts'
import { encodeReply } from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import { encodeRequest } from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { LARGEST_PACKET, REPLY_TABLE, REQUEST_TABLE } from '../../../../src/protocols/ssh/sftp/packets/types.ts'
import { cut, request } from './arbitraries.ts'

function split(reader: PacketReader, chunks: readonly Buffer[]): Buffer[] {
  const packets: Buffer[] = []
  for (const chunk of chunks) {
    reader.feed(chunk)
    for (let packet = reader.next(); packet !== null; packet = reader.next()) packets.push(packet)
  }
  return packets
}

const write = (size: number) =>
  encodeRequest({ type: 6, id: 1, handle: Buffer.alloc(4), offset: 0n, data: Buffer.alloc(size, 7) })

t.test('packets come out whole and in order wherever the stream is cut', async (t) => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 20 }), fc.array(fc.nat()), (requests, places) => {
      const packets = requests.map(encodeRequest)
      const reader = new PacketReader(REQUEST_TABLE)
      t.strictSame(split(reader, cut(Buffer.concat(packets), places)), packets)
      t.equal(reader.buffered, 0)
    }),
    { numRuns: 300 },
  )
})

t.test('one byte at a time gives the same packets as all at once', async (t) => {
  const packets = [write(3000), write(0), write(1), write(2000)]
  const bytes = Buffer.concat(packets)
  const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
  t.strictSame(split(new PacketReader(REQUEST_TABLE), single), packets)
  t.strictSame(split(new PacketReader(REQUEST_TABLE), [bytes]), packets)
})

t.test('chunks that wait are counted, and given when they are asked for', async (t) => {
  const reader = new PacketReader(REQUEST_TABLE)
  const packet = write(100)
  for (let index = 0; index < 5; index++) reader.feed(packet)
  t.equal(reader.buffered, 5 * packet.length)
  t.strictSame(reader.next(), packet)
  t.equal(reader.buffered, 4 * packet.length)
  for (let index = 0; index < 4; index++) t.strictSame(reader.next(), packet)
  t.equal(reader.next(), null)
  t.equal(reader.buffered, 0)
})

t.test('the largest packet passes, and a larger one is refused at its length', async (t) => {
  const largest = write(LARGEST_PACKET - 25)
  t.strictSame(split(new PacketReader(REQUEST_TABLE), cut(largest, [5, 70_000, 200_000])), [largest])
  const header = write(LARGEST_PACKET - 24).subarray(0, 5)
  t.throws(() => split(new PacketReader(REQUEST_TABLE), [header]), { message: /WRITE of 262145 bytes/ })
})

t.test('a stream is refused at the first header that cannot be right', async (t) => {
  const refused = (bytes: number[], what: RegExp) => {
    for (const chunks of [[Buffer.from(bytes)], bytes.map((byte) => Buffer.from([byte]))]) {
      t.throws(() => split(new PacketReader(REQUEST_TABLE), chunks), { code: 'protocol.violation', message: what })
    }
  }
  refused([0, 0, 0, 0, 5], /byte 0 .*without a type/)
  refused([0, 0, 0, 9, 2], /unknown type 2/)
  refused([0xff, 0xff, 0xff, 0xff, 3], /OPEN of 4294967295 bytes, and 32768 are permitted/)
  refused([...write(0), 0, 0, 0, 1, 99], /byte 29 .*unknown type 99/)
  const reply = encodeReply({ type: 103, id: 1, data: Buffer.alloc(1) })
  t.throws(() => split(new PacketReader(REQUEST_TABLE), [reply]), { message: /unknown type 103/ })
  t.throws(() => split(new PacketReader(REPLY_TABLE), [write(0)]), { message: /unknown type 6/ })
})

t.test('a header that announces much takes no memory before the bytes come', async (t) => {
  const header = write(LARGEST_PACKET - 25).subarray(0, 30)
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 100 }, () => new PacketReader(REQUEST_TABLE))
  for (const reader of readers) t.equal(split(reader, [header]).length, 0)
  t.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
})

t.test('arbitrary bytes are split or refused, and nothing else happens', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      try {
        split(
          new PacketReader(REQUEST_TABLE),
          chunks.map((chunk) => Buffer.from(chunk)),
        )
      } catch (error) {
        t.match(error, { code: 'protocol.violation' })
      }
    }),
  )
  t.pass('no other error')
})
