/** Facts of SSH requests that are not what the schema says: whatever they are, nothing that was denied becomes allowed. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { inputOf } from '../../src/gate/input.ts'
import type { Json, JsonObject } from '../../src/gate/json.ts'
import { readBundle } from '../../src/policy/archive.ts'
import { ENTRYPOINT } from '../../src/policy/attestation.ts'
import { checkPolicy } from '../../src/policy/authoring/check.ts'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { openBundle } from '../../src/policy/bundle.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { InputContract } from '../../src/policy/contract.ts'
import { sampleQuestions } from '../../src/policy/samples.ts'
import { Instance } from '../../src/policy/wasm.ts'
import { WebAssembly } from '../../src/policy/webassembly.ts'
import { buildBundle } from '../support/bundle.ts'

const contract = InputContract.load()
const OTHER_VALUES: readonly Json[] = [null, true, false, 0, 7, '', 'x', [], ['x'], {}, { x: 1 }]

const base = sampleQuestions(contract, 10).find(({ command }) => command.shape.protocol === 'ssh')

const NOTHING: JsonObject = {
  kind: 'exec',
  user: 'agent',
  tty: false,
  mode: null,
  commands: [],
  literal: false,
  reasons: [],
  redirects: [],
  transfer: null,
  subsystem: null,
  operation: null,
  path: null,
  resolved: null,
  target: null,
  targetResolved: null,
  flags: [],
  attributes: [],
  permissions: null,
  destination: null,
  environment: null,
}

const command = (...argv: string[]): JsonObject => ({
  name: argv[0] ?? '',
  argv,
  literal: true,
  nested: 0,
  via: null,
  hides: null,
  user: null,
  background: false,
  directory: null,
})
const exec = (more: JsonObject, ...argv: string[]): JsonObject => ({
  ...NOTHING,
  literal: true,
  commands: [{ ...command(...argv), ...more }],
})
const sftp = (operation: string, path: string, more: JsonObject = {}): JsonObject => ({
  ...NOTHING,
  kind: 'sftp',
  operation,
  path,
  resolved: path,
  ...more,
})

const ALLOWED: readonly JsonObject[] = [
  exec({}, 'ls', '-l', '/srv'),
  sftp('open', '/srv/app/a', { flags: ['read'] }),
  sftp('rename', '/srv/agent/a', { target: '/srv/agent/b', targetResolved: '/srv/agent/b' }),
  { ...NOTHING, kind: 'environment', environment: { name: 'LANG', value: 'C' } },
]

const DENIED: readonly JsonObject[] = [
  exec({}, 'rm', '-rf', '/srv'),
  exec({}, 'cat', '/etc/shadow'),
  exec({ hides: 'words' }, 'ls', '-l', '/srv'),
  exec({ background: true }, 'ls', '-l', '/srv'),
  exec({ user: 'root', nested: 1, via: 'sudo' }, 'ls', '-l', '/srv'),
  exec({ literal: false, argv: ['ls', null] }, 'ls'),
  { ...exec({}, 'ls', '-l', '/srv'), literal: false, reasons: ['glob'] },
  { ...exec({}, 'ls', '/srv'), commands: [command('ls', '/srv'), command('id', '-x')] },
  { ...exec({}, 'scp', '-t', '/etc'), transfer: { program: 'scp', direction: 'upload', paths: ['/etc'] } },
  { ...exec({}, 'scp', '-t', '/x'), transfer: { program: 'scp', direction: 'upload', paths: ['/srv/agent', '/x'] } },
  sftp('open', '/etc/shadow', { flags: ['read'] }),
  sftp('open', '/srv/app/a', { flags: ['read', 'truncate'] }),
  sftp('open', '/srv/link', { flags: ['read'], resolved: '/etc/shadow' }),
  sftp('rename', '/srv/agent/a', { target: '/srv/agent/b', targetResolved: '/etc/b' }),
  sftp('setstat', '/srv/agent/a', { attributes: ['permissions'], permissions: 0o4755 }),
  sftp('setstat', '/srv/agent/a', { attributes: ['owner'] }),
  sftp('extended', '/srv/agent/a'),
  { ...NOTHING, kind: 'shell', mode: 'recorded' },
  { ...NOTHING, kind: 'subsystem', subsystem: 'netconf' },
  { ...NOTHING, kind: 'forward', destination: { host: 'db', port: 5432, path: null } },
  { ...NOTHING, kind: 'environment', environment: { name: 'LD_PRELOAD', value: '/tmp/x.so' } },
  { ...NOTHING, kind: 'agent-forward' },
  { ...NOTHING, kind: 'pty', environment: { name: 'TERM', value: '../x' } },
]

const BUNDLES = join(import.meta.dirname, '../../bundles')

async function starter(): Promise<(detail: JsonObject) => unknown> {
  const decide = await evaluator(join(BUNDLES, 'starter-ssh'))
  return (detail) => decide(asked(detail)).effect
}

async function evaluator(folder: string): Promise<(input: JsonObject) => { readonly effect: unknown }> {
  const file = await buildBundle(folder)
  const bundle = await openBundle(await readBundle(file), { key: null, combiners: new Set([combinerDigest()]) })
  const module = await WebAssembly.compile(bundle.wasm)
  const instance = new Instance({ module, entrypoint: ENTRYPOINT, builtins: HOST_BUILTINS, data: bundle.data })
  return (input) => {
    const [said] = JSON.parse(instance.evaluate(JSON.stringify(input))) as [{ result: { effect: unknown } }]
    return said.result
  }
}

const question = (detail: JsonObject) => {
  if (base === undefined) throw new Error('there is no sample of the protocol ssh')
  const shape = { protocol: 'ssh', action: 'exec', text: '', detail }
  return { ...base, command: { shape, varying: {} } }
}
const asked = (detail: JsonObject) => inputOf(question(detail))
const fits = (detail: JsonObject) => contract.checkCommand(question(detail).command) === null

/** Every value that differs from this one in one place: a key that is missing, or a value that is another. */
function* changed(value: Json): Generator<Json> {
  yield* OTHER_VALUES
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) for (const other of changed(item)) yield value.with(index, other)
  } else if (typeof value === 'object' && value !== null) {
    const object = value as JsonObject
    for (const key of Object.keys(object)) {
      const { [key]: removed, ...rest } = object
      yield rest
      for (const other of changed(removed ?? null)) yield { ...object, [key]: other }
    }
  }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

