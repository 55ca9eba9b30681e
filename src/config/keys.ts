/** Which keys a schema knows at a place: for suggestions beside an unknown one. */
import type { z } from 'zod'
import type { KeyPath } from './problem.ts'

/** The parts of a zod schema's definition that lead further down. */
interface Definition {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly discriminator?: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
}

/** All keys that may stand in the mapping at `path`, where `value` is the whole configuration. */
export function keysAt(schema: z.ZodType, path: KeyPath, value: unknown): ReadonlySet<string> {
  let schemas = branches(schema, value)
  let here = value
  for (const part of path) {
    here = child(here, part)
    const inside = here
    schemas = schemas.flatMap((one) => below(one, part)).flatMap((one) => branches(one, inside))
  }
  return new Set(schemas.flatMap((one) => Object.keys(definition(one).shape ?? {})))
}

/** The value under a key, and undefined where there is none. */
export function child(value: unknown, part: string | number): unknown {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined
  return (value as Record<string | number, unknown>)[part]
}

function definition(schema: z.ZodType): Definition {
  return schema.def
}

function below(schema: z.ZodType, part: string | number): z.ZodType[] {
  const { shape, element, valueType } = definition(schema)
  const next = shape === undefined ? (element ?? valueType) : Object.hasOwn(shape, part) ? shape[part] : undefined
  return next === undefined ? [] : [next]
}

/** A schema without its wrappers; of a union, the members that the value may have meant. */
function branches(schema: z.ZodType, value: unknown): z.ZodType[] {
  const { innerType, in: input, options, discriminator } = definition(schema)
  const inner = innerType ?? input
  if (inner !== undefined) return branches(inner, value)
  if (options === undefined) return [schema]
  const meant = options.filter((option) => discriminator === undefined || tells(option, discriminator, value))
  return meant.flatMap((option) => branches(option, value))
}

function tells(option: z.ZodType, discriminator: string, value: unknown): boolean {
  const literal = definition(option).shape?.[discriminator]
  return literal?.safeParse(child(value, discriminator)).success ?? false
}
