/**
 * Writes src/protocols/postgres/catalogue/extensions.json from extensions.yaml, without its reasons:
 *
 *   node tools/catalogs/extensions.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { FUNCTION_CLASSES } from './review.ts'

const TARGET = new URL('../../src/protocols/postgres/catalogue/extensions.json', import.meta.url)

const reason = z.string().min(1)
const names = z.array(z.string().min(1)).min(1)
const schema = z.array(
  z.strictObject({
    name: z.string().min(1),
    reason,
    functions: z.array(z.strictObject({ class: z.enum(FUNCTION_CLASSES), reason, names })).default([]),
  }),
)

/** The text of extensions.json. */
export function reviewedExtensions(text = readFileSync(new URL('extensions.yaml', import.meta.url), 'utf8')): string {
  const lines = schema.parse(parse(text)).map(({ name, functions }) => {
    const judged = functions.flatMap((group) => group.names.map((each) => [each, group.class] as const))
    const once = new Set(judged.map(([each]) => each))
    if (once.size < judged.length) throw new Error(`extensions.yaml judges a function of ${name} twice`)
    return `${JSON.stringify(name)}:${JSON.stringify(Object.fromEntries(judged))}`
  })
  return `{\n${lines.join(',\n')}\n}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TARGET, reviewedExtensions())
