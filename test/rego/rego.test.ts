/** Sidegate's own Rego: its tests in the engine that rules by it, and its agreement with what is written in TypeScript. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { MASK_METHODS, RECORD_LEVELS } from '../../src/gate/decision.ts'
import { parseModules } from '../../src/policy/authoring/ast.ts'
import { RESULTS } from '../../src/policy/authoring/results.ts'
import { staged } from '../../src/policy/authoring/stage.ts'
import { runInEngine, testNames } from '../../src/policy/authoring/test.ts'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { combinerSources, type Source } from '../../src/policy/combiner.ts'
import { EFFECTS } from '../../src/protocols/postgres/sql/facts.ts'

const REGO = fileURLToPath(new URL('../../rego/', import.meta.url))

const read = (path: string) => readFileSync(join(REGO, path), 'utf8')

function ownTests(): readonly Source[] {
  return readdirSync(REGO, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('_test.rego'))
    .map((path) => ({ path: path.replace(/^lib\//, ''), text: read(path) }))
}

t.test('every test of the combiner and the helpers passes in the engine as it does in OPA', async (t) => {
  const tests = ownTests()
  const names = testNames(await parseModules(tests))
  const { passed, failed } = await staged([...combinerSources(), ...tests], (stage) => runInEngine(stage, names))
  t.strictSame(failed, [])
  t.ok(passed.length >= 60, `${passed.length} tests ran`)
})

t.test('the combiner takes the keys that the checks take', async (t) => {
  const contract = read('sidegate/contract.rego')
  for (const [kind, judges] of Object.entries(RESULTS)) {
    const [, listed = ''] =
      new RegExp(`_well_formed\\("${kind}", value\\) if \\{\\s*_only\\(value, \\[([^\\]]*)\\]`).exec(contract) ?? []
    t.strictSame(words(listed), Object.keys(judges).sort(), kind)
  }
})

t.test('the combiner hides in the order that the gate hides', async (t) => {
  const order = words(between(read('sidegate/masks.rego'), '_hiding := {', '}'), false)
  t.strictSame(order, [...MASK_METHODS])
})

t.test('the combiner knows the levels of recording that the gate knows', async (t) => {
  const [, levels = ''] = /value\.level in \{([^}]*)\}/.exec(read('sidegate/contract.rego')) ?? []
  t.strictSame(words(levels), [...RECORD_LEVELS].sort())
})

t.test('the schema lists the effects that facts are made of, in their order', async (t) => {
  const schema = JSON.parse(read('schemas/postgres.json')) as {
    properties: { effects: { items: { enum: string[] } } }
  }
  t.strictSame(schema.properties.effects.items.enum, [...EFFECTS])
})

t.test('policies may use every builtin of the host, and nothing that reaches out of it', async (t) => {
  const capabilities = JSON.parse(read('capabilities.json')) as { builtins: { name: string }[] }
  const names = new Set(capabilities.builtins.map(({ name }) => name))
  t.strictSame(
    [...HOST_BUILTINS.keys()].filter((name) => !names.has(name)),
    [],
  )
  for (const refused of [
    'http.send',
    'net.lookup_ip_addr',
    'opa.runtime',
    'rand.intn',
    'uuid.rfc4122',
    'io.jwt.decode',
  ]) {
    t.notOk(names.has(refused), refused)
  }
})

function between(text: string, start: string, end: string): string {
  const from = text.indexOf(start) + start.length
  return text.slice(from, text.indexOf(end, from))
}

function words(text: string, sorted = true): readonly string[] {
  const found = [...text.matchAll(/"(\w+)"/g)].map(([, word]) => word ?? '')
  return sorted ? found.sort() : found
}
