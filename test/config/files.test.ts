import t from 'tap'
import { FILE_KEYS } from '../../src/config/files.ts'
import { configuration } from '../../src/config/schema.ts'

interface Definition {
  readonly shape?: Readonly<Record<string, { readonly def: Definition }>>
  readonly innerType?: { readonly def: Definition }
  readonly in?: { readonly def: Definition }
  readonly valueType?: { readonly def: Definition }
  readonly options?: readonly { readonly def: Definition }[]
}

/** Every key of the schema, with `*` for names that the user chooses. */
function keysOf({ shape, innerType, in: input, valueType, options }: Definition, above: string): string[] {
  const inner = innerType ?? input
  if (inner !== undefined) return keysOf(inner.def, above)
  if (options !== undefined) return options.flatMap((option) => keysOf(option.def, above))
  if (valueType !== undefined) return keysOf(valueType.def, `${above}*.`)
  if (shape === undefined) return [above.slice(0, -1)]
  return Object.entries(shape).flatMap(([key, value]) => keysOf(value.def, `${above}${key}.`))
}

/** What such keys are called everywhere in the schema. */
const NAMES_A_FILE = /(File|\.file|\.directory|\.ca|\.cert|\.key)$/

t.test('every key that names a file is looked into before the sidecar starts', async (t) => {
  const named = new Set(keysOf(configuration.def as unknown as Definition, '').filter((key) => NAMES_A_FILE.test(key)))
  t.same([...named].sort(), FILE_KEYS.map(([key]) => key).sort())
})
