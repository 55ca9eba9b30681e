import * as opaModule from '@open-policy-agent/opa-wasm'
import fc from 'fast-check'
import t from 'tap'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { BundleError, EvaluationError } from '../../src/policy/errors.ts'
import { Evaluator } from '../../src/policy/evaluator.ts'
import { Instance, MAX_INPUT_BYTES } from '../../src/policy/wasm.ts'
import { WebAssembly } from '../../src/policy/webassembly.ts'
import { WASM } from './fixture.ts'

const module = new WebAssembly.Module(WASM)
const data = { table: { a: 1, é: { deep: [1.5, null] } } }
const program = (entrypoint: string) => ({ module, entrypoint, builtins: HOST_BUILTINS, data: JSON.stringify(data) })
const read = (bytes: string): unknown => JSON.parse(Buffer.from(bytes, 'latin1').toString())

const ENTRYPOINTS = [
  'echo',
  'reads_only',
  'undefined_often',
  'aggregates',
  'conflict',
  'open_if_not_bad',
  'text',
  'lookup',
]
const word = fc.oneof(fc.constantFrom('a', 'select', 'insert', 'a1', '12', 'é', ''), fc.string({ unit: 'grapheme' }))
const inputs = fc.record(
  {
    text: fc.oneof(word, fc.integer(), fc.constant(null)),
    effects: fc.array(word, { maxLength: 5 }),
    names: fc.oneof(fc.array(word, { maxLength: 3 }), fc.integer()),
    relations: fc.array(fc.record({ name: word, columns: fc.array(word, { maxLength: 3 }) }), { maxLength: 3 }),
    numbers: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 4 }),
    a: fc.boolean(),
    b: fc.boolean(),
    more: fc.jsonValue({ maxDepth: 3 }),
  },
  { requiredKeys: [] },
)

t.test('this host and the one of Open Policy Agent give the same results, or both fail', async (t) => {
  // Its types promise named exports; at run time there is only the default one.
  const { loadPolicySync } = (opaModule as unknown as { readonly default: typeof opaModule }).default
  const copy = new ArrayBuffer(WASM.length)
  new Uint8Array(copy).set(WASM)
  const fresh = () => {
    const policy = loadPolicySync(copy, { initial: 32 }, { 'time.now_ns': () => 0 })
    policy.setData(data)
    return policy
  }
  for (const entrypoint of ENTRYPOINTS) {
    const own = new Evaluator(program(`corpus/${entrypoint}`))
    let oracle = fresh()
    const expected = (json: string): unknown => {
      const bytes = new TextEncoder().encode(json)
      try {
        return oracle.evaluate(bytes.buffer, `corpus/${entrypoint}`)
      } catch {
        oracle = fresh()
        return 'failed'
      }
    }
    const actual = (json: string): unknown => {
      try {
        return read(own.evaluate(json))
      } catch {
        return 'failed'
      }
    }
    fc.assert(
      fc.property(inputs, (input) => {
        const json = JSON.stringify(input)
        return JSON.stringify(actual(json)) === JSON.stringify(expected(json))
      }),
      { numRuns: 150 },
    )
    own.close()
    t.pass(entrypoint)
  }
})

t.test('inputs of every size up to the limit arrive whole, and one byte more is refused', async (t) => {
  const instance = new Instance(program('corpus/echo'))
  for (const size of [0, 1, 65_535, 200_000, MAX_INPUT_BYTES - 2]) {
    const json = `"${'x'.repeat(size)}"`
    if (size < 200_000) t.match(read(instance.evaluate(`{"s":${json}}`)), [{ result: { keys: ['s'] } }])
    else t.doesNotThrow(() => new Instance(program('corpus/reads_only')).evaluate(json))
  }
  const evaluator = new Evaluator(program('corpus/reads_only'))
  for (const text of ['x'.repeat(MAX_INPUT_BYTES), 'é'.repeat(MAX_INPUT_BYTES / 2)]) {
    t.throws(() => evaluator.evaluate(`"${text}"`), EvaluationError)
  }
  t.equal(evaluator.replaced, 0, 'nothing was evaluated, so no instance is lost')
  evaluator.close()
})

t.test('a result that is larger than its limit is an error, never half a result', async (t) => {
  const instance = new Instance(program('corpus/echo'))
  t.throws(() => instance.evaluate(JSON.stringify({ s: 'x'.repeat(300_000) })), EvaluationError)
})

t.test('text that is not JSON is not taken for an absent input that opens something', async (t) => {
  const evaluator = new Evaluator(program('corpus/reads_only'))
  t.same(read(evaluator.evaluate('{"effects":["select"]}')), [{ result: true }])
  for (const broken of ['{"effects":["select"]', '', 'x', '{"effects":["select"]}}']) {
    let result: unknown
    try {
      result = read(evaluator.evaluate(broken))
    } catch {
      result = 'failed'
    }
    if (broken !== '{"effects":["select"]}}') t.notSame(result, [{ result: true }], broken)
  }
  evaluator.close()
})

t.test('an evaluation that fails costs its instance, and the next answers as if nothing had been', async (t) => {
  const evaluator = new Evaluator(program('corpus/conflict'))
  const before = evaluator.memoryBytes
  for (let round = 0; round < 2_000; round++) {
    if (round % 2 === 0) t.throws(() => evaluator.evaluate('{"a":true,"b":true}'), EvaluationError)
    else if (round % 3 === 0) t.throws(() => evaluator.evaluate('{"a":"\\ud800"}'), EvaluationError)
    else t.same(read(evaluator.evaluate('{"a":true,"b":false}')), [{ result: 1 }])
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal(evaluator.memoryBytes, before)
  t.equal(evaluator.replaced, 1_000 + 333)
  evaluator.close()
})

t.test('a policy that needs a builtin which is not offered is refused with its name', async (t) => {
  const builtins = new Map([...HOST_BUILTINS].filter(([name]) => name !== 'sprintf'))
  t.throws(() => new Instance({ ...program('corpus/echo'), builtins }), { code: 'bundle.builtin', message: /sprintf/ })
})

t.test('a module without the entrypoint, or one that is no policy, is refused', async (t) => {
  t.throws(() => new Instance(program('corpus/absent')), { code: 'bundle.contract' })
  t.throws(() => new Instance(program('constructor')), { code: 'bundle.contract' })
  const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))
  t.throws(() => new Instance({ ...program('corpus/echo'), module: empty }), BundleError)
})

t.test('memory that grows in the middle of an evaluation is not lost sight of', async (t) => {
  const { evaluate } = grown()
  for (let round = 0; round < 3; round++) t.match(read(evaluate('x'.repeat(10))), [{ result: {} }])
})

/** Sums up big texts in the module and then calls a builtin of the host, which reads its arguments from memory that grew. */
function grown(): { evaluate(text: string): string } {
  const instance = new Instance({
    ...program('sidegate/decision'),
    data: JSON.stringify({ settings: { allowed: 'x', rounds: 300 } }),
  })
  const before = instance.memoryBytes
  const command = { action: 'select', detail: { parameters: [], transaction: 'idle' } }
  return {
    evaluate(text) {
      const result = instance.evaluate(JSON.stringify({ command: { ...command, text }, principal: { subject: '' } }))
      t.ok(instance.memoryBytes > before)
      return result
    },
  }
}
