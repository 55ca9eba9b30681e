/** Facts of SSH requests that are not what the schema says: whatever they are, nothing that was denied becomes allowed. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { inputOf } from '../../src/gate/input.ts'
import type { JsonObject } from '../../src/gate/json.ts'
import { checkPolicy } from '../../src/policy/authoring/check.ts'
import { sampleQuestions } from '../../src/policy/samples.ts'
import { asking, changed, contract, evaluator, isObject, OTHER_VALUES } from './engine.ts'

const { asked, fits } = asking('ssh')

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
  {
    ...exec({}, 'scp', '-t', '/etc'),
    transfer: { program: 'scp', direction: 'upload', paths: ['/etc'], links: false },
  },
  {
    ...exec({}, 'scp', '-t', '/x'),
    transfer: { program: 'scp', direction: 'upload', paths: ['/srv/agent', '/x'], links: false },
  },
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
        // Of several changes, some may make another request of it, whose other facts do not matter.
        const fitting = Object.entries(changes).filter(
          ([key, value]) => value !== undefined && fits({ ...detail, [key]: value }),
        )
        const another = { ...detail, ...Object.fromEntries(fitting) } as JsonObject
        return fits(other) || decide(another) === 'allow' || decide(other) !== 'allow'
      },
    ),
    { numRuns: 3_000 },
  )
  t.pass('no counterexample')
})

t.test('the starter policies stand in one folder, and each decides as it does alone', async (t) => {
  const all = t.testdir({})
  const starters = { postgres: 'starter', ssh: 'starter-ssh', kubernetes: 'starter-kubernetes' }
  for (const name of Object.values(starters)) cpSync(join(BUNDLES, name), all, { recursive: true })
  t.strictSame(await checkPolicy(all), [])
  const together = await evaluator(all)
  const alone = new Map<string, Awaited<ReturnType<typeof evaluator>>>()
  for (const [protocol, name] of Object.entries(starters)) alone.set(protocol, await evaluator(join(BUNDLES, name)))
  const sampled = sampleQuestions(contract, 300).map((each) => inputOf(each))
  const written = [...ALLOWED, ...DENIED].map((detail) => asked(detail))
  const seen = new Set<unknown>()
  for (const input of [...sampled, ...written]) {
    const { protocol } = input['command'] as { protocol: string }
    const expected = alone.get(protocol)?.(input)
    seen.add(`${protocol} ${String(expected?.effect)}`)
    if (!isDeepStrictEqual(together(input), expected)) t.fail(JSON.stringify(input))
  }
  for (const each of ['ssh allow', 'ssh deny', 'postgres deny', 'kubernetes deny']) t.ok(seen.has(each), each)
})
