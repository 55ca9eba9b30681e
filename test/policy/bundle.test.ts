import t from 'tap'
import { unpack } from '../../src/policy/archive.ts'
import { digestOf, openBundle } from '../../src/policy/bundle.ts'
import { verificationKey } from '../../src/policy/signature.ts'
import { archive, bundleFiles, COMBINERS, keyPair, sign } from './fixture.ts'

const trust = { key: null, combiners: COMBINERS }
const open = (options: Parameters<typeof bundleFiles>[0]) => openBundle(bundleFiles(options), trust)

t.test('a signed and attested bundle opens with all that it says of itself', async (t) => {
  const pair = keyPair()
  const files = await sign(bundleFiles({ metadata: { mode: 'observe' } }), pair, { serial: 9 })
  const bundle = await openBundle(await unpack(await archive(files)), {
    key: verificationKey(pair.publicPem),
    combiners: COMBINERS,
  })
  t.match(bundle, {
    revision: 'r1',
    mode: 'observe',
    signed: true,
    serial: 9,
    data: '{"settings":{"allowed":"reads","rounds":0}}',
  })
  await t.rejects(openBundle(files, { key: verificationKey(keyPair().publicPem), combiners: COMBINERS }), {
    code: 'bundle.signature',
  })
  await t.rejects(openBundle(bundleFiles(), { key: verificationKey(pair.publicPem), combiners: COMBINERS }), {
    code: 'bundle.unsigned',
  })
})

t.test('a bundle that is not named goes by the digest of its module', async (t) => {
  t.match(await open({ revision: '' }), { revision: /^sha256:[0-9a-f]{64}$/, signed: false, serial: null, mode: null })
})

t.test('a bundle without an attestation, or with one about something else, is refused', async (t) => {
  await t.rejects(open({ manifest: { metadata: {} } }), { code: 'bundle.contract', message: /sidegate policy build/ })
  for (const attestation of [
    { contract: 2 },
    { wasm: `sha256:${'0'.repeat(64)}` },
    { combiner: `sha256:${'0'.repeat(64)}` },
    { more: 1 },
    { inputPaths: [[]] },
    { deterministic: 'yes' },
  ]) {
    await t.rejects(open({ attestation }), { code: 'bundle.contract' }, JSON.stringify(attestation))
  }
  const files = bundleFiles()
  files.set('policy.wasm', Buffer.from('another module'))
  await t.rejects(openBundle(files, trust), { code: 'bundle.contract' })
})

t.test('data that stands among the rules, outside the roots or in another form is refused', async (t) => {
  for (const data of [{ policy: { free: { allow: [{ code: 'x' }] } } }, { sidegate: {} }, { pol: 1, policy: 1 }]) {
    await t.rejects(open({ data }), { code: 'bundle.malformed', message: /among the rules/ }, JSON.stringify(data))
  }
  const escaped = bundleFiles()
  escaped.set('data.json', Buffer.from('{"\\u0070olicy": {}}'))
  await t.rejects(openBundle(escaped, trust), /among the rules/)
  for (const text of ['[]', '1', 'null', '', '{', '{"a":1} {}']) {
    const files = bundleFiles()
    files.set('data.json', Buffer.from(text))
    await t.rejects(openBundle(files, trust), { code: 'bundle.malformed' }, text)
  }
  const roots = (list: string[], data: Record<string, never> | { a: { b: number } }) =>
    open({ manifest: { roots: list }, data })
  await t.resolves(roots(['sidegate', 'a/b'], { a: { b: 1 } }))
  await t.rejects(roots(['sidegate', 'a/c'], { a: { b: 1 } }), /outside the bundle's roots/)
  await t.rejects(roots(['a'], { a: { b: 1 } }), /sidegate\/decision lies outside/)
  await t.rejects(roots(['sidegate', 'side', 'sidegate/decision'], {}), /overlap/)
})

t.test(
  'a file that has no business in a bundle is refused, the look-alikes of the manifest first of all',
  async (t) => {
    for (const name of [
      'x.manifest',
      'a/.manifest',
      'a/data.json',
      'data.yaml',
      'patch.json',
      'a/policy.wasm',
      'policy.wasm.bak',
      'a/.signatures.json',
      'README',
    ]) {
      const files = bundleFiles()
      files.set(name, Buffer.from('{}'))
      await t.rejects(openBundle(files, trust), { code: 'bundle.malformed', message: new RegExp(name) }, name)
    }
  },
)

t.test('a manifest that is missing, of Rego v0, or points elsewhere is refused', async (t) => {
  const files = bundleFiles()
  files.delete('.manifest')
  await t.rejects(openBundle(files, trust), { code: 'bundle.malformed' })
  const wrong = [
    { rego_version: 0 },
    { wasm: [{ entrypoint: 'sidegate/decision', module: '/other.wasm' }] },
    { wasm: [{ entrypoint: 'policy/decision', module: '/policy.wasm' }] },
    { wasm: [] },
    { more: 1 },
    { revision: 1 },
    { roots: 'x' },
    { metadata: { sidegate: null } },
  ]
  for (const manifest of wrong)
    await t.rejects(open({ manifest }), { code: /^bundle\.(malformed|contract)$/ }, JSON.stringify(manifest))
  const none = bundleFiles()
  none.delete('policy.wasm')
  await t.rejects(openBundle(none, trust), { code: 'bundle.malformed', message: /policy\.wasm/ })
})

t.test("a bundle's digest is of its files, not of how they are packed", async (t) => {
  const files = bundleFiles()
  t.equal(digestOf(files), digestOf(new Map([...files].toReversed())))
  t.not(digestOf(files), digestOf(bundleFiles({ revision: 'r2' })))
  t.not(digestOf(new Map([['ab', Buffer.from('c')]])), digestOf(new Map([['a', Buffer.from('bc')]])))
})
