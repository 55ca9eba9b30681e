import type { z } from 'zod'

interface Definition {
  readonly shape?: Readonly<Record<string, { readonly def: Definition }>>
  readonly innerType?: { readonly def: Definition }
  readonly in?: { readonly def: Definition }
  readonly valueType?: { readonly def: Definition }
  readonly options?: readonly { readonly def: Definition }[]
}

/** Every key of a schema, with `*` for names that the user chooses. */
export function keysOf(schema: z.ZodType): string[] {
  return keysBelow(schema.def as unknown as Definition, '')
}

function keysBelow({ shape, innerType, in: input, valueType, options }: Definition, above: string): string[] {
  const inner = innerType ?? input
  if (inner !== undefined) return keysBelow(inner.def, above)
  if (options !== undefined) return options.flatMap((option) => keysBelow(option.def, above))
  if (valueType !== undefined) return keysBelow(valueType.def, `${above}*.`)
  if (shape === undefined) return [above.slice(0, -1)]
  return Object.entries(shape).flatMap(([key, value]) => keysBelow(value.def, `${above}${key}.`))
}
