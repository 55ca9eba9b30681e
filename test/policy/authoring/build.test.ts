import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { unpack } from '../../../src/policy/archive.ts'
import { buildPolicy } from '../../../src/policy/authoring/build.ts'
import { explainInput } from '../../../src/policy/authoring/explain.ts'
import { findOpa, runOpa } from '../../../src/policy/authoring/opa.ts'
import { scaffold } from '../../../src/policy/authoring/scaffold.ts'
import { checkPolicy } from '../../../src/policy/authoring/check.ts'
import { signingKey } from '../../../src/policy/authoring/sign.ts'
import { testPolicy } from '../../../src/policy/authoring/test.ts'
import { openBundle } from '../../../src/policy/bundle.ts'
import { combinerDigest } from '../../../src/policy/combiner.ts'
import { verificationKey } from '../../../src/policy/signature.ts'
import { buildBundle } from '../../support/bundle.ts'

const STARTER = new URL('../../../bundles/starter', import.meta.url).pathname
const UNSIGNED = { revision: 'r1', key: null, serial: null }
const COMBINERS = new Set([combinerDigest()])

const READS = 'package policy.p\n\nimport data.sidegate.sql\n\nallow contains {"code": "read"} if sql.reads\n'

t.test('the same policy gives the same bytes, wherever it stands', async (t) => {
  const [one, other] = [t.testdir({ a: { 'p.rego': READS }, b: { 'p.rego': READS } }), t.testdirName]
  const first = await buildPolicy(join(one, 'a'), UNSIGNED)
  const second = await buildPolicy(join(other, 'b'), UNSIGNED)
  t.ok(first.archive.equals(second.archive))
})

t.test('what is built carries its rules and its attestation, and no tests', async (t) => {
  const { archive, attestation } = await buildPolicy(STARTER, UNSIGNED)
  const files = await unpack(archive)
  t.ok(files.has('policy.wasm'))
  t.ok(files.has('reads.rego'))
  t.notOk([...files.keys()].some((name) => name.endsWith('_test.rego')))
  const bundle = await openBundle(files, { key: null, combiners: COMBINERS })
  t.match(bundle, { revision: 'r1', attestation, signed: false })
  t.equal(attestation.deterministic, true)
  t.strictSame(
    attestation.inputPaths?.filter(([head]) => head !== 'command'),
    [],
  )
})

t.test('a policy that reads the clock is not deterministic, and is told so', async (t) => {
  const folder = t.testdir({ 'p.rego': READS.replace('if sql.reads', 'if {\n\tsql.reads\n\ttime.now_ns() > 0\n}') })
  t.equal((await buildPolicy(folder, UNSIGNED)).attestation.deterministic, false)
})

t.test('a policy with mistakes is not built', async (t) => {
  const folder = t.testdir({ 'p.rego': READS.replace('if sql.reads', 'if not sql.writes') })
  await t.rejects(buildPolicy(folder, UNSIGNED), { code: 'policy.invalid', message: /policy\.unbound/ })
})

t.test('data goes along, and is what rules see', async (t) => {
  const rules =
    'package policy.p\n\nimport data.sidegate.sql\n\nallow contains {"code": "read"} if sql.reads_only(data.lists.readable)\n'
  const folder = t.testdir({
    'p.rego': rules,
    lists: { 'data.json': '{"readable": ["public.orders"], "big": 12345678901234567890}' },
  })
  const files = await unpack((await buildPolicy(folder, UNSIGNED)).archive)
  t.equal(String(files.get('data.json')), '{"lists":{"big":12345678901234567890,"readable":["public.orders"]}}')
})

for (const [name, pair] of [
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'prime256v1' })],
  ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['EdDSA', generateKeyPairSync('ed25519')],
] as const) {
  t.test(`a bundle signed with ${name} opens with its key and with no other`, async (t) => {
    const key = signingKey(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 'ci')
    t.equal(key.algorithm, name)
    const files = await unpack((await buildPolicy(STARTER, { revision: '', key, serial: 7 })).archive)
    const trusted = verificationKey(key.publicKey)
    t.match(await openBundle(files, { key: trusted, combiners: COMBINERS }), { signed: true, serial: 7 })
    const stranger = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey
    const other = verificationKey(stranger.export({ format: 'pem', type: 'spki' }).toString())
    await t.rejects(openBundle(files, { key: other, combiners: COMBINERS }), { code: 'bundle.signature' })
    for (const file of ['policy.wasm', 'data.json', '.manifest', 'reads.rego']) {
      const changed = new Map(files).set(file, Buffer.concat([files.get(file) ?? Buffer.alloc(0), Buffer.from(' {}')]))
      await t.rejects(openBundle(changed, { key: trusted, combiners: COMBINERS }), { code: /^bundle\./ }, file)
    }
  })
}

