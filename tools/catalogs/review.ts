/** Applies review.yaml: what was judged by hand, and the rules for the rest. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import type { ServerFunction, ServerRelation } from './servers.ts'

export const FUNCTION_CLASSES = ['pure', 'reads', 'session', 'writes', 'external', 'waits', 'unknown'] as const
const SYSTEM_CLASSES = ['open', 'values', 'secret'] as const
type FunctionClass = (typeof FUNCTION_CLASSES)[number]
type SystemClass = (typeof SYSTEM_CLASSES)[number]

function judged<const Classes extends readonly string[]>(classes: Classes) {
  return z.array(
    z.strictObject({ class: z.enum(classes), reason: z.string().min(1), names: z.array(z.string().min(1)).min(1) }),
  )
}

const schema = z.strictObject({ functions: judged(FUNCTION_CLASSES), relations: judged(SYSTEM_CLASSES) })

/** Types that no SQL expression has: a function of them is called by the server only. */
const UNCALLABLE = /^(internal|trigger|event_trigger|.*_handler|pg_ddl_command)$/

export class Review {
  readonly #functions: ReadonlyMap<string, FunctionClass>
  readonly #relations: ReadonlyMap<string, SystemClass>
  readonly #used = new Set<string>()

  constructor(text = readFileSync(new URL('review.yaml', import.meta.url), 'utf8')) {
    const { functions, relations } = schema.parse(parse(text))
    this.#functions = byName(functions)
    this.#relations = byName(relations)
  }

  /** Throws for a volatile function that nobody has judged. */
  functionClass(of: ServerFunction): FunctionClass {
    const judgement = this.#pick(this.#functions, `${of.name}(${of.types})`) ?? this.#pick(this.#functions, of.name)
    if (judgement !== undefined) return judgement
    const types = [of.result, ...of.types.split(', ')]
    if (types.some((type) => UNCALLABLE.test(type))) return 'pure'
    if (of.volatility !== 'v') return 'pure'
    throw new Error(`review.yaml does not judge the volatile function ${of.name}(${of.types})`)
  }

  /** Throws for a relation that nobody has judged. */
  relationClass({ schema, name }: ServerRelation): SystemClass {
    const own = schema === 'pg_catalog' ? name : `${schema}.${name}`
    const judgement = this.#pick(this.#relations, own) ?? this.#pick(this.#relations, `${schema}.*`)
    if (judgement === undefined) throw new Error(`review.yaml does not judge the relation ${schema}.${name}`)
    return judgement
  }

  /** Names that no server has: misspelt, or gone. */
  unused(): readonly string[] {
    return [...this.#functions.keys(), ...this.#relations.keys()].filter((name) => !this.#used.has(name))
  }

  #pick<T>(from: ReadonlyMap<string, T>, name: string): T | undefined {
    const found = from.get(name)
    if (found !== undefined) this.#used.add(name)
    return found
  }
}

function byName<T extends string>(
  groups: readonly { readonly class: T; readonly names: readonly string[] }[],
): ReadonlyMap<string, T> {
  const all = new Map<string, T>()
  for (const { class: its, names } of groups) {
    for (const name of names) {
      if (all.has(name)) throw new Error(`review.yaml judges ${name} twice`)
      all.set(name, its)
    }
  }
  return all
}
