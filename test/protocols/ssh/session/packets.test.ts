import type { Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { DataPackets } from '../../../../src/protocols/ssh/channels/packets.ts'

/** As ssh2 names it: packets are sent this way for this cipher only. */
class AESGCMCipherBinding {
  readonly sent: Buffer[] = []
  encrypt(packet: Buffer): void {
    this.sent.push(packet)
  }
}

function stage() {
  const socket = { writableLength: 0 }
  return { socket, cipher: new AESGCMCipherBinding(), packets: new DataPackets(socket as unknown as Socket) }
}

t.test('every packet is one of RFC 4253 and RFC 5647, with room for its tag', async (t) => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array))
  fc.assert(
    fc.property(bytes, bytes, (head, data) => {
      const { cipher, packets } = stage()
      if (!packets.send(cipher, head, data)) throw new Error('it was not sent')
      const [packet = Buffer.alloc(0)] = cipher.sent
      const length = packet.readUInt32BE(0)
      const padding = packet[4] ?? 0
      if (packet.length !== 4 + length + 16) throw new Error('the length is wrong')
      if (length % 16 !== 0 || padding < 4 || padding > 255) throw new Error('the padding is wrong')
      const payload = packet.subarray(5, 4 + length - padding)
      if (!payload.equals(Buffer.concat([head, data]))) throw new Error('the payload is wrong')
    }),
  )
  t.pass('for all of them')
})

t.test('memory is used again only when the kernel has taken what was in it', async (t) => {
  const { socket, cipher, packets } = stage()
  const send = (byte: number) => packets.send(cipher, Buffer.alloc(9), Buffer.alloc(1000, byte))
  send(1)
  send(2)
  t.equal(cipher.sent[0]?.buffer, cipher.sent[1]?.buffer, 'nothing waited')
  socket.writableLength = 1
  send(3)
  send(4)
  t.not(cipher.sent[2]?.buffer, cipher.sent[3]?.buffer)
  t.equal(cipher.sent[2]?.[20], 3, 'what waits is left as it is')
})

t.test('what it is not made for is left to ssh2', async (t) => {
  const { packets, cipher } = stage()
  t.notOk(
    packets.send(new (class GenericCipherBinding extends AESGCMCipherBinding {})(), Buffer.alloc(9), Buffer.alloc(10)),
  )
  t.notOk(packets.send(cipher, Buffer.alloc(9), Buffer.alloc(60_000)), 'a packet that is too large')
})
