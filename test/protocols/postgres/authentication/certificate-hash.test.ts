import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { certificateHash } from '../../../../src/protocols/postgres/authentication/certificate-hash.ts'
import { removeAtExit } from '../../../support/process.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-certificates-'))
removeAtExit(directory)

function certificate(...how: string[]): Buffer {
  const key = join(directory, 'key.pem')
  const args = ['req', '-x509', '-nodes', '-keyout', key, '-subj', '/CN=x', '-days', '2', ...how]
  const pem = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return new X509Certificate(pem).raw
}

const rsa = ['-newkey', 'rsa:2048']
const pss = [...rsa, '-sigopt', 'rsa_padding_mode:pss']
const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

t.test('a channel is bound by the hash that the certificate itself is signed with', async (t) => {
  for (const [how, hash] of [
    [[...ec, '-sha256'], 'sha256'],
    [[...ec, '-sha384'], 'sha384'],
    [[...rsa, '-sha256'], 'sha256'],
    [[...rsa, '-sha1'], 'sha256'],
    [[...rsa, '-sha512'], 'sha512'],
    [[...pss, '-sha256'], 'sha256'],
    [[...pss, '-sha384'], 'sha384'],
  ] as const) {
    const der = certificate(...how)
    t.strictSame(certificateHash(der), createHash(hash).update(der).digest(), how.join(' '))
  }
})

t.test('no channel is bound to a certificate whose algorithm defines no hash', async (t) => {
  t.equal(certificateHash(certificate('-newkey', 'ed25519')), null)
})

t.test('bytes that are no certificate bind no channel', async (t) => {
  const der = certificate(...ec)
  fc.assert(
    fc.property(fc.nat(der.length), fc.uint8Array({ maxLength: 40 }), (at, noise) => {
      certificateHash(der.subarray(0, at))
      certificateHash(Buffer.concat([Buffer.from([0x30]), Buffer.from(noise)]))
    }),
  )
  t.equal(certificateHash(Buffer.alloc(0)), null)
})
