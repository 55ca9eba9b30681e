import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { fingerprintOf, parsePublicKey, parsePublicKeyBlob, PublicKeyError } from '../../src/config/public-key.ts'

const folder = mkdtempSync(join(tmpdir(), 'sidegate-keys-'))
t.teardown(() => rmSync(folder, { recursive: true }))

function made(name: string, ...options: string[]): string {
  const file = join(folder, name)
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'some one', '-f', file, ...options])
  return readFileSync(`${file}.pub`, 'utf8')
}

const KEYS = {
  'ssh-ed25519': made('ed', '-t', 'ed25519'),
  'ecdsa-sha2-nistp256': made('p256', '-t', 'ecdsa', '-b', '256'),
  'ecdsa-sha2-nistp384': made('p384', '-t', 'ecdsa', '-b', '384'),
  'ecdsa-sha2-nistp521': made('p521', '-t', 'ecdsa', '-b', '521'),
  'ssh-rsa': made('rsa', '-t', 'rsa', '-b', '2048'),
}

const blobOf = (line: string) => Buffer.from(line.split(' ')[1] ?? '', 'base64')
const string = (...parts: (string | Buffer)[]) =>
  Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return [length, bytes]
    }),
  )
const line = (type: string, blob: Buffer) => `${type} ${blob.toString('base64')}`

t.test('keys of every kind are read as ssh-keygen made them, with the fingerprint that it prints', async (t) => {
  for (const [type, text] of Object.entries(KEYS)) {
    const key = parsePublicKey(text)
    const printed = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: text, encoding: 'utf8' })
    t.match(key, { type, comment: 'some one', fingerprint: printed.split(' ')[1] })
    t.same(key.blob, blobOf(text))
    t.equal(key.key.type, 'public')
    t.equal(parsePublicKeyBlob(key.blob).fingerprint, fingerprintOf(key.blob))
  }
})

t.test('what is no plain public key is refused, and the message says what it is', async (t) => {
  execFileSync('ssh-keygen', ['-q', '-s', join(folder, 'ed'), '-I', 'id', '-n', 'someone', join(folder, 'p256.pub')])
  const ed = blobOf(KEYS['ssh-ed25519'])
  const p256 = blobOf(KEYS['ecdsa-sha2-nistp256'])
  const offCurve = Buffer.from(p256)
  offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1
  const small = string('ssh-rsa', Buffer.of(3), Buffer.concat([Buffer.of(0), Buffer.alloc(128, 0xff)]))
  const even = string('ssh-rsa', Buffer.of(2), Buffer.concat([Buffer.of(0), Buffer.alloc(256, 0xff)]))
  const negative = string('ssh-rsa', Buffer.of(3), Buffer.alloc(256, 0xff))
  const padded = string('ssh-rsa', Buffer.of(0, 3), Buffer.concat([Buffer.of(0), Buffer.alloc(256, 0xff)]))
  const huge = string('ssh-rsa', Buffer.of(3), Buffer.concat([Buffer.of(0), Buffer.alloc(2_049, 0xff)]))
  const cases: [text: string, message: RegExp][] = [
    ['', /no public key/],
    ['ssh-ed25519', /no key/],
    ['ssh-ed25519 AAAA', /cut off|no valid/],
    [readFileSync(join(folder, 'ed'), 'utf8'), /one line|private key/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', /private key/],
    [readFileSync(join(folder, 'p256-cert.pub'), 'utf8'), /is a certificate/],
    [`restrict ${KEYS['ssh-ed25519']}`, /begins with restrict/],
    [`${KEYS['ssh-ed25519'].trim()}\n${KEYS['ssh-rsa']}`, /one line/],
    [KEYS['ssh-ed25519'].replace('ssh-ed25519', 'ssh-rsa'), /says ssh-rsa and holds a key of type ssh-ed25519/],
    [line('ssh-ed25519', ed.subarray(0, -1)), /cut off/],
    [line('ssh-ed25519', Buffer.concat([ed, Buffer.of(0)])), /cut off/],
    [line('ssh-ed25519', Buffer.concat([ed, string('')])), /too much/],
    [line('ssh-ed25519', string('ssh-ed25519', Buffer.alloc(31))), /no valid/],
    [line('ecdsa-sha2-nistp256', offCurve), /no valid/],
    [line('ssh-rsa', small), /1024 bits/],
    [line('ssh-rsa', huge), /16392 bits/],
    [line('ssh-rsa', even), /no valid/],
    [line('ssh-rsa', negative), /no valid/],
    [line('ssh-rsa', padded), /no valid/],
    [line('ssh-dss', string('ssh-dss')), /DSA/],
    [line('sk-ssh-ed25519@openssh.com', string('sk-ssh-ed25519@openssh.com')), /security token/],
    [`${KEYS['ssh-ed25519'].split(' ')[0]} ${KEYS['ssh-ed25519'].split(' ')[1]}=`, /base64/],
    [`ssh-ed25519 ${'A'.repeat(20_000)}`, /one line/],
  ]
  for (const [text, message] of cases) t.throws(() => parsePublicKey(text), { name: 'PublicKeyError', message }, text)
})

t.test('whatever bytes come, there is a key or a coded error', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(KEYS)), fc.nat(), fc.nat({ max: 255 }), (text, at, byte) => {
        const blob = Buffer.from(blobOf(text))
        blob[at % blob.length] = byte
        try {
          return parsePublicKeyBlob(blob).blob.equals(blob)
        } catch (error) {
          return error instanceof PublicKeyError
        }
      }),
    ),
  )
})
