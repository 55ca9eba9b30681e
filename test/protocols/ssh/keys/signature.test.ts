import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { hasAddress, parseAddresses } from '../../../../src/protocols/ssh/keys/addresses.ts'
import { parsePrivateKey, generatePrivateKey, type PrivateKey } from '../../../../src/protocols/ssh/keys/private.ts'
import { algorithmsOf, verifyDecoded, verifySignature } from '../../../../src/protocols/ssh/keys/signature.ts'
import { wire } from '../../../../src/protocols/ssh/keys/wire.ts'

function ecdsa(namedCurve: string): PrivateKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve })
  return parsePrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const KEYS = [
  generatePrivateKey(),
  ecdsa('P-256'),
  ecdsa('P-384'),
  ecdsa('P-521'),
  parsePrivateKey(rsa.export({ type: 'pkcs8', format: 'pem' }).toString()),
]

t.test('a signature holds for what was signed, by whom it was signed, and for nothing else', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...KEYS), fc.uint8Array(), fc.uint8Array(), (key, data, other) => {
      for (const algorithm of algorithmsOf(key.type)) {
        const signature = key.sign(data, algorithm)
        if (!verifySignature(key.publicKey, data, signature)) return false
        if (!Buffer.from(data).equals(other) && verifySignature(key.publicKey, other, signature)) return false
        if (KEYS.some((foreign) => foreign !== key && verifySignature(foreign.publicKey, data, signature))) return false
      }
      return true
    }),
    { numRuns: 60 },
  )
  t.pass()
})

t.test('a signature that was changed in any byte, or is none, is no signature', async (t) => {
  const data = Buffer.from('data')
  for (const key of KEYS) {
    const signature = key.sign(data)
    for (let at = 0; at < signature.length; at++) {
      const changed = Buffer.from(signature)
      changed[at] = (changed[at] ?? 0) ^ 0x01
      t.notOk(verifySignature(key.publicKey, data, changed), `${key.type}, byte ${at}`)
    }
    t.notOk(verifySignature(key.publicKey, data, Buffer.concat([signature, Buffer.of(0)])))
    t.notOk(verifySignature(key.publicKey, data, Buffer.alloc(0)))
  }
  fc.assert(
    fc.property(fc.constantFrom(...KEYS), fc.uint8Array({ maxLength: 200 }), (key, noise) => {
      const named = algorithmsOf(key.type).map((name) => wire(name, noise))
      return [Buffer.from(noise), ...named].every((bytes) => !verifySignature(key.publicKey, data, bytes))
    }),
    { numRuns: 300 },
  )
})

t.test('RSA with SHA-1 is no signature, whatever it is called', async (t) => {
  const key = KEYS[4] as PrivateKey
  const data = Buffer.from('data')
  const value = sign('sha1', data, rsa)
  for (const name of ['ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512', 'toString', '__proto__']) {
    t.notOk(verifySignature(key.publicKey, data, wire(name, value)), name)
    t.notOk(verifyDecoded(key.publicKey, name, data, value), name)
  }
})

t.test('lists of addresses are read strictly, and match what they say', async (t) => {
  const list = parseAddresses('10.0.0.0/8,192.0.2.1,2001:db8::/32,::1/128')
  t.ok(list)
  if (list === null) return
  for (const inside of ['10.1.2.3', '192.0.2.1', '2001:db8:ffff::1', '::1', '::ffff:10.0.0.1', '2001:db8::1%eth0']) {
    t.ok(hasAddress(list, inside), inside)
  }
  for (const outside of ['11.0.0.1', '192.0.2.2', '2001:db9::1', '::2', '::ffff:11.0.0.1', '', 'localhost', '10.0.0']) {
    t.notOk(hasAddress(list, outside), outside)
  }
  const loose = '* 10.* !10.0.0.0/8 10.0.0.0/255.0.0.0 ::1/129 host fe80::1%eth0 1,2'
  const broken = ', 10.0.0.0/8, 10.0.0.0/33 10.0.0.0/-1 10.0.0.0/08 10.0.0.0/ 10.0.0.0/8/8'
  for (const bad of ['', ' 10.0.0.1', ...loose.split(' '), ...broken.split(' ')]) {
    t.equal(parseAddresses(bad), null, bad)
  }
})

t.test('an address is in its own network of every size, and the other half is not', async (t) => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 32 }), (address, bits) => {
      const list = parseAddresses(`${address}/${bits}`)
      const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
      const flipped = (number ^ (1 << (32 - bits))) >>> 0
      const other = [24, 16, 8, 0].map((shift) => (flipped >>> shift) & 255).join('.')
      return list !== null && hasAddress(list, address) && !hasAddress(list, other)
    }),
  )
  t.pass()
})
