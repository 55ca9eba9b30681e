/** What the host and a module made by OPA ask of each other. */
import { BundleError, EvaluationError } from './errors.ts'
import { type WasmExports, type WasmGlobal, type WasmMemory, type WasmModule, WebAssembly } from './webassembly.ts'

/** The ABI that has the one-shot `opa_eval`. */
const ABI_MAJOR = 1
const ABI_MINOR = 2

export const PAGE = 64 * 1024
/** Address space of a new instance: enough for ordinary bundles and inputs, and only touched pages cost memory. */
const INITIAL_PAGES = 32
/** 256 MiB: the largest data (8 MiB, about ten times that once parsed) and the largest input fit; a runaway does not. */
const MAXIMUM_PAGES = 4096

export interface Exports {
  readonly opa_wasm_abi_version: WasmGlobal
  readonly opa_wasm_abi_minor_version: WasmGlobal
  builtins(): number
  entrypoints(): number
  opa_malloc(bytes: number): number
  opa_json_parse(address: number, bytes: number): number
  opa_json_dump(address: number): number
  opa_value_dump(address: number): number
  opa_heap_ptr_get(): number
  opa_eval(
    reserved: number,
    entrypoint: number,
    data: number,
    input: number,
    inputBytes: number,
    heap: number,
    format: number,
  ): number
}

const FUNCTIONS = [
  'builtins',
  'entrypoints',
  'opa_malloc',
  'opa_json_parse',
  'opa_json_dump',
  'opa_value_dump',
  'opa_heap_ptr_get',
  'opa_eval',
] as const

/** Called with the builtin's number and the addresses of its arguments; gives the result's. */
type Builtin = (id: number, addresses: readonly number[]) => number

export function instantiate(module: WasmModule, builtin: Builtin): { memory: WasmMemory; exports: Exports } {
  for (let pages = INITIAL_PAGES; pages <= MAXIMUM_PAGES; pages *= 2) {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: MAXIMUM_PAGES })
    try {
      const instance = new WebAssembly.Instance(module, { env: environment(memory, builtin) })
      return { memory, exports: checkedExports(instance.exports) }
    } catch (error) {
      // A module with much constant text asks for more memory at the start than this was.
      if (!(error instanceof WebAssembly.LinkError) || !/memory/i.test(error.message)) throw error
    }
  }
  throw new BundleError('bundle.malformed', 'policy.wasm asks for more memory than a policy may have')
}

function environment(memory: WasmMemory, builtin: Builtin): Record<string, unknown> {
  const text = (address: number) => {
    const bytes = Buffer.from(memory.buffer)
    return bytes.toString('utf8', address, bytes.indexOf(0, address))
  }
  return {
    memory,
    opa_abort: (address: number) => {
      throw new EvaluationError(text(address))
    },
    // `print` in a policy says nothing here: its text could be the agent's.
    opa_println: () => {},
    opa_builtin0: (id: number) => builtin(id, []),
    opa_builtin1: (id: number, _: number, a: number) => builtin(id, [a]),
    opa_builtin2: (id: number, _: number, a: number, b: number) => builtin(id, [a, b]),
    opa_builtin3: (id: number, _: number, a: number, b: number, c: number) => builtin(id, [a, b, c]),
    opa_builtin4: (id: number, _: number, a: number, b: number, c: number, d: number) => builtin(id, [a, b, c, d]),
  }
}

function checkedExports(exports: WasmExports): Exports {
  const { opa_wasm_abi_version: major, opa_wasm_abi_minor_version: minor } = exports
  const versions = [major, minor].map((global) => (global instanceof WebAssembly.Global ? global.value : -1))
  const [abi = -1, abiMinor = -1] = versions
  if (abi !== ABI_MAJOR || abiMinor < ABI_MINOR) {
    throw new BundleError(
      'bundle.contract',
      `policy.wasm has ABI ${abi}.${abiMinor}; ${ABI_MAJOR}.${ABI_MINOR} or a later ${ABI_MAJOR}.x is needed`,
    )
  }
  for (const name of FUNCTIONS) {
    if (typeof exports[name] !== 'function')
      throw new BundleError('bundle.malformed', `policy.wasm does not export ${name}`)
  }
  return exports as unknown as Exports
}