t.test('OPA itself verifies what Sidegate signs, and refuses it with another key', async (t) => {
  const folder = t.testdir({})
  const pem = (pair: { publicKey: { export(options: object): string | Buffer } }) =>
    pair.publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const key = signingKey(pair.privateKey.export({ format: 'pem', type: 'sec1' }).toString(), 'ci')
  writeFileSync(
    join(folder, 'bundle.tar.gz'),
    (await buildPolicy(STARTER, { revision: 'r', key, serial: null })).archive,
  )
  writeFileSync(join(folder, 'own.pub'), pem(pair))
  writeFileSync(join(folder, 'other.pub'), pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' })))
  const verify = (file: string) =>
    runOpa(
      [
        'build',
        '--bundle',
        'bundle.tar.gz',
        '--verification-key',
        file,
        '--verification-key-id',
        'ci',
        '--signing-alg',
        'ES256',
        '-o',
        'out.tar.gz',
      ],
      folder,
    )
  const [own, other] = [await verify('own.pub'), await verify('other.pub')]
  t.equal(own.status, 0, own.stderr)
  t.not(other.status, 0)
})

t.test('a public key, or none at all, does not sign', async (t) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  t.throws(() => signingKey(publicKey.export({ format: 'pem', type: 'spki' }).toString(), ''), { code: 'policy.key' })
  t.throws(() => signingKey('', ''), { code: 'policy.key' })
})

t.test('explain says what a bundle makes of an input, and which rules spoke', async (t) => {
  const bundle = await buildBundle(STARTER)
  const input = (detail: object, more: object = {}) => {
    const file = join(t.testdir({}), 'input.json')
    writeFileSync(
      file,
      JSON.stringify({
        ...INPUT,
        ...more,
        command: { ...INPUT.command, detail: { ...INPUT.command.detail, ...detail } },
      }),
    )
    return file
  }
  const { decision } = await explainInput(bundle, input({ effects: ['ddl'] }), null)
  t.match(decision, { effect: 'deny', reasons: [{ policy: 'policy.guardrails', code: 'schema.change' }] })
  t.match((await explainInput(bundle, input({ effects: ['select'] }), null)).decision, {
    effect: 'allow',
    masks: [
      { column: 'public.customers.email', with: 'partial' },
      { column: 'public.customers.ssn', with: 'redact' },
    ],
  })
  await t.rejects(explainInput(bundle, input({ effects: 'select' }), null), { code: 'policy.input' })
  await t.rejects(explainInput(bundle, input({}, { extra: 1 }), null), { code: 'policy.input' })
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const key = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  await t.rejects(explainInput(bundle, input({}), key), { code: 'bundle.unsigned' })
})

t.test('a new policy passes its own check and tests, and builds', async (t) => {
  const parent = t.testdir({})
  const tests = { postgres: 3, ssh: 4, kubernetes: 3 } as const
  for (const protocol of ['postgres', 'ssh', 'kubernetes'] as const) {
    const folder = join(parent, protocol, 'Order Reports')
    scaffold(folder, protocol)
    t.strictSame(readdirSync(folder).sort(), ['order_reports.rego', 'order_reports_test.rego'])
    t.strictSame(await checkPolicy(folder), [])
    t.match(await testPolicy(folder), { passed: true, engine: { passed: { length: tests[protocol] }, failed: [] } })
    t.ok((await buildPolicy(folder, UNSIGNED)).archive.length > 0)
    t.throws(() => scaffold(folder), { code: 'policy.exists' })
  }
})

t.test('a test that fails, and a policy without tests, do not pass', async (t) => {
  const test = (body: string) => `package policy.p_test\n\ntest_it if {\n\t${body}\n}\n`
  const failing = await testPolicy(t.testdir({ 'p.rego': READS, 'p_test.rego': test('1 == 2') }))
  t.match(failing, { passed: false, opa: /FAIL/ })
  await t.rejects(testPolicy(t.testdir({ 'p.rego': READS })), { code: 'policy.no-tests' })
  await t.rejects(testPolicy(t.testdir({ 'p.rego': READS, 'p_test.rego': 'package policy.p_test\n' })), {
    code: 'policy.no-tests',
  })
})

t.test('the tests of the starter bundle pass in OPA and in the engine', async (t) => {
  const { passed, engine } = await testPolicy(STARTER)
  t.ok(passed)
  t.ok(engine.passed.length >= 18)
})

t.test('an opa that is not there is told, with what to do', async (t) => {
  t.throws(() => findOpa({ SIDEGATE_OPA: '/nowhere/opa' }), { code: 'opa.missing', message: /SIDEGATE_OPA/ })
  t.ok(existsSync(findOpa({})))
  t.match(execFileSync(findOpa({}), ['version'], { encoding: 'utf8' }), 'Version: 1.')
})

const INPUT = {
  version: 1,
  command: {
    protocol: 'postgres',
    action: 'select',
    text: 'SELECT 1',
    detail: {
      effects: ['select'],
      relations: [],
      functions: [],
      where: null,
      limit: null,
      parameters: [],
      settings: [],
      role: null,
      transaction: 'idle',
      phase: 'execute',
      statement: { index: 1, of: 1 },
      readsOnly: true,
    },
  },
  principal: { subject: 'a', issuer: '', groups: [], claims: {}, chain: [] },
  workload: { namespace: '', pod: '', serviceAccount: '', labels: {} },
  target: { name: 'db', protocol: 'postgres', host: 'localhost', port: 5432, labels: {} },
  session: { id: 's', sequence: 1, usage: { commands: 1, rows: 0, bytes: 0, denied: 0 } },
  approval: null,
}
