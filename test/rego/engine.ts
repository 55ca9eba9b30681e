/** Bundles in the engine that rules by them, and facts that are not what a schema says. */
import { inputOf } from '../../src/gate/input.ts'
import type { Json, JsonObject } from '../../src/gate/json.ts'
import type { Question } from '../../src/gate/ports.ts'
import { readBundle } from '../../src/policy/archive.ts'
import { ENTRYPOINT } from '../../src/policy/attestation.ts'
import { HOST_BUILTINS } from '../../src/policy/builtins.ts'
import { openBundle } from '../../src/policy/bundle.ts'
import { combinerDigest } from '../../src/policy/combiner.ts'
import { InputContract } from '../../src/policy/contract.ts'
import { sampleQuestions } from '../../src/policy/samples.ts'
import { Instance } from '../../src/policy/wasm.ts'
import { WebAssembly } from '../../src/policy/webassembly.ts'
import { buildBundle } from '../support/bundle.ts'

export const contract = InputContract.load()

export const OTHER_VALUES: readonly Json[] = [null, true, false, 0, 7, '', 'x', [], ['x'], {}, { x: 1 }]

export interface Decided {
  readonly effect: string
  readonly reasons: readonly { readonly code: string }[]
  readonly masks: readonly { readonly path: string | null; readonly with: string }[]
}

/** What a bundle, built from the folder, decides of an input. */
export async function evaluator(folder: string): Promise<(input: JsonObject) => Decided> {
  const file = await buildBundle(folder)
  const bundle = await openBundle(await readBundle(file), { key: null, combiners: new Set([combinerDigest()]) })
  const module = await WebAssembly.compile(bundle.wasm)
  const instance = new Instance({ module, entrypoint: ENTRYPOINT, builtins: HOST_BUILTINS, data: bundle.data })
  return (input) => {
    // Its answer is bytes, one to a character.
    const answer = Buffer.from(instance.evaluate(JSON.stringify(input)), 'latin1').toString()
    const [said] = JSON.parse(answer) as [{ result: Decided }]
    return said.result
  }
}

/** Questions of one protocol, about facts that the test gives. */
export function asking(protocol: string): {
  readonly question: (detail: JsonObject) => Question
  readonly asked: (detail: JsonObject) => JsonObject
  readonly fits: (detail: JsonObject) => boolean
} {
  const base = sampleQuestions(contract, 10).find(({ command }) => command.shape.protocol === protocol)
  if (base === undefined) throw new Error(`there is no sample of the protocol ${protocol}`)
  const question = (detail: JsonObject) => ({
    ...base,
    command: { shape: { protocol, action: 'exec', text: '', detail }, varying: {} },
  })
  return {
    question,
    asked: (detail) => inputOf(question(detail)),
    fits: (detail) => contract.checkCommand(question(detail).command) === null,
  }
}

/** Every value that differs from this one in one place: a key that is missing, or a value that is another. */
export function* changed(value: Json): Generator<Json> {
  yield* OTHER_VALUES
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) for (const other of changed(item)) yield value.with(index, other)
  } else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      const { [key]: removed, ...rest } = value
      yield rest
      for (const other of changed(removed ?? null)) yield { ...value, [key]: other }
    }
  }
}

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
