import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { JsonObject } from '../../src/gate/json.ts'
import type { Grant } from '../../src/gate/ports.ts'
import { context } from '../../src/gate/session.ts'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { PolicyEngine, type PolicyOptions, type PolicySettings } from '../../src/policy/engine.ts'
import {
  archive,
  bundleFiles,
  COMBINERS,
  DETAIL,
  folder,
  keyPair,
  parameter,
  question,
  shape,
  sign,
  subject,
  tar,
  VARYING,
} from './fixture.ts'

/** Slower machines than this would fail for their own sake. */
const BUDGET = 250

interface Started {
  readonly engine: PolicyEngine
  readonly file: string
  /** Puts another bundle there, as a deployment tool does. */
  put(bytes: Uint8Array): void
}

interface Test {
  teardown(clean: () => unknown): unknown
}

async function start(
  t: Test,
  files: Map<string, Buffer> | Uint8Array | null,
  options: Partial<PolicyOptions> = {},
  settings: Partial<PolicySettings> = {},
): Promise<Started> {
  const file = join(folder(t), 'bundle.tar.gz')
  const put = (bytes: Uint8Array) => {
    writeFileSync(`${file}.new`, bytes)
    renameSync(`${file}.new`, file)
  }
  if (files !== null) put(files instanceof Map ? await archive(files) : files)
  const engine = await PolicyEngine.start(
    { bundle: { file, allowUnsigned: true }, mode: 'enforce', budget: BUDGET, ...settings },
    { combiners: COMBINERS, poll: 20, ...options },
  )
  t.teardown(() => engine.close())
  return { engine, file, put }
}

const code = (
  engine: PolicyEngine,
  text: string | ReturnType<typeof shape>,
  rest: Parameters<typeof question>[1] = {},
) => engine.decide(question(text, rest)).decision.reasons[0]?.code

/** Bounded: a change that is never noticed fails the test. */
async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < 5_000; waited += 10)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

t.test('without a bundle every command is refused in every mode, and the status says why', async (t) => {
  const { engine } = await start(t, null, {}, { mode: 'observe' })
  t.match(engine.decide(question('select 1')), {
    decision: { effect: 'deny', reasons: [{ code: 'policy.unavailable' }] },
    failed: true,
    revision: '',
  })
  t.equal(engine.ready, false)
  t.match(engine.status(), {
    code: 'bundle.unreadable',
    active_revision: '',
    last_successful_activation: null,
    memoisable: false,
  })
})

t.test('an active bundle decides, and equal decisions are one object', async (t) => {
  const { engine } = await start(t, bundleFiles())
  t.equal(engine.ready, true)
  const first = engine.decide(question('select 1'))
  t.match(first, {
    decision: { effect: 'allow', reasons: [{ code: 'reads' }] },
    revision: 'r1',
    mode: 'enforce',
    failed: false,
  })
  t.equal(engine.decide(question('select 2')).decision, first.decision)
  t.equal(engine.decide(question('select 2', { who: subject('bob') })), first)
  t.match(engine.decide(question('alter table')).decision, {
    effect: 'approve',
    approvals: [{ code: 'ask' }],
    limits: { rows: 10 },
  })
  t.equal(code(engine, 'drop table'), 'no.select')
  t.match(engine.status(), {
    code: null,
    message: null,
    active_revision: 'r1',
    memoisable: true,
    not_memoisable: '',
    signed: false,
  })
})

t.test('what the policy reads decides anew, and what it does not read is answered from memory', async (t) => {
  const seen: boolean[] = []
  const { engine } = await start(t, bundleFiles(), {
    observer: (_effect, _code, _micros, memoised) => seen.push(memoised),
  })
  const one = shape('select $1')
  const varying = (value: string, rest: JsonObject = {}) => ({
    varying: { ...VARYING, parameters: [parameter(value)], ...rest },
  })
  t.equal(code(engine, one, varying('a')), 'reads')
  t.equal(code(engine, one, varying('a', { phase: 'prepare' })), 'reads')
  t.equal(code(engine, one, varying('forbidden')), 'no.select')
  t.equal(code(engine, one, varying('forbidden')), 'no.select')
  t.equal(code(engine, one, varying('a', { transaction: 'failed' })), 'no.select')
  t.equal(code(engine, one, { ...varying('a'), who: subject('mallory') }), 'no.select')
  t.equal(code(engine, one, varying('a')), 'reads')
  t.strictSame(seen, [false, true, false, true, false, false, true])
})

