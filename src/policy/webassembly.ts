/** The part of the WebAssembly JavaScript interface that is used here; TypeScript has it only with a browser's types. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module'
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

export interface WasmGlobal {
  readonly value: number
}

export type WasmExports = Readonly<Record<string, unknown>>

interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: WasmExports }
  readonly Global: new () => WasmGlobal
  readonly LinkError: new () => Error
  compile(bytes: Uint8Array): Promise<WasmModule>
}

export const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface }
