/**
 * A host for policies that OPA compiled to WebAssembly, over its binary interface (ABI) 1.2:
 * https://www.openpolicyagent.org/docs/wasm
 *
 * An instance that threw is never used again: a throw leaks the module's own stack, and after some hundreds of them
 * every evaluation fails for good.
 */
import { type Builtins, type Call, callBuiltin } from './builtins.ts'
import { type Exports, instantiate, PAGE } from './abi.ts'
import { BundleError, EvaluationError } from './errors.ts'
import type { WasmMemory, WasmModule } from './webassembly.ts'

/** The largest input: one evaluation parses all of it on the event loop, at some 60 MiB/s. */
export const MAX_INPUT_BYTES = 1024 ** 2
/** The largest result: reasons of a few hundred rules. */
export const MAX_RESULT_BYTES = 256 * 1024
/** UTF-8 takes at most three bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Node's own reading of bytes as characters, without the checks of `toString`. */
interface Latin1Buffer extends Buffer<ArrayBuffer> {
  latin1Slice(start: number, end: number): string
}

const view = (memory: ArrayBuffer) => Buffer.from(memory) as Latin1Buffer

/** The input may be evaluated; to be asked before, because {@link Instance.evaluate} takes what it is given. */
export function fits(input: string): boolean {
  if (input.length * BYTES_PER_UNIT <= MAX_INPUT_BYTES) return true
  return input.length <= MAX_INPUT_BYTES && Buffer.byteLength(input) <= MAX_INPUT_BYTES
}

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
    const needed = this.#heap + input.length * BYTES_PER_UNIT
    if (needed > this.#memory.buffer.byteLength) {
      this.#memory.grow(Math.ceil((needed - this.#memory.buffer.byteLength) / PAGE))
    }
    this.#refresh()
    const { read, written } = encoder.encodeInto(input, this.#room)
    if (read !== input.length) throw new EvaluationError('the input was not written whole')
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
