import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { checkRules } from '../../src/config/rules.ts'
import { configuration } from '../../src/config/schema.ts'
import { keysOf } from './keys.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

/** What the table calls a target's keys by: they are long enough without their beginning. */
const TARGET = 'targets.*.'

t.test('every key of the configuration has a line in the table of the README', async (t) => {
  const keys = new Set(keysOf(configuration).map((key) => (key.startsWith(TARGET) ? key.slice(TARGET.length) : key)))
  const listed = new Set(
    README.split('\n').flatMap((line) => /^\| (`[^|]+) \|/.exec(line)?.[1]?.match(/[^`\s,]+/g) ?? []),
  )
  for (const key of keys) t.ok(listed.has(key), key)
})

t.test('the examples of the README are configurations without a mistake and without a weakness', async (t) => {
  const examples = [...README.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']) => text)
  t.ok(examples.length > 0)
  const protocols = examples.flatMap((text) => {
    const example = configuration.parse(parse(text))
    t.same(checkRules(example), [])
    return Object.values(example.targets).map(({ protocol }) => protocol)
  })
  t.same(new Set(protocols), new Set(['postgres', 'ssh', 'kubernetes']))
})
