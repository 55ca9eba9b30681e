/** OpenSSH certificates, with OpenSSH itself as the oracle both ways. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { parsePublicKey } from '../../../../src/config/public-key.ts'
import {
  type Certificate,
  parseCertificate,
  parseCertificateLine,
} from '../../../../src/protocols/ssh/keys/certificate.ts'
import { KeyError } from '../../../../src/protocols/ssh/keys/errors.ts'
import {
  certificateLine,
  issueUserCertificate,
  type UserCertificate,
} from '../../../../src/protocols/ssh/keys/issue.ts'
import { generatePrivateKey, parsePrivateKey } from '../../../../src/protocols/ssh/keys/private.ts'
import { trustHostCertificate, trustUserCertificate } from '../../../../src/protocols/ssh/keys/trust.ts'
import { mpint, wire } from '../../../../src/protocols/ssh/keys/wire.ts'
import { removeAtExit } from '../../../support/process.ts'
import { runClient } from '../../../support/ssh-clients.ts'
import { makeSshKey, signSshKey, type SshKey } from '../../../support/ssh-keys.ts'
import { sharedSshd } from '../../../support/sshd.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-keys-'))
removeAtExit(directory)
const file = (name: string) => join(directory, name)

const TYPES = [
  { type: 'ed25519' },
  { type: 'ecdsa', bits: 256 },
  { type: 'ecdsa', bits: 384 },
  { type: 'ecdsa', bits: 521 },
  { type: 'rsa', bits: 2048 },
] as const

const keys = new Map<string, SshKey>()

async function keyOf({ type, bits }: { type: 'ed25519' | 'ecdsa' | 'rsa'; bits?: number }, role: string) {
  const name = `${role}-${type}-${bits ?? ''}`
  const known = keys.get(name)
  if (known !== undefined) return known
  const made = await makeSshKey(file(name), bits === undefined ? { type } : { type, bits })
  keys.set(name, made)
  return made
}

const presented = (authority: SshKey, more: object = {}) => ({
  authorities: [parsePublicKey(authority.line)],
  user: 'deploy',
  address: '127.0.0.1',
  now: Date.now(),
  ...more,
})

t.test('what ssh-keygen signs is read and believed, for every pair of types', async (t) => {
  for (const by of TYPES) {
    for (const of of TYPES) {
      const [authority, key] = [await keyOf(by, 'ca'), await keyOf(of, 'user')]
      const signed = await signSshKey(authority.file, key, {
        principals: ['deploy', 'Größe'],
        identity: 'who “ever”',
        serial: 7,
        options: ['no-x11-forwarding', 'force-command=echo hi', 'source-address=127.0.0.1/32,::1'],
      })
      const certificate = parseCertificateLine(readFileSync(signed, 'utf8'))
      const what = `${JSON.stringify(of)} by ${JSON.stringify(by)}`
      t.match(certificate, { kind: 'user', serial: 7n, keyId: 'who “ever”', principals: ['deploy', 'Größe'] }, what)
      t.equal(certificate.key.fingerprint, parsePublicKey(key.line).fingerprint, what)
      const { forcedCommand, permits } = trustUserCertificate(certificate, presented(authority))
      t.equal(forcedCommand, 'echo hi')
      t.strictSame([...permits], ['permit-pty', 'permit-port-forwarding', 'permit-agent-forwarding'])
    }
  }
})

const soon = (): Pick<UserCertificate, 'validAfter' | 'validBefore'> => ({
  validAfter: Date.now() - 60_000,
  validBefore: Date.now() + 300_000,
})

t.test('what is signed here is what ssh-keygen reads, for every pair of types', async (t) => {
  for (const by of TYPES) {
    for (const of of TYPES) {
      const authority = parsePrivateKey(readFileSync((await keyOf(by, 'ca')).file, 'utf8'))
      const key = parsePublicKey((await keyOf(of, 'user')).line)
      const { validAfter } = soon()
      const certificate = issueUserCertificate(
        {
          key,
          keyId: 'sidegate session 1',
          serial: 2n ** 64n - 1n,
          principals: ['deploy', 'read'],
          validAfter,
          validBefore: validAfter + 600_000,
          permits: ['permit-pty', 'permit-port-forwarding'],
          forceCommand: "uname -a 'x y'",
          sourceAddress: '10.0.0.0/8',
        },
        authority,
      )
      writeFileSync(file('issued-cert.pub'), `${certificateLine(certificate)} comment\n`)
      const { stdout, code } = await runClient('ssh-keygen', ['-L', '-f', file('issued-cert.pub')])
      const text = stdout.toString()
      t.equal(code, 0)
      t.match(text, `Public key: ${/^[A-Z0-9-]+/.exec(keyName(of.type))?.[0]}-CERT ${key.fingerprint}`)
      t.match(text, authority.publicKey.fingerprint)
      t.match(text, 'Key ID: "sidegate session 1"')
      t.match(text, 'Serial: 18446744073709551615')
      t.match(text, /Principals:\s+deploy\s+read\s/)
      t.match(text, /Critical Options:\s+force-command uname -a 'x y'\s+source-address 10.0.0.0\/8\s/)
      t.match(text, /Extensions:\s+permit-port-forwarding\s+permit-pty\s*$/)
    }
  }
})

function keyName(type: 'ed25519' | 'ecdsa' | 'rsa'): string {
  return type.toUpperCase()
}

t.test('a host that trusts the authority opens to what is signed here, and not to what is out of date', async (t) => {
  const sshd = await sharedSshd()
  const authority = parsePrivateKey(readFileSync(sshd.authority.file, 'utf8'))
  const login = async (name: string, change: Partial<UserCertificate> = {}, by = authority) => {
    const key = await makeSshKey(file(`login-${name}`))
    const request = { key: parsePublicKey(key.line), keyId: name, serial: 1n, principals: [sshd.user], permits: [] }
    const certificate = issueUserCertificate({ ...request, ...soon(), ...change }, by)
    writeFileSync(`${key.file}-cert.pub`, certificateLine(certificate))
    const known = file('hosts')
    writeFileSync(known, sshd.hostKeys.map((line) => `[127.0.0.1]:${sshd.port} ${line}\n`).join(''))
    const options = ['BatchMode=yes', 'IdentitiesOnly=yes', `UserKnownHostsFile=${known}`]
    const proof = ['-i', key.file, '-o', `CertificateFile=${key.file}-cert.pub`]
    const where = ['-p', String(sshd.port), `${sshd.user}@127.0.0.1`]
    const args = ['-F', '/dev/null', ...options.flatMap((option) => ['-o', option]), ...proof, ...where, 'echo in']
    return await runClient('ssh', args)
  }
  t.equal((await login('good')).stdout.toString(), 'in\n')
  t.equal((await login('forced', { forceCommand: 'echo forced' })).stdout.toString(), 'forced\n')
  t.equal((await login('near', { sourceAddress: '127.0.0.0/8' })).stdout.toString(), 'in\n')
  t.equal((await login('far', { sourceAddress: '192.0.2.0/24' })).code, 255)
  t.equal((await login('old', { validBefore: Date.now() - 1_000 })).code, 255)
  t.equal((await login('else', { principals: ['somebody'] })).code, 255)
  t.equal((await login('stranger', {}, generatePrivateKey())).code, 255)
})

t.test('the certificate of a host holds for its names, and for nothing else', async (t) => {
  const authority = await keyOf({ type: 'ed25519' }, 'ca')
  const key = await makeSshKey(file('host'))
  const made = await signSshKey(authority.file, key, { kind: 'host', principals: ['*.internal', 'db-?.example'] })
  const certificate = parseCertificateLine(readFileSync(made, 'utf8'))
  const trust =
    (host: string, by = authority) =>
    () =>
      trustHostCertificate(certificate, { authorities: [parsePublicKey(by.line)], host, now: Date.now() })
  for (const host of ['build.internal', 'BUILD.internal', 'a.b.internal', 'db-1.example']) t.doesNotThrow(trust(host))
  for (const host of ['internal', 'build.internal.evil', 'db-12.example', 'xdb-1.example', '']) {
    t.throws(trust(host), { code: 'certificate.principal' }, host)
  }
  t.throws(trust('build.internal', await keyOf({ type: 'ecdsa', bits: 256 }, 'ca')), { code: 'certificate.authority' })
  t.throws(() => trustUserCertificate(certificate, presented(authority)), { code: 'certificate.type' })
  const all = parseCertificateLine(readFileSync(await signSshKey(authority.file, key, { kind: 'host' }), 'utf8'))
  t.throws(
    () => trustHostCertificate(all, { authorities: [parsePublicKey(authority.line)], host: 'x', now: Date.now() }),
    { code: 'certificate.principal' },
  )
})

t.test('validity begins with its first second and ends before its last', async (t) => {
  const authority = generatePrivateKey()
  const key = generatePrivateKey().publicKey
  const [validAfter, validBefore] = [1_000_000_000_000, 1_000_000_060_000]
  const request = { key, keyId: '', serial: 0n, principals: ['deploy'], permits: [], validAfter, validBefore }
  const certificate = issueUserCertificate(request, authority)
  const at = (now: number) => () =>
    trustUserCertificate(certificate, { authorities: [authority.publicKey], user: 'deploy', address: '::1', now })
  t.throws(at(validAfter - 1), { code: 'certificate.not-yet' })
  t.doesNotThrow(at(validAfter))
  t.doesNotThrow(at(validBefore - 1))
  t.throws(at(validBefore), { code: 'certificate.expired' })
})

/** One of ours with every part, and the authority that signed it. */
function issued(change: Partial<UserCertificate> = {}) {
  const authority = generatePrivateKey()
  const key = generatePrivateKey().publicKey
  const request = {
    key,
    keyId: 'id',
    serial: 5n,
    principals: ['deploy'],
    permits: ['permit-pty' as const],
    forceCommand: 'true',
    sourceAddress: '127.0.0.1',
  }
  const certificate = issueUserCertificate({ ...request, ...soon(), ...change }, authority)
  const trust = (of: Certificate) =>
    trustUserCertificate(of, {
      authorities: [authority.publicKey],
      user: 'deploy',
      address: '127.0.0.1',
      now: Date.now(),
    })
  return { certificate, trust, authority }
}

