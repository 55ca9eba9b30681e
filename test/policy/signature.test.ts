import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CompactSign } from 'jose'
import t from 'tap'
import { readBundle } from '../../src/policy/archive.ts'
import { canonicalJson } from '../../src/policy/canonical.ts'
import { verificationKey, verifySignature } from '../../src/policy/signature.ts'
import { bundleFiles, fixture, keyPair, sign } from './fixture.ts'

t.test('what the real opa signed is verified, whatever its numbers, keys and strings look like', async (t) => {
  for (const algorithm of ['ES256', 'RS256']) {
    const files = await readBundle(fixture(`signed/${algorithm}`).pathname)
    const key = verificationKey(readFileSync(fixture(`signed/${algorithm}.pub`), 'utf8'))
    t.equal(key.algorithm, algorithm)
    t.strictSame(await verifySignature(files, key), { serial: 7 })
    for (const [name, content] of files) {
      if (name === '.signatures.json') continue
      const changed = Buffer.from(content.toString().replace(/[1a]/, 'b1'))
      t.notSame(changed, content)
      await t.rejects(verifySignature(new Map([...files, [name, changed]]), key), /not as it was signed|not JSON/, name)
    }
  }
})

t.test('numbers are hashed as they are written, and the last of two equal keys counts', async (t) => {
  const canonical = (text: string) => canonicalJson(Buffer.from(text))
  t.equal(
    canonical('{"b": 1.0, "a": [1e3, -0.0, 12345678901234567890]}'),
    '{"a":[1e3,-0.0,12345678901234567890],"b":1.0}',
  )
  t.equal(canonical('{"a":1,"a":{"__proto__":2}}'), '{"a":{"__proto__":2}}')
  t.equal(canonical('{"😀":1,"\ufb33":2}'), '{"\ufb33":2,"😀":1}')
  t.equal(canonical('"\\u2028<&>\\ud800"'), '"\\u2028<&>\ufffd"')
  t.throws(() => canonicalJson(Buffer.from([0x22, 0xff, 0x22])))
  t.throws(() => canonical('{"a":1} x'))
})

t.test('a file that is added, missing or changed breaks the signature', async (t) => {
  const pair = keyPair()
  const key = verificationKey(pair.publicPem)
  const files = await sign(bundleFiles(), pair, { serial: 3, iss: 'someone' })
  t.strictSame(await verifySignature(files, key), { serial: 3 })
  const without = new Map(files)
  without.delete('data.json')
  await t.rejects(verifySignature(without, key), { code: 'bundle.signature', message: /data\.json is signed but not/ })
  const more = new Map([...files, ['more.rego', Buffer.from('package more')]])
  await t.rejects(verifySignature(more, key), { code: 'bundle.signature', message: /not covered/ })
  const other = new Map([...files, ['policy.wasm', Buffer.from('other')]])
  await t.rejects(verifySignature(other, key), { code: 'bundle.signature', message: /not as it was signed/ })
})

t.test('a bundle without a signature, with two or with a foreign one is refused', async (t) => {
  const pair = keyPair()
  const key = verificationKey(pair.publicPem)
  const files = bundleFiles()
  await t.rejects(verifySignature(files, key), { code: 'bundle.unsigned' })
  await t.rejects(verifySignature(await sign(files, keyPair()), key), { code: 'bundle.signature' })
  for (const text of [
    '{"signatures":[]}',
    '{"signatures":["a.b.c","a.b.c"]}',
    '{"signatures":["a.b.c"]}',
    '[]',
    'x',
    '',
  ]) {
    const bad = new Map([...files, ['.signatures.json', Buffer.from(text)]])
    await t.rejects(verifySignature(bad, key), { code: 'bundle.signature' }, text)
  }
})

t.test('the header of a signature does not choose how it is verified', async (t) => {
  const pair = keyPair()
  const key = verificationKey(pair.publicPem)
  const files = await sign(bundleFiles(), pair)
  const [token = ''] = (JSON.parse(String(files.get('.signatures.json'))) as { signatures: string[] }).signatures
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url')
  const forged = [
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload.toString('base64url')}.`,
    await new CompactSign(payload).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(pair.publicPem)),
  ]
  for (const each of forged) {
    const bad = new Map([...files, ['.signatures.json', Buffer.from(JSON.stringify({ signatures: [each] }))]])
    await t.rejects(verifySignature(bad, key), { code: 'bundle.signature' })
  }
})

t.test('a signature outside its time, for another scope or of an unfit hash is refused', async (t) => {
  const pair = keyPair()
  const key = verificationKey(pair.publicPem)
  const now = 1_700_000_000_000
  const attempt = async (claims: Record<string, number | string>) =>
    verifySignature(await sign(bundleFiles(), pair, claims), key, now)
  await t.resolves(attempt({ nbf: now / 1000, exp: now / 1000 + 1 }))
  await t.rejects(attempt({ nbf: now / 1000 + 1 }), { code: 'bundle.expired' })
  await t.rejects(attempt({ exp: now / 1000 }), { code: 'bundle.expired' })
  await t.rejects(attempt({ scope: 'write' }), { code: 'bundle.signature' })
  await t.rejects(attempt({ serial: -1 }), { code: 'bundle.signature' })
  await t.rejects(attempt({ exp: 'never' }), { code: 'bundle.signature' })
  const md5 = { name: 'policy.wasm', hash: 'd41d8cd98f00b204e9800998ecf8427e', algorithm: 'MD5' }
  const files = new Map([['policy.wasm', Buffer.alloc(0)]])
  await t.rejects(
    sign(files, pair, { files: [md5] }).then((signed) => verifySignature(signed, key)),
    /MD5/,
  )
  await t.rejects(
    sign(files, pair, { files: [md5, md5] }).then((signed) => verifySignature(signed, key)),
    /twice/,
  )
})

t.test('a key says by its type what it verifies, and secrets are not keys for this', async (t) => {
  const pem = (pair: { publicKey: { export(options: { type: 'spki'; format: 'pem' }): string | Buffer } }) =>
    String(pair.publicKey.export({ type: 'spki', format: 'pem' }))
  t.equal(verificationKey(pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }))).algorithm, 'ES384')
  t.equal(verificationKey(pem(generateKeyPairSync('ed25519'))).algorithm, 'EdDSA')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  t.equal(verificationKey(pem(rsa)).algorithm, 'RS256')
  t.equal(
    verificationKey(JSON.stringify({ ...rsa.publicKey.export({ format: 'jwk' }), alg: 'PS256' })).algorithm,
    'PS256',
  )
  for (const text of [
    String(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    JSON.stringify(rsa.privateKey.export({ format: 'jwk' })),
    JSON.stringify({ kty: 'oct', k: 'AAAA' }),
    JSON.stringify({ ...rsa.publicKey.export({ format: 'jwk' }), alg: 'HS256' }),
    pem(generateKeyPairSync('x25519')),
    'not a key',
    '',
  ]) {
    t.throws(() => verificationKey(text), { code: 'bundle.signature' })
  }
})