t.test('a granted command is always judged anew', async (t) => {
  const seen: boolean[] = []
  const { engine } = await start(t, bundleFiles(), {
    observer: (_effect, _code, _micros, memoised) => seen.push(memoised),
  })
  const grant: Grant = { by: ['carol'], at: '2026-01-01T00:00:00Z', codes: ['ask'] }
  const one = shape('alter table')
  for (const each of [null, grant, grant, null]) engine.decide(question(one, { grant: each }))
  t.strictSame(seen, [false, false, false, true])
})

t.test('a bundle that reads usage, or says that it is not deterministic, is never answered from memory', async (t) => {
  for (const attestation of [{ inputPaths: [['session', 'usage']] }, { deterministic: false }, { inputPaths: null }]) {
    let memoised = 0
    const { engine } = await start(t, bundleFiles({ attestation }), {
      observer: (_effect, _code, _micros, yes) => (memoised += Number(yes)),
    })
    const one = shape('select 1')
    for (let round = 0; round < 5; round++) engine.decide(question(one))
    t.equal(memoised, 0)
    t.match(engine.status(), { memoisable: false, not_memoisable: /./ })
  }
})

t.test('an answer of any other form than a decision refuses, also where the bundle only observes', async (t) => {
  const { engine } = await start(t, bundleFiles({ metadata: { mode: 'observe' } }), {}, { mode: 'observe' })
  t.equal(engine.decide(question('drop')).mode, 'observe')
  const malformed = [
    'effect alone',
    'true',
    'extra key',
    'unknown effect',
    'deny without reason',
    'approve without demand',
    'mask of two things',
    'negative limit',
    'fractional limit',
    'allow with demands',
    'said by the combiner',
  ]
  for (const text of malformed) {
    t.match(
      engine.decide(question(text)),
      { decision: { effect: 'deny', reasons: [{ code: 'policy.invalid-decision' }] }, failed: true },
      text,
    )
  }
  t.match(engine.decide(question('conflict')), {
    decision: { effect: 'deny', reasons: [{ code: 'policy.error' }] },
    failed: true,
  })
  t.match(engine.status(), { last_evaluation_error: /conflict/ })
  t.equal(code(engine, 'select 1'), 'reads')
})

t.test('where configuration and bundle differ in their mode, enforcing wins', async (t) => {
  const modes = ['enforce', 'observe', null] as const
  for (const configured of ['enforce', 'observe'] as const) {
    for (const stated of modes) {
      const { engine } = await start(
        t,
        bundleFiles(stated === null ? {} : { metadata: { mode: stated } }),
        {},
        { mode: configured },
      )
      const expected = configured === 'observe' && stated !== 'enforce' ? 'observe' : 'enforce'
      t.equal(engine.decide(question('drop')).mode, expected, `${configured} ${stated ?? 'silent'}`)
    }
  }
})

t.test('input that does not fit its schema refuses, and is not remembered', async (t) => {
  const { engine } = await start(t, bundleFiles())
  const bad = [
    question('select \ud800'),
    question(shape('select 1', { ...DETAIL, effects: ['unheard of'] })),
    question(shape('select 1', { ...DETAIL, extra: 1 })),
    question('select 1', { varying: { parameters: [], transaction: 'idle' } }),
    question('select 1', { varying: { ...VARYING, parameters: [parameter('\udfff')] } }),
    question('select 1', { grant: { by: ['\ud800'], at: '', codes: [] } }),
    question('select 1', {
      who: context({ ...subject().principal, claims: { a: ['\ud800'] } }, subject().workload, subject().target),
    }),
    { ...question('select 1'), sequence: Number.NaN },
    question(`select ${'x'.repeat(2 * 1024 ** 2)}`),
    question(`select ${'é'.repeat(700_000)}`),
  ]
  for (const each of bad) {
    for (let round = 0; round < 2; round++) {
      t.match(engine.decide(each), { decision: { effect: 'deny', reasons: [{ code: 'policy.error' }] }, failed: true })
    }
  }
  t.notMatch(JSON.stringify(engine.status()), /unheard of/)
  t.equal(code(engine, 'select 1'), 'reads')
})

