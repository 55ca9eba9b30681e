import { readFileSync } from 'node:fs'
import t from 'tap'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { Instance } from '../../src/policy/wasm.ts'
import { WebAssembly } from '../../src/policy/webassembly.ts'
import { fixture, WASM } from './fixture.ts'

interface Golden {
  readonly entrypoint: string
  readonly input: unknown
  /** Empty where OPA's own interpreter has it undefined. */
  readonly results: readonly unknown[]
}

const golden = JSON.parse(readFileSync(fixture('golden.json'), 'utf8')) as Golden[]
const module = new WebAssembly.Module(WASM)
const instances = new Map<string, Instance>()

function evaluate(entrypoint: string, input: unknown): readonly unknown[] {
  const instance =
    instances.get(entrypoint) ?? new Instance({ module, entrypoint, builtins: HOST_BUILTINS, data: '{}' })
  instances.set(entrypoint, instance)
  const json = Buffer.from(instance.evaluate(JSON.stringify(input)), 'latin1').toString()
  return (JSON.parse(json) as { result: unknown }[]).map(({ result }) => result)
}

t.test('every builtin gives what the real opa gives, and is undefined where it is', async (t) => {
  for (const { entrypoint, input, results } of golden) {
    t.strictSame(evaluate(entrypoint, input), results, `${entrypoint} ${JSON.stringify(input)}`)
  }
})

t.test('the golden cases reach every builtin of the host but the clock', async (t) => {
  t.ok(golden.length > 500)
  const rego = readFileSync(fixture('rego/builtins/builtins.rego'), 'utf8')
  for (const name of HOST_BUILTINS.keys()) t.ok(rego.includes(`${name}(`), name)
})

t.test('the time stands still within one evaluation and moves on between two', async (t) => {
  const first = evaluate('builtins/clock', {})[0] as { same: boolean; now: number }
  t.equal(first.same, true)
  t.ok(Math.abs(first.now / 1e6 - Date.now()) < 60_000)
  await new Promise((resolve) => setTimeout(resolve, 3))
  const second = evaluate('builtins/clock', {})[0] as { same: boolean; now: number }
  t.ok(second.now > first.now)
})
