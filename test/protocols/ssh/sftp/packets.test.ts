import fc from 'fast-check'
import t from 'tap'
import {
  decodeReply,
  decodeVersion,
  encodeReply,
  encodeVersion,
} from '../../../../src/protocols/ssh/sftp/packets/replies.ts'
import {
  decodeInit,
  decodeRequest,
  encodeInit,
  encodeRequest,
} from '../../../../src/protocols/ssh/sftp/packets/requests.ts'
import { attributes, pairs, reply, request } from './arbitraries.ts'

t.test('every request comes out as it went in', async (t) => {
  fc.assert(
    fc.property(request, (one) => {
      t.strictSame(decodeRequest(encodeRequest(one)), one)
    }),
    { numRuns: 500 },
  )
})

t.test('every reply comes out as it went in', async (t) => {
  fc.assert(
    fc.property(reply, (one) => {
      t.strictSame(decodeReply(encodeReply(one)), one)
    }),
    { numRuns: 500 },
  )
})

t.test('versions and the extensions offered with them come out as they went in', async (t) => {
  fc.assert(
    fc.property(fc.nat(), pairs, (version, extensions) => {
      t.strictSame(decodeInit(encodeInit(version, extensions)).extensions, extensions)
      t.strictSame(decodeVersion(encodeVersion(version, extensions)).extensions, extensions)
    }),
  )
})

t.test('a packet that goes on behind its fields is refused', async (t) => {
  const refused = (packet: Buffer, decode: (packet: Buffer) => unknown): void => {
    t.throws(() => decode(Buffer.concat([packet, Buffer.from([0])])), { code: 'protocol.violation' })
  }
  fc.assert(
    fc.property(
      request.filter((one) => one.type !== 200 || one.name !== null),
      (one) => refused(encodeRequest(one), decodeRequest),
    ),
  )
  fc.assert(
    fc.property(
      reply.filter((one) => one.type !== 201 && (one.type !== 101 || one.text !== null)),
      (one) => refused(encodeReply(one), decodeReply),
    ),
  )
})

t.test('a packet that ends within its fields is refused', async (t) => {
  fc.assert(
    fc.property(
      request.filter((one) => one.type !== 200),
      fc.nat(),
      (one, at) => {
        const packet = encodeRequest(one)
        const short = packet.subarray(0, 5 + (at % (packet.length - 5)))
        t.throws(() => decodeRequest(short), { code: 'protocol.violation' })
      },
    ),
  )
})

t.test('attributes that nobody knows are refused, since what follows them cannot be found', async (t) => {
  fc.assert(
    fc.property(attributes, fc.constantFrom(0x10, 0x100, 0x4000_0000), (given, unknown) => {
      const packet = encodeReply({ type: 105, id: 1, attributes: given })
      packet.writeUInt32BE((packet.readUInt32BE(9) | unknown) >>> 0, 9)
      t.throws(() => decodeReply(packet), { code: 'protocol.violation', message: /unknown attribute flags/ })
    }),
  )
})

t.test('counts of what is not there take no memory', async (t) => {
  const names = Buffer.from([0, 0, 0, 9, 104, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])
  t.throws(() => decodeReply(names), { message: /4294967295 names announced, and 0 bytes left/ })
  const extended = Buffer.from([0, 0, 0, 13, 105, 0, 0, 0, 1, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
  t.throws(() => decodeReply(extended), { message: /4294967295 pairs announced/ })
})

t.test('a handle of more than 256 bytes is refused', async (t) => {
  const long = encodeRequest({ type: 4, id: 1, handle: Buffer.alloc(257) })
  t.throws(() => decodeRequest(long), { message: /257 bytes, and 256 are permitted/ })
})

t.test('arbitrary bytes are a packet or a violation, and nothing else happens', async (t) => {
  const types = fc.constantFrom(1, 3, 4, 5, 6, 9, 10, 14, 18, 20, 200, 2, 101, 102, 103, 104, 105, 201, 77)
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 80 }), (type, body) => {
      const packet = Buffer.concat([Buffer.from([0, 0, 0, body.length + 1, type]), body])
      for (const decode of [decodeRequest, decodeReply, decodeInit, decodeVersion]) {
        try {
          decode(packet)
        } catch (error) {
          t.match(error, { code: 'protocol.violation' })
        }
      }
    }),
    { numRuns: 1000 },
  )
  t.pass('no other error')
})
