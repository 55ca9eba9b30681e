/** Questions made up from the published schemas, to warm a policy up with and to time it before it is relied on. */
import type { Json, JsonObject } from '../gate/json.ts'
import type { Question } from '../gate/ports.ts'
import type { Principal, TargetIdentity, Workload } from '../gate/principal.ts'
import { context, Session } from '../gate/session.ts'
import type { InputContract } from './contract.ts'
import { isRecord, type SchemaObject } from './schema.ts'

const MOST_ITEMS = 3
/** One sample in this many has long lists, so that rules which are quadratic in them show. */
const LONG_EVERY = 20
const LONG_ITEMS = 40
/** Deep enough for every published schema. */
const MAX_DEPTH = 12

export function sampleQuestions(contract: InputContract, count: number): Question[] {
  const protocols = [...contract.details]
  const questions: Question[] = []
  for (let index = 0; index < count; index++) {
    const [protocol, schema] = protocols[index % protocols.length] ?? []
    if (protocol === undefined || schema === undefined) break
    questions.push(question(new Sampler(index), contract.schema, protocol, schema))
  }
  return questions
}

function question(sampler: Sampler, input: SchemaObject, protocol: string, schema: SchemaObject): Question {
  const parts = sampler.object(input, 0)
  const target = { ...(parts['target'] as unknown as TargetIdentity), protocol }
  const subject = context(parts['principal'] as unknown as Principal, parts['workload'] as unknown as Workload, target)
  const detail = sampler.object(schema, 0)
  const shape = { protocol, action: sampler.word(), text: sampler.word(), detail }
  return { session: new Session(subject, {}), command: { shape, varying: {} }, sequence: 1, grant: null }
}

/** A linear congruential generator: the same samples for every bundle, at every start. */
class Sampler {
  #state: number
  readonly #items: number

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0
    this.#items = seed % LONG_EVERY === LONG_EVERY - 1 ? LONG_ITEMS : MOST_ITEMS
  }

  object(schema: SchemaObject, depth: number): JsonObject {
    const { properties } = schema
    if (!isRecord(properties)) return {}
    return Object.fromEntries(Object.entries(properties).map(([key, member]) => [key, this.value(member, depth + 1)]))
  }

  word(): string {
    return `sample_${this.#below(50)}`
  }

  value(schema: unknown, depth: number): Json {
    if (!isRecord(schema) || depth > MAX_DEPTH) return null
    if (schema['const'] !== undefined) return schema['const'] as Json
    if (Array.isArray(schema['enum'])) return this.#pick(schema['enum']) as Json
    if (Array.isArray(schema['anyOf'])) return this.value(this.#pick(schema['anyOf']), depth + 1)
    const type = Array.isArray(schema['type']) ? this.#pick(schema['type']) : schema['type']
    switch (type) {
      case 'object':
        return this.object(schema, depth)
      case 'array':
        return Array.from({ length: this.#below(this.#items + 1) }, () => this.value(schema['items'], depth + 1))
      case 'integer':
      case 'number':
        return this.#below(1000)
      case 'boolean':
        return this.#below(2) === 1
      case 'string':
        return this.word()
      default:
        return null
    }
  }

  #pick(choices: readonly unknown[]): unknown {
    return choices[this.#below(choices.length)]
  }

  #below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * bound)
  }
}