t.test(
  'one evaluation in a hundred that aborts never changes what the others are told, and memory stays flat',
  async (t) => {
    const { engine } = await start(t, bundleFiles({ attestation: { deterministic: false } }))
    const questions = ['select 1', 'drop', 'alter x'].map((text) => question(text))
    const expected = ['reads', 'no.select', undefined]
    let wrong = 0
    let resident = 0
    for (let round = 0; round < 30_000; round++) {
      if (round % 100 === 0) {
        if (code(engine, 'conflict') !== 'policy.error') wrong++
        await new Promise((resolve) => setImmediate(resolve))
      }
      const at = round % 3
      const asked = questions[at]
      if (asked === undefined || engine.decide(asked).decision.reasons[0]?.code !== expected[at]) wrong++
      if (round === 10_000) resident = process.memoryUsage.rss()
    }
    t.equal(wrong, 0)
    t.ok(process.memoryUsage.rss() < resident + 64 * 1024 ** 2, 'the resident set does not grow with the aborts')
  },
)

t.test('decide never throws, whatever it is asked', async (t) => {
  const { engine } = await start(t, bundleFiles())
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
      (text, varying) => {
        const { effect } = engine.decide(
          question(text, { varying: { ...VARYING, ...(varying as JsonObject) } }),
        ).decision
        return effect === 'deny' || text.startsWith('select') || text.startsWith('alter')
      },
    ),
  )
  t.pass('no counterexample')
})

t.test('a changed file is activated, listeners are told, and what was remembered is forgotten', async (t) => {
  const { engine, put } = await start(t, bundleFiles())
  let told = 0
  const stop = engine.onChange(() => told++)
  const one = shape('select 1')
  t.equal(code(engine, one), 'reads')
  put(await archive(bundleFiles({ revision: 'r2', data: { settings: { allowed: 'reads.anew', rounds: 0 } } })))
  await until(() => told > 0)
  t.equal(engine.status().active_revision, 'r2')
  t.equal(code(engine, one), 'reads.anew')
  stop()
  put(await archive(bundleFiles({ revision: 'r3' })))
  await until(() => engine.status().active_revision === 'r3')
  t.equal(code(engine, one), 'reads')
  t.equal(told, 1)
})

t.test('a listener that fails does not keep the others from being told', async (t) => {
  const { engine, put } = await start(t, bundleFiles())
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  let told = 0
  engine.onChange(() => {
    throw new Error('a listener of this test fails')
  })
  engine.onChange(() => told++)
  put(await archive(bundleFiles({ revision: 'r2' })))
  await engine.reload()
  t.equal(told, 1)
  t.match((await warned).message, /of this test/)
  t.match(engine.status(), { code: null, active_revision: 'r2' })
})

