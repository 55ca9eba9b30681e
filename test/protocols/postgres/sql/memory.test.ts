import t from 'tap'
import { fileURLToPath } from 'node:url'
import { run } from '../../../support/process.ts'

/** Far below what optimising the grammar takes (600 MiB), far above what parsing does (about 100 MiB). */
const MOST_MIB = 300
const PARSER = fileURLToPath(new URL('../../../../src/protocols/postgres/sql/parse.ts', import.meta.url))
const LIMITS = fileURLToPath(new URL('../../../../src/config/schema.ts', import.meta.url))

const SCRIPT = `
import { readFileSync } from 'node:fs'
import { loadParser, parse } from ${JSON.stringify(PARSER)}
import { POSTGRES_LIMITS } from ${JSON.stringify(LIMITS)}
await loadParser()
for (let round = 0; round < 300; round++) {
  for (let n = 0; n < 100; n++) parse(\`SELECT a FROM t WHERE b = \${n} AND c IN (SELECT d FROM u WHERE e = '\${round}')\`, POSTGRES_LIMITS)
  await new Promise((resolve) => setImmediate(resolve))
}
await new Promise((resolve) => setTimeout(resolve, 500))
console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
`

t.test('parsing for long never takes the memory that optimising the grammar would', async (t) => {
  const done = await run(process.execPath, ['--input-type=module', '--eval', SCRIPT], { ms: 60_000 })
  t.equal(done.code, 0, done.stderr)
  const most = Number(done.stdout) / 1024
  t.ok(most > 0 && most < MOST_MIB, `${most.toFixed(0)} MiB at most`)
})