t.test('a certificate that was changed in any bit is not believed, and is never anything but a refusal', async (t) => {
  const { certificate, trust } = issued()
  t.doesNotThrow(() => trust(parseCertificate(certificate.blob)))
  for (let bit = 0; bit < certificate.blob.length * 8; bit++) {
    const changed = Buffer.from(certificate.blob)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    try {
      trust(parseCertificate(changed))
      t.fail(`bit ${bit} was changed, and nobody noticed`)
    } catch (error) {
      if (!(error instanceof KeyError)) throw error
    }
  }
  t.pass('none was believed')
})

t.test('whatever the bytes, a certificate is read or refused with a code', async (t) => {
  const { certificate, trust } = issued()
  const { blob } = certificate
  const edits = fc.array(
    fc.record({
      at: fc.nat(blob.length),
      cut: fc.nat(40),
      insert: fc.uint8Array({ maxLength: 40 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  const mutated = edits.map((all) => {
    let bytes: Buffer = blob
    for (const { at, cut, insert } of all)
      bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + cut)])
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 }).map(Buffer.from)), (bytes) => {
      try {
        trust(parseCertificate(bytes))
        return bytes.equals(blob)
      } catch (error) {
        return error instanceof KeyError
      }
    }),
    { numRuns: 2_000 },
  )
  t.pass('nothing else was thrown, and nothing else believed')
  for (let length = 0; length < blob.length; length++) {
    t.throws(() => parseCertificate(blob.subarray(0, length)), { code: 'certificate.malformed' })
  }
  t.throws(() => parseCertificate(Buffer.concat([blob, Buffer.of(0)])), { code: 'certificate.malformed' })
})

