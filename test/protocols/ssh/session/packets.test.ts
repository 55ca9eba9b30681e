import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { DataPackets } from '../../../../src/protocols/ssh/channels/packets.ts'

interface Side {
  readonly seqno: number
  readonly forceNative?: boolean
  onWrite?(packet: Buffer): void
  onPayload?(payload: Buffer): void
  readonly [setting: string]: unknown
}

const load = createRequire(import.meta.url)
const { CIPHER_INFO, MAC_INFO, createCipher, createDecipher } = load('ssh2/lib/protocol/crypto.js') as {
  readonly CIPHER_INFO: Readonly<Record<string, { readonly keyLen: number; readonly ivLen: number }>>
  readonly MAC_INFO: Readonly<Record<string, { readonly len: number }>>
  createCipher(config: { readonly outbound: Side }): object
  createDecipher(config: { readonly inbound: Side }): { decrypt(data: Buffer, at: number, length: number): void }
}

/** Both ends of one direction, of ssh2's own making. */
function ends(name = 'aes128-gcm@openssh.com', more: Readonly<Record<string, unknown>> = {}) {
  const info = CIPHER_INFO[name]
  if (info === undefined) throw new Error(`ssh2 knows no ${name}`)
  const [key, iv] = [randomBytes(info.keyLen), randomBytes(info.ivLen)]
  const sent: Buffer[] = []
  const payloads: Buffer[] = []
  const cipher = createCipher({
    outbound: {
      seqno: 0,
      onWrite: (packet) => sent.push(packet),
      cipherInfo: info,
      cipherKey: key,
      cipherIV: iv,
      ...more,
    },
  })
  const inbound = { seqno: 0, onPayload: (payload: Buffer) => void payloads.push(Buffer.from(payload)) }
  const opened = (packet: Buffer): Buffer => {
    decipher.decrypt(packet, 0, packet.length)
    return payloads.pop() ?? Buffer.alloc(0)
  }
  const decipher = createDecipher({
    inbound: { ...inbound, decipherInfo: info, decipherKey: key, decipherIV: iv, ...more },
  })
  return { cipher, sent, opened }
}

function packetsOn(socket = { writableLength: 0 }): DataPackets {
  return new DataPackets(socket as unknown as Socket)
}

t.test('the peer opens every packet, and finds in it what was sent', async (t) => {
  const { cipher, sent, opened } = ends()
  const packets = packetsOn()
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array))
  fc.assert(
    fc.property(bytes, bytes, (head, data) => {
      if (!packets.send(cipher, head, data)) throw new Error('it was not sent')
      const packet = sent.pop() ?? Buffer.alloc(0)
      const length = packet.readUInt32BE(0)
      if (packet.length !== 4 + length + 16) throw new Error('the length is wrong')
      if (!opened(packet).equals(Buffer.concat([head, data]))) throw new Error('the payload is wrong')
    }),
  )
  t.pass('for all of them')
})

t.test('memory is used again only when the kernel has taken what was in it', async (t) => {
  const socket = { writableLength: 0 }
  const { cipher, sent, opened } = ends()
  const packets = packetsOn(socket)
  const send = (byte: number) => packets.send(cipher, Buffer.alloc(9), Buffer.alloc(1000, byte))
  send(1)
  opened(sent[0] ?? Buffer.alloc(0))
  send(2)
  t.equal(sent[0]?.buffer, sent[1]?.buffer, 'nothing waited')
  opened(sent[1] ?? Buffer.alloc(0))
  socket.writableLength = 1
  send(3)
  send(4)
  t.not(sent[2]?.buffer, sent[3]?.buffer)
  t.equal(opened(sent[2] ?? Buffer.alloc(0))[20], 3, 'what waits is left as it is')
  t.equal(opened(sent[3] ?? Buffer.alloc(0))[20], 4)
})

t.test('what it is not made for is left to ssh2', async (t) => {
  const send = (cipher: object, length = 10) => packetsOn().send(cipher, Buffer.alloc(9), Buffer.alloc(length))
  const macInfo = MAC_INFO['hmac-sha2-256']
  for (const [name, cipher] of [
    ['without the addon', ends('aes128-gcm@openssh.com', { forceNative: true }).cipher],
    ['another cipher', ends('chacha20-poly1305@openssh.com').cipher],
    ['another mode', ends('aes128-ctr', { macInfo, macKey: Buffer.alloc(macInfo?.len ?? 0) }).cipher],
    ['no cipher of ssh2', { encrypt() {}, _instance: { encrypt() {} } }],
  ] as const) {
    t.notOk(send(cipher), name)
  }
  t.notOk(send(ends().cipher, 60_000), 'a packet that is too large')
})
