import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair, type CryptoKey, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { createTokenVerifier } from '../../src/identity/tokens.ts'
import { removeAtExit } from '../support/process.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidegate-tokens-'))
removeAtExit(directory)

const pair = await generateKeyPair('ES256')
const stranger = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256' }
const keysFile = join(directory, 'keys.json')
writeFileSync(keysFile, JSON.stringify({ keys: [jwk] }))

const demands = { issuer: 'https://issuer.test', audience: 'orders-db', algorithms: ['ES256'] }
const verifier = await createTokenVerifier({ ...demands, keys: { file: keysFile } })

interface Made {
  readonly claims?: JWTPayload
  readonly without?: readonly string[]
  readonly key?: CryptoKey
  readonly kid?: string
}

async function token({ claims = {}, without = [], key = pair.privateKey, kid = 'one' }: Made = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const all = { iss: demands.issuer, aud: demands.audience, sub: 'agent-7', exp: now + 60, ...claims }
  const kept = Object.fromEntries(Object.entries(all).filter(([name]) => !without.includes(name)))
  return await new SignJWT(kept).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
}

t.test('a token of the issuer names the principal, its groups and who delegated', async (t) => {
  const act = { sub: 'planner', act: { sub: 'user@corp', iss: 'https://corp.test' } }
  const principal = await verifier.verify(
    await token({ claims: { groups: ['readers', 7], act, tier: { gold: true } } }),
  )
  t.match(principal, {
    subject: 'agent-7',
    issuer: 'https://issuer.test',
    groups: ['readers'],
    claims: { tier: { gold: true } },
    chain: [
      { subject: 'planner', issuer: 'https://issuer.test' },
      { subject: 'user@corp', issuer: 'https://corp.test' },
    ],
  })
  t.equal(principal.groups.length, 1)
  t.ok(Object.isFrozen(principal.claims['tier']))
})

t.test('a token without any of the claims that bound it is refused', async (t) => {
  for (const claim of ['exp', 'sub', 'iss', 'aud']) {
    await t.rejects(verifier.verify(await token({ without: [claim] })), { code: 'identity.invalid' }, claim)
  }
})

t.test(
  'a token of another issuer, for another audience, by another key, expired or not yet valid is refused',
  async (t) => {
    const now = Math.floor(Date.now() / 1000)
    const refused = async (made: Made, code: string) =>
      await t.rejects(verifier.verify(await token(made)), { code }, JSON.stringify(made.claims))
    await refused({ claims: { iss: 'https://other.test' } }, 'identity.invalid')
    await refused({ claims: { aud: 'other-db' } }, 'identity.invalid')
    await refused({ claims: { exp: now - 60 } }, 'identity.expired')
    await refused({ claims: { nbf: now + 60 } }, 'identity.invalid')
    await refused({ claims: { sub: '' } }, 'identity.invalid')
    await refused({ key: stranger.privateKey }, 'identity.invalid')
    await refused({ kid: 'unknown' }, 'identity.invalid')
    await t.rejects(verifier.verify(''), { code: 'identity.missing' })
    await t.rejects(verifier.verify('not.a.token'), { code: 'identity.invalid' })
    await t.rejects(verifier.verify('x'.repeat(70_000)), { code: 'identity.invalid' })
  },
)

t.test('neither an unsigned token nor one signed with the public key as a secret is accepted', async (t) => {
  const claims = { iss: demands.issuer, aud: demands.audience, sub: 'x', exp: Math.floor(Date.now() / 1000) + 60 }
  await t.rejects(verifier.verify(new UnsecuredJWT(claims).encode()), { code: 'identity.invalid' })
  const secret = Buffer.from(JSON.stringify(jwk))
  const confused = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(secret)
  await t.rejects(verifier.verify(confused), { code: 'identity.invalid' })
  const other = await generateKeyPair('ES384')
  const es384 = await new SignJWT(claims).setProtectedHeader({ alg: 'ES384' }).sign(other.privateKey)
  await t.rejects(verifier.verify(es384), { code: 'identity.invalid', message: /algorithm/ })
})

t.test('delegation deeper than anyone means, or without a subject, is refused', async (t) => {
  let act: Record<string, unknown> = { sub: 'last' }
  for (let depth = 0; depth < 16; depth++) act = { sub: `d${depth}`, act }
  await t.rejects(verifier.verify(await token({ claims: { act } })), { code: 'identity.invalid' })
  await t.rejects(verifier.verify(await token({ claims: { act: { iss: 'x' } } })), { code: 'identity.invalid' })
})

t.test('a token is refused from its expiry on, though it was accepted before', async (t) => {
  // A clock may be five seconds off: this one is four past its end, and one before it is refused.
  const short = await token({ claims: { exp: Math.floor(Date.now() / 1000) - 4 } })
  t.match(await verifier.verify(short), { subject: 'agent-7' })
  await sleep(1_100)
  await t.rejects(verifier.verify(short), { code: 'identity.expired' })
})

t.test('keys that are withdrawn from their file verify nothing more', async (t) => {
  const file = join(directory, 'rotating.json')
  writeFileSync(file, JSON.stringify({ keys: [jwk] }))
  const rotating = await createTokenVerifier({ ...demands, keys: { file } })
  t.match(await rotating.verify(await token()), { subject: 'agent-7' })
  const next = { ...(await exportJWK(stranger.publicKey)), kid: 'two', alg: 'ES256' }
  // File times are as fine as the kernel's clock tick.
  await sleep(20)
  writeFileSync(file, JSON.stringify({ keys: [next] }))
  t.match(await rotating.verify(await token({ key: stranger.privateKey, kid: 'two' })), { subject: 'agent-7' })
  await t.rejects(rotating.verify(await token({ claims: { jti: 'new' } })), { code: 'identity.invalid' })
  rmSync(file)
  await t.rejects(rotating.verify(await token({ key: stranger.privateKey, kid: 'two', claims: { jti: 'last' } })), {
    code: 'identity.keys',
  })
})

t.test('keys are fetched from an address, and an issuer that is away refuses', async (t) => {
  const issuer = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] }))).listen(0, '127.0.0.1')
  await once(issuer, 'listening')
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`
  const remote = await createTokenVerifier({ ...demands, keys: { url } })
  t.match(await remote.verify(await token()), { subject: 'agent-7' })
  issuer.close()
  issuer.closeAllConnections()
  const away = await createTokenVerifier({ ...demands, keys: { url } })
  await t.rejects(away.verify(await token()), { code: 'identity.keys' })
})

t.test('keys are not fetched over a network in plain text', async (t) => {
  const plain = createTokenVerifier({ ...demands, keys: { url: 'http://issuer.test/keys' } })
  await t.rejects(plain, { code: 'identity.keys', message: /https/ })
})

t.test('keys that cannot be read are noticed at the start', async (t) => {
  const none = createTokenVerifier({ ...demands, keys: { file: join(directory, 'none.json') } })
  await t.rejects(none, { code: 'identity.keys' })
  const wrong = join(directory, 'wrong.json')
  for (const text of ['{', '{"keys": 1}']) {
    writeFileSync(wrong, text)
    await t.rejects(createTokenVerifier({ ...demands, keys: { file: wrong } }), { code: 'identity.keys' })
  }
})