t.test('what the starter policy for hosts allows and denies are requests of the contract', async (t) => {
  const decide = await starter()
  for (const detail of ALLOWED) {
    t.ok(fits(detail))
    t.equal(decide(detail), 'allow', JSON.stringify(detail))
  }
  for (const detail of DENIED) {
    t.ok(fits(detail))
    t.equal(decide(detail), 'deny', JSON.stringify(detail))
  }
})

t.test('a denied request of which a fact is missing or of another type is never allowed', async (t) => {
  const decide = await starter()
  let tried = 0
  for (const detail of DENIED) {
    for (const other of changed(detail)) {
      // What the contract takes for facts is another request, which may well be allowed.
      if (!isObject(other) || fits(other)) continue
      tried++
      if (decide(other) === 'allow') t.fail(JSON.stringify(other))
    }
  }
  t.ok(tried > 5_000, `${tried} tried`)
})

t.test('facts that are odd in several places at once are never allowed', async (t) => {
  const decide = await starter()
  const sampled = sampleQuestions(contract, 400)
    .filter(({ command: { shape } }) => shape.protocol === 'ssh')
    .map(({ command: { shape } }) => shape.detail)
    .filter((detail) => decide(detail) === 'deny')
  t.ok(sampled.length > 50)
  const keys = Object.keys(NOTHING)
  fc.assert(
    fc.property(
      fc.constantFrom(...DENIED, ...sampled),
      fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...OTHER_VALUES, undefined), { maxKeys: 3 }),
      (detail, changes) => {
        const merged = { ...detail, ...changes }
        const other = Object.fromEntries(
          Object.entries(merged).filter(([, value]) => value !== undefined),
        ) as JsonObject
        return fits(other) || decide(other) !== 'allow'
      },
    ),
    { numRuns: 3_000 },
  )
  t.pass('no counterexample')
})

t.test('the starter policies stand in one folder, and each decides as it does alone', async (t) => {
  const both = t.testdir({})
  for (const name of ['starter', 'starter-ssh']) cpSync(join(BUNDLES, name), both, { recursive: true })
  t.strictSame(await checkPolicy(both), [])
  const together = await evaluator(both)
  const alone = new Map([
    ['postgres', await evaluator(join(BUNDLES, 'starter'))],
    ['ssh', await evaluator(join(BUNDLES, 'starter-ssh'))],
  ])
  const sampled = sampleQuestions(contract, 300).map((each) => inputOf(each))
  const written = [...ALLOWED, ...DENIED].map((detail) => asked(detail))
  const seen = new Set<unknown>()
  for (const input of [...sampled, ...written]) {
    const { protocol } = input['command'] as { protocol: string }
    const decided = together(input)
    const expected = alone.get(protocol)?.(input)
    seen.add(`${protocol} ${String(decided.effect)}`)
    // None of them speaks for a protocol that has no starter policy here.
    const agrees = expected === undefined ? decided.effect === 'deny' : isDeepStrictEqual(decided, expected)
    if (!agrees) t.fail(JSON.stringify(input))
  }
  t.ok(seen.has('ssh allow') && seen.has('ssh deny') && seen.has('postgres deny'))
})