t.test('a certificate cannot sign certificates, even of an authority’s own key', async (t) => {
  const { certificate, authority } = issued()
  const other = generatePrivateKey()
  const nested = issueUserCertificate(
    { key: other.publicKey, keyId: '', serial: 0n, principals: ['deploy'], permits: [], ...soon() },
    authority,
  )
  // PROTOCOL.certkeys: the signature key is the last field that is signed.
  const plain = wire(authority.publicKey.blob)
  const at = certificate.signed.length - plain.length
  const signed = Buffer.concat([certificate.signed.subarray(0, at), wire(nested.blob)])
  const chained = Buffer.concat([signed, wire(other.sign(signed))])
  t.throws(() => parseCertificate(chained), { code: 'certificate.malformed' })
})

t.test('what a certificate demands is known or it is refused', async (t) => {
  const key = await makeSshKey(file('demanding'))
  const authority = await keyOf({ type: 'ed25519' }, 'ca')
  const demand = async (...options: string[]) => {
    const made = await signSshKey(authority.file, key, { principals: ['deploy'], options })
    return parseCertificateLine(readFileSync(made, 'utf8'))
  }
  const refused = async (options: string[], code: string, address = '127.0.0.1') => {
    const certificate = await demand(...options)
    t.throws(() => trustUserCertificate(certificate, presented(authority, { address })), { code }, options.join())
  }
  await refused(['critical:made-up@here=1'], 'certificate.option')
  await refused(['verify-required'], 'certificate.option')
  await refused(['critical:force-command'], 'certificate.option')
  await refused(['critical:source-address=nonsense'], 'certificate.option')
  await refused(['clear', 'extension:permit-pty=yes'], 'certificate.option')
  await refused(['source-address=10.0.0.0/8,2001:db8::/32'], 'certificate.source')
  await refused(['source-address=10.0.0.0/8'], 'certificate.source', '::ffff:11.0.0.1')
  const networks = await demand('source-address=10.0.0.0/8,2001:db8::/32', 'extension:made-up@here=1')
  for (const address of ['10.255.0.1', '2001:db8::9', '::ffff:10.0.0.1', '::FFFF:10.0.0.1']) {
    t.doesNotThrow(() => trustUserCertificate(networks, presented(authority, { address })), address)
  }
})

