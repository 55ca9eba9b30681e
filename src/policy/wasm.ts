/**
 * A host for policies that OPA compiled to WebAssembly, over its binary interface (ABI) 1.2:
 * https://www.openpolicyagent.org/docs/wasm
 *
 * An instance that threw is never used again: a throw leaks the module's own stack, and after some hundreds of them
 * every evaluation fails for good.
 */
import { type Builtins, type Call, callBuiltin } from './builtins.ts'
import { BundleError, EvaluationError } from './errors.ts'
import { type WasmExports, type WasmGlobal, type WasmMemory, type WasmModule, WebAssembly } from './webassembly.ts'

/** The ABI that has the one-shot `opa_eval`. */
const ABI_MAJOR = 1
const ABI_MINOR = 2

const PAGE = 64 * 1024
/** Address space of a new instance: enough for ordinary bundles and inputs, and only touched pages cost memory. */
const INITIAL_PAGES = 32
/** 256 MiB: the largest data (8 MiB, about ten times that once parsed) and the largest input fit; a runaway does not. */
const MAXIMUM_PAGES = 4096

/** The largest input: one evaluation parses all of it on the event loop, at some 60 MiB/s. */
export const MAX_INPUT_BYTES = 1024 ** 2
/** The largest result: reasons of a few hundred rules. */
export const MAX_RESULT_BYTES = 256 * 1024
/** UTF-8 takes at most three bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3

interface Exports {
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

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Node's own reading of bytes as characters, without the checks of `toString`. */
interface Latin1Buffer extends Buffer<ArrayBuffer> {
  latin1Slice(start: number, end: number): string
}

const view = (memory: ArrayBuffer) => Buffer.from(memory) as Latin1Buffer

export interface Program {
  readonly module: WasmModule
  readonly entrypoint: string
  readonly builtins: Builtins
  /** The bundle's data as JSON. */
  readonly data: string
}

/** One instance of the module with its memory. Any error out of {@link evaluate} ends its life. */
export class Instance {
  readonly #memory: WasmMemory
  readonly #exports: Exports
  readonly #entrypoint: number
  readonly #data: number
  /** Where the data ends, and each evaluation begins to write. */
  #heap = 0
  readonly #calls: readonly (Call | undefined)[]
  #buffer: Latin1Buffer
  /** Where the input is written: all memory from the end of the data on. */
  #room: Uint8Array
  /** Nanoseconds since 1970, the same throughout one evaluation; null until it asks. */
  #now: bigint | null = null

  constructor(program: Program) {
    const { memory, exports } = instantiate(program.module, (id, args) => this.#builtin(id, args))
    this.#memory = memory
    this.#exports = exports
    this.#buffer = view(memory.buffer)
    this.#room = this.#buffer
    this.#calls = this.#resolveBuiltins(program.builtins)
    const entrypoints = JSON.parse(this.#text(exports.opa_json_dump(exports.entrypoints()))) as Record<string, number>
    const entrypoint = Object.hasOwn(entrypoints, program.entrypoint) ? entrypoints[program.entrypoint] : undefined
    if (entrypoint === undefined) {
      throw new BundleError('bundle.contract', `policy.wasm has no entrypoint ${program.entrypoint}`)
    }
    this.#entrypoint = entrypoint
    this.#data = this.#load(program.data)
    if (this.#data === 0) throw new BundleError('bundle.malformed', 'data.json cannot be loaded')
    this.#heap = exports.opa_heap_ptr_get()
    this.#room = view(memory.buffer).subarray(this.#heap)
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength
  }

  /** Evaluates the entrypoint. Gives the result's bytes, one character a byte, so that equal strings are equal results. */
  evaluate(input: string): string {
    if (input.length > MAX_INPUT_BYTES) throw new EvaluationError('the input is larger than its limit')
    const needed = this.#heap + input.length * BYTES_PER_UNIT
    if (needed > this.#memory.buffer.byteLength) {
      this.#memory.grow(Math.ceil((needed - this.#memory.buffer.byteLength) / PAGE))
    }
    this.#refresh()
    const { read, written } = encoder.encodeInto(input, this.#room)
    if (read !== input.length || written > MAX_INPUT_BYTES) {
      throw new EvaluationError('the input is larger than its limit')
    }
    this.#now = null
    const free = (this.#heap + written + 7) & ~7
    const address = this.#exports.opa_eval(0, this.#entrypoint, this.#data, this.#heap, written, free, 0)
    this.#refresh()
    const end = this.#end(address)
    if (end - address > MAX_RESULT_BYTES) throw new EvaluationError('the result is larger than its limit')
    return this.#buffer.latin1Slice(address, end)
  }

  /** Memory that grew is another buffer, and all views of the old one are dead: of the host's and of a builtin's doing. */
  #refresh(): void {
    if (this.#buffer.buffer === this.#memory.buffer) return
    this.#buffer = view(this.#memory.buffer)
    this.#room = this.#buffer.subarray(this.#heap)
  }

  #end(address: number): number {
    const end = address === 0 ? -1 : this.#buffer.indexOf(0, address)
    if (end < 0) throw new EvaluationError('the module gave no text where one belongs')
    return end
  }

  #text(address: number): string {
    this.#refresh()
    return decoder.decode(this.#buffer.subarray(address, this.#end(address)))
  }

  /** Puts JSON text into the module as a value; 0 when it is not JSON. */
  #load(json: string): number {
    const bytes = encoder.encode(json)
    const address = this.#exports.opa_malloc(bytes.byteLength)
    new Uint8Array(this.#memory.buffer, address).set(bytes)
    return this.#exports.opa_json_parse(address, bytes.byteLength)
  }

  #resolveBuiltins(builtins: Builtins): readonly (Call | undefined)[] {
    const ids = JSON.parse(this.#text(this.#exports.opa_json_dump(this.#exports.builtins()))) as Record<string, number>
    const missing = Object.keys(ids).filter((name) => !builtins.has(name))
    if (missing.length > 0) {
      throw new BundleError(
        'bundle.builtin',
        `the policy needs builtins that are not offered: ${missing.sort().join(', ')}`,
      )
    }
    const calls: (Call | undefined)[] = []
    for (const [name, id] of Object.entries(ids)) calls[id] = builtins.get(name)
    return calls
  }

  /** A builtin that fails is undefined, as OPA has it without strict errors; address 0 says so. */
  #builtin(id: number, addresses: readonly number[]): number {
    const call = this.#calls[id]
    if (call === undefined) throw new EvaluationError(`builtin ${id} is unknown`)
    const exports = this.#exports
    const texts = addresses.map((address) =>
      this.#text(call.rego === true ? exports.opa_value_dump(address) : exports.opa_json_dump(address)),
    )
    this.#now ??= BigInt(Date.now()) * 1_000_000n
    const result = callBuiltin(call, texts, this.#now)
    if (result === undefined) return 0
    const address = this.#load(result)
    if (address === 0) throw new EvaluationError('a builtin gave something that is not JSON')
    return address
  }
}

type Builtin = (id: number, addresses: readonly number[]) => number

function instantiate(module: WasmModule, builtin: Builtin): { memory: WasmMemory; exports: Exports } {
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
