/** `sidegate policy test`: a policy's tests in OPA, and the same tests compiled and run by the sidecar's own engine. */
import { HOST_BUILTINS } from '../builtins.ts'
import { combinerSources } from '../combiner.ts'
import { DATA_FILE } from '../signature.ts'
import { WebAssembly } from '../webassembly.ts'
import { Instance } from '../wasm.ts'
import { type Module, parseModules, ruleName } from './ast.ts'
import { opaBuild } from './build.ts'
import { AuthoringError } from './findings.ts'
import { runOpa } from './opa.ts'
import { readSources } from './sources.ts'
import { staged } from './stage.ts'

export interface TestReport {
  readonly passed: boolean
  /** What `opa test` prints. */
  readonly opa: string
  /** Names of tests, as `policy.reporting_test.test_reads`, by what the engine made of them. */
  readonly engine: { readonly passed: readonly string[]; readonly failed: readonly string[] }
}

const MODULE_FILE = 'policy.wasm'

export async function testPolicy(folder: string): Promise<TestReport> {
  const sources = readSources(folder)
  const names = testNames(await parseModules(sources.tests))
  if (names.length === 0) {
    throw new AuthoringError('policy.no-tests', `${folder} has no tests: write rules test_… in *_test.rego`)
  }
  const all = [...combinerSources(), ...sources.rules, ...sources.tests, ...sources.data]
  return staged(all, async (stage) => {
    const { status, stdout, stderr } = await runOpa(['test', '--verbose', '--fail-on-empty', '.'], stage)
    const engine = status === 0 ? await runInEngine(stage, names) : { passed: [], failed: [] }
    return { passed: status === 0 && engine.failed.length === 0, opa: `${stdout}${stderr}`, engine }
  })
}

/** OPA skips `todo_test_…`; everything else that begins with `test_` is a test. */
export function testNames(modules: readonly Module[]): readonly string[] {
  const names = modules.flatMap((module) =>
    module.rules
      .map((rule) => ruleName(rule))
      .filter((name) => name.startsWith('test_'))
      .map((name) => [...module.package, name].join('.')),
  )
  return [...new Set(names)]
}

/** Compiles these tests, and runs each by itself. */
export async function runInEngine(stage: string, names: readonly string[]): Promise<TestReport['engine']> {
  const entrypoints = names.map((name) => name.replaceAll('.', '/'))
  const built = await opaBuild(stage, 'wasm', ...entrypoints)
  const wasm = built.get(MODULE_FILE)
  if (wasm === undefined) throw new AuthoringError('opa.failed', 'opa build left no module')
  const module = await WebAssembly.compile(wasm)
  const data = (built.get(DATA_FILE) ?? Buffer.from('{}')).toString('utf8')
  const passes = (entrypoint: string): boolean => {
    try {
      return isPass(new Instance({ module, entrypoint, builtins: HOST_BUILTINS, data }).evaluate('{}'))
    } catch {
      return false
    }
  }
  const results = names.map((name, index) => ({ name, passed: passes(entrypoints[index] ?? '') }))
  const those = (passed: boolean) => results.filter((each) => each.passed === passed).map(({ name }) => name)
  return { passed: those(true), failed: those(false) }
}

/** True, or for a test of several cases (`test_reads[name] if …`) an object or set of them, not empty and nothing false. */
function isPass(json: string): boolean {
  const [first] = JSON.parse(json) as readonly { readonly result: unknown }[]
  return first !== undefined && holds(first.result)
}

function holds(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return result === true
  const parts = Object.values(result) as readonly unknown[]
  return parts.length > 0 && parts.every((part) => holds(part))
}
