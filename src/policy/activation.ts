import { setImmediate } from 'node:timers/promises'
import type { Question } from '../gate/ports.ts'
import { ENTRYPOINT } from './attestation.ts'
import type { Bundle } from './bundle.ts'
import { type Builtins, HOST_BUILTINS } from './builtins.ts'
import type { InputContract } from './contract.ts'
import { BundleError } from './errors.ts'
import { Evaluator } from './evaluator.ts'
import { type MemoPlan, memoPlan } from './memo.ts'
import { Policy } from './policy.ts'
import { sampleQuestions } from './samples.ts'
import { WebAssembly, type WasmModule } from './webassembly.ts'

/** A thousand evaluations are when V8 has optimised the module. */
const SAMPLES = 100
const RUNS_PER_SAMPLE = 10
/** The quickest of this many runs tells a slow policy from one that is being compiled. */
const RUNS_TO_JUDGE = 3
/** How long the warm-up of another bundle may keep the event loop from live traffic at a time. */
const SLICE_MS = 2

export interface ActivationSettings {
  readonly contract: InputContract
  /** What the configuration says. */
  readonly mode: 'enforce' | 'observe'
  /** Milliseconds that one evaluation may take. */
  readonly budget: number
  readonly builtins?: Builtins
}

export interface Activated {
  readonly policy: Policy
  readonly plan: MemoPlan
  readonly mode: 'enforce' | 'observe'
  /** Milliseconds that the slowest sample took when it was quickest. */
  readonly slowest: number
}

/** Compiles a bundle, checks that all it needs is there, and warms it up. Throws a {@link BundleError}. */
export async function activate(bundle: Bundle, settings: ActivationSettings): Promise<Activated> {
  const { contract, budget } = settings
  const evaluator = createEvaluator(bundle, await compile(bundle.wasm), settings.builtins ?? HOST_BUILTINS)
  const plan = memoPlan(bundle.attestation)
  // Both must say `observe`, where both say anything: enforcing wins.
  const mode = settings.mode === 'observe' && bundle.mode !== 'enforce' ? 'observe' : 'enforce'
  const policy = new Policy({ evaluator, contract, plan, revision: bundle.revision, mode })
  try {
    return { policy, plan, mode, slowest: await warmUp(policy, sampleQuestions(contract, SAMPLES), budget) }
  } catch (error) {
    policy.close()
    throw error
  }
}

async function compile(wasm: Buffer): Promise<WasmModule> {
  try {
    return await WebAssembly.compile(wasm)
  } catch (error) {
    throw new BundleError('bundle.malformed', 'policy.wasm is not a WebAssembly module', error)
  }
}

function createEvaluator(bundle: Bundle, module: WasmModule, builtins: Builtins): Evaluator {
  try {
    return new Evaluator({ module, entrypoint: ENTRYPOINT, builtins, data: bundle.data })
  } catch (error) {
    if (error instanceof BundleError) throw error
    throw new BundleError('bundle.malformed', 'policy.wasm or its data cannot be loaded', error)
  }
}

/** Milliseconds that this thread has computed: what others do on a busy machine is no fault of the policy's. */
function worked(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Gives what the slowest sample took when it was quickest. */
async function warmUp(policy: Policy, questions: readonly Question[], budget: number): Promise<number> {
  let slowest = 0
  let slice = performance.now()
  for (const question of questions) {
    let quickest = Number.POSITIVE_INFINITY
    for (let run = 1; run <= RUNS_PER_SAMPLE; run++) {
      const before = worked()
      const { failed } = policy.answer(question)
      quickest = Math.min(quickest, worked() - before)
      if (failed)
        throw new BundleError('bundle.warmup', `the policy fails on sample commands: ${policy.lastError ?? ''}`)
      if (run === RUNS_TO_JUDGE && quickest > budget) {
        const message = `one evaluation takes ${quickest.toFixed(1)} ms; the budget is ${budget} ms`
        throw new BundleError('policy.slow', message)
      }
      if (performance.now() - slice > SLICE_MS) {
        await setImmediate()
        slice = performance.now()
      }
    }
    slowest = Math.max(slowest, quickest)
  }
  return slowest
}