t.test('private keys are read in every form that ssh-keygen writes, and sign', async (t) => {
  for (const kind of TYPES) {
    for (const format of ['RFC4716', 'PKCS8', 'PEM']) {
      const key = await makeSshKey(file(`form-${kind.type}-${'bits' in kind ? kind.bits : ''}-${format}`), kind)
      for (const passphrase of ['', 'words of mine']) {
        const old = passphrase === '' ? [] : ['-P', '']
        await runClient('ssh-keygen', ['-p', '-q', '-a', '1', ...old, '-N', passphrase, '-m', format, '-f', key.file])
        const text = readFileSync(key.file, 'utf8')
        const read = parsePrivateKey(text, passphrase === '' ? undefined : passphrase)
        t.equal(read.publicKey.fingerprint, parsePublicKey(key.line).fingerprint, `${kind.type} ${format}`)
        t.equal(parsePrivateKey(read.exported()).publicKey.fingerprint, read.publicKey.fingerprint)
        if (passphrase === '') continue
        t.throws(() => parsePrivateKey(text), { code: 'key.passphrase', message: /is encrypted/ })
        t.throws(() => parsePrivateKey(text, 'other words'), { code: 'key.passphrase', message: /does not open/ })
      }
    }
  }
  t.throws(() => parsePrivateKey('nothing'), { code: 'key.malformed' })
  const unknown = createPrivateKey(
    '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHBGYzQWpRFjHlzKhFCCLNqnQAiMGyZgD/2xTG8pJ0d9\n-----END PRIVATE KEY-----',
  )
  const x25519 = unknown.export({ type: 'pkcs8', format: 'pem' }).toString()
  t.throws(() => parsePrivateKey(x25519), { code: 'key.malformed', message: /of a kind that SSH does not use/ })
})

t.test('a number on the wire has one form', async (t) => {
  t.strictSame(mpint(Buffer.from('00007f', 'hex')), Buffer.from('7f', 'hex'))
  t.strictSame(mpint(Buffer.from('80', 'hex')), Buffer.from('0080', 'hex'))
  t.strictSame(mpint(Buffer.from('0000', 'hex')), Buffer.alloc(0))
})