t.test('bundles that swap under load never drop a decision or mix two policies', async (t) => {
  const { engine, put } = await start(
    t,
    bundleFiles({ revision: 'v0', data: { settings: { allowed: 'v0', rounds: 0 } } }),
  )
  const versions = await Promise.all(
    [1, 2, 3, 4].map((n) =>
      archive(bundleFiles({ revision: `v${n}`, data: { settings: { allowed: `v${n}`, rounds: 0 } } })),
    ),
  )
  const one = shape('select 1')
  let decided = 0
  let wrong = 0
  const done = new AbortController()
  const load = (async () => {
    while (!done.signal.aborted) {
      for (let burst = 0; burst < 50; burst++) {
        const { decision, revision } = engine.decide(question(burst % 2 === 0 ? one : 'select 2'))
        decided++
        if (decision.effect !== 'allow' || decision.reasons[0]?.code !== revision) wrong++
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  for (const version of versions) {
    put(version)
    await engine.reload()
  }
  done.abort()
  await load
  t.equal(wrong, 0)
  t.ok(decided > 100)
  t.equal(engine.status().active_revision, 'v4')
})

t.test('a bundle that is broken in any way keeps the active one, and the status tells how', async (t) => {
  const { engine, put } = await start(t, bundleFiles())
  const good = await archive(bundleFiles())
  const set = (name: string, content: string) => archive(new Map([...bundleFiles(), [name, Buffer.from(content)]]))
  const withWasm = (bytes: Buffer) => archive(bundleFiles({ wasm: bytes }))
  const broken: [string, Uint8Array][] = [
    ['bundle.malformed', good.subarray(0, good.length / 2)],
    ['bundle.malformed', Buffer.from('x')],
    ['bundle.malformed', await tar([{ name: 'policy.wasm', type: 'symlink' }])],
    ['bundle.malformed', await set('.manifest', '{')],
    ['bundle.malformed', await set('data.json', '{"policy":{"x":{"allow":[]}}}')],
    ['bundle.malformed', await withWasm(Buffer.from('not a module'))],
    ['bundle.contract', await withWasm(Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))],
    ['bundle.contract', await archive(bundleFiles({ attestation: { contract: 2 } }))],
    ['bundle.contract', await archive(bundleFiles({ manifest: { metadata: {} } }))],
  ]
  for (const [expected, bytes] of broken) {
    put(bytes)
    await engine.reload()
    t.match(engine.status(), { code: expected, active_revision: 'r1', message: /./ }, expected)
    t.equal(code(engine, 'select 1'), 'reads')
  }
  put(good)
  await engine.reload()
  t.match(engine.status(), { code: null, message: null, active_revision: 'r1' })
})

t.test('the active bundle, put back after what could not be read, clears the status', async (t) => {
  const good = await archive(bundleFiles())
  const { engine, put } = await start(t, good)
  for (const broken of [good.subarray(0, good.length / 2), Buffer.alloc(0)]) {
    put(broken)
    await until(() => engine.status().code === 'bundle.malformed')
    put(good)
    await until(() => engine.status().code === null)
    t.match(engine.status(), { code: null, message: null, active_revision: 'r1' })
  }
})

t.test('a bundle that needs a builtin which is not offered is not activated', async (t) => {
  const builtins = new Map([...HOST_BUILTINS].filter(([name]) => name !== 'sprintf'))
  const { engine } = await start(t, bundleFiles(), { builtins })
  t.match(engine.status(), { code: 'bundle.builtin', message: /sprintf/ })
  t.equal(code(engine, 'select 1'), 'policy.unavailable')
})

t.test('a policy that is slower than its budget is not activated', async (t) => {
  const { engine, put } = await start(t, bundleFiles(), {}, { budget: 10 })
  t.equal(engine.status().code, null)
  put(await archive(bundleFiles({ revision: 'slow', data: { settings: { allowed: 'slow', rounds: 1_000 } } })))
  await engine.reload()
  t.match(engine.status(), { code: 'policy.slow', active_revision: 'r1', message: /budget is 10 ms/ })
  t.equal(code(engine, 'select 1'), 'reads')
})

t.test('the active bundle may be signed anew with another key, and only that', async (t) => {
  const directory = folder(t)
  const [pair, other] = [keyPair(), keyPair()]
  const [file, key] = [join(directory, 'bundle.tar.gz'), join(directory, 'bundle.pub')]
  const release = async (by: typeof pair, options: Parameters<typeof bundleFiles>[0] = {}) => {
    writeFileSync(key, by.publicPem)
    writeFileSync(file, await archive(await sign(bundleFiles({ revision: 'v5', ...options }), by, { serial: 5 })))
  }
  await release(pair)
  const settings = { bundle: { file, key }, mode: 'enforce', budget: BUDGET } as const
  const engine = await PolicyEngine.start(settings, { combiners: COMBINERS })
  t.teardown(() => engine.close())
  await release(other)
  await engine.reload()
  t.match(engine.status(), { active_revision: 'v5', serial: 5, code: null })
  for (const options of [{ data: { settings: { allowed: 'all', rounds: 0 } } }, { metadata: { mode: 'observe' } }]) {
    await release(other, options)
    await engine.reload()
    t.match(engine.status(), { active_revision: 'v5', code: 'bundle.rollback' }, JSON.stringify(options))
  }
})

t.test('signed bundles are asked for their key, and never go back to an older serial', async (t) => {
  const directory = folder(t)
  const [pair, other] = [keyPair(), keyPair()]
  const [file, key] = [join(directory, 'bundle.tar.gz'), join(directory, 'bundle.pub')]
  writeFileSync(key, pair.publicPem)
  const release = async (revision: string, claims: JsonObject, by = pair) =>
    writeFileSync(file, await archive(await sign(bundleFiles({ revision }), by, claims)))
  await release('v5', { serial: 5 })
  const engine = await PolicyEngine.start(
    { bundle: { file, key }, mode: 'enforce', budget: BUDGET },
    { combiners: COMBINERS },
  )
  t.teardown(() => engine.close())
  t.match(engine.status(), { active_revision: 'v5', signed: true, serial: 5, code: null })
  const steps: [string, JsonObject, string | null][] = [
    ['v4', { serial: 4 }, 'bundle.rollback'],
    ['v5 again', { serial: 5 }, 'bundle.rollback'],
    ['uncounted', {}, 'bundle.rollback'],
    ['v6', { serial: 6 }, null],
  ]
  for (const [revision, claims, expected] of steps) {
    await release(revision, claims)
    await engine.reload()
    t.equal(engine.status().code, expected, revision)
    t.equal(engine.status().active_revision, expected === null ? revision : 'v5')
  }
  await release('v7', { serial: 7 }, other)
  await engine.reload()
  t.match(engine.status(), { code: 'bundle.signature', active_revision: 'v6' })
  writeFileSync(file, await archive(bundleFiles({ revision: 'v8' })))
  await engine.reload()
  t.match(engine.status(), { code: 'bundle.unsigned', active_revision: 'v6' })
  rmSync(key)
  await engine.reload()
  t.match(engine.status(), { code: 'bundle.unreadable', active_revision: 'v6' })
})

t.test('a bundle that the kubelet mounts is followed through its links', async (t) => {
  const directory = folder(t)
  const mount = async (version: string) => {
    const [data, link] = [join(directory, `..${version}`), join(directory, '..data_tmp')]
    mkdirSync(data)
    writeFileSync(join(data, 'bundle.tar.gz'), await archive(bundleFiles({ revision: version })))
    symlinkSync(`..${version}`, link)
    renameSync(link, join(directory, '..data'))
  }
  await mount('one')
  symlinkSync('..data/bundle.tar.gz', join(directory, 'bundle.tar.gz'))
  const file = join(directory, 'bundle.tar.gz')
  const engine = await PolicyEngine.start(
    { bundle: { file, allowUnsigned: true }, mode: 'enforce', budget: BUDGET },
    { combiners: COMBINERS },
  )
  t.teardown(() => engine.close())
  t.equal(engine.status().active_revision, 'one')
  await mount('two')
  await until(() => engine.status().active_revision === 'two')
  t.equal(engine.status().active_revision, 'two')
})

t.test('a directory serves as a bundle, and an edit of one file in it is noticed', async (t) => {
  const directory = join(folder(t), 'bundle')
  mkdirSync(join(directory, 'rules'), { recursive: true })
  for (const [name, content] of bundleFiles()) writeFileSync(join(directory, name), content)
  const engine = await PolicyEngine.start(
    { bundle: { file: directory, allowUnsigned: true }, mode: 'enforce', budget: BUDGET },
    { combiners: COMBINERS, poll: 20 },
  )
  t.teardown(() => engine.close())
  t.equal(code(engine, 'select 1'), 'reads')
  writeFileSync(join(directory, 'data.json'), '{"settings":{"allowed":"edited","rounds":0}}')
  await until(() => code(engine, 'select 1') === 'edited')
  t.equal(code(engine, 'select 1'), 'edited')
})

t.test('a bundle that comes later makes the sidecar ready, and each attempt is told', async (t) => {
  const attempts: (string | null)[] = []
  const { engine, put } = await start(t, null, { attempted: (status) => attempts.push(status.code) })
  t.equal(engine.ready, false)
  put(await archive(bundleFiles()))
  await until(() => engine.ready)
  t.equal(code(engine, 'select 1'), 'reads')
  t.equal(attempts[0], 'bundle.unreadable')
  t.equal(attempts.at(-1), null)
})

t.test('after it was closed it still answers those who drain, and activates nothing', async (t) => {
  const { engine, put } = await start(t, bundleFiles())
  await engine.close()
  put(await archive(bundleFiles({ revision: 'late' })))
  await engine.reload()
  t.equal(engine.status().active_revision, 'r1')
  t.equal(code(engine, 'select 1'), 'reads')
})
