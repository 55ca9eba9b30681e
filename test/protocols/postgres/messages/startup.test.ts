import fc from 'fast-check'
import t from 'tap'
import {
  decodeStartup,
  encodeCancelRequest,
  encodeGSSENCRequest,
  encodeSSLRequest,
  encodeStartup,
  PROTOCOL_3_0,
} from '../../../../src/protocols/postgres/messages/startup.ts'

const read = (bytes: Buffer) => decodeStartup(bytes, 0, bytes.length)

t.test('the four packets that begin a connection are told apart and read whole', async (t) => {
  t.strictSame(read(encodeSSLRequest()), { name: 'SSLRequest' })
  t.strictSame(read(encodeGSSENCRequest()), { name: 'GSSENCRequest' })
  const secret = Buffer.alloc(32, 5)
  t.strictSame(read(encodeCancelRequest(-7, secret)), { name: 'CancelRequest', processId: -7, secret })
  const parameters: [string, string][] = [
    ['user', 'ä'],
    ['user', 'twice'],
    ['database', ''],
  ]
  t.strictSame(read(encodeStartup(PROTOCOL_3_0, parameters)), {
    name: 'StartupMessage',
    version: PROTOCOL_3_0,
    parameters,
  })
})

t.test('a start-up packet with bytes after its end, without its end, or not in UTF-8 is refused', async (t) => {
  const whole = encodeStartup(PROTOCOL_3_0, [['user', 'agent']])
  for (const bytes of [
    Buffer.concat([whole, Buffer.from([0])]),
    whole.subarray(0, -1),
    whole.subarray(0, -2),
    Buffer.concat([encodeSSLRequest(), Buffer.from([0])]),
    encodeCancelRequest(1, Buffer.alloc(3)),
    encodeCancelRequest(1, Buffer.alloc(257)),
    encodeStartup(PROTOCOL_3_0, []).fill(0xff, 8, 9),
  ]) {
    t.throws(() => read(bytes), { code: 'protocol.violation' }, bytes.toString('hex'))
  }
})

t.test('arbitrary packets are read or refused, and nothing else happens', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 80 }), fc.boolean(), (bytes, third) => {
      const packet = Buffer.from(bytes)
      if (third) packet.writeUInt32BE(PROTOCOL_3_0, 4)
      try {
        read(packet)
      } catch (error) {
        if ((error as { code?: string }).code !== 'protocol.violation') throw error
      }
    }),
  )
  t.pass('no other error')
})
