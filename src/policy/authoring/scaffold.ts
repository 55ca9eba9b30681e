/** `sidegate policy new`: a policy to begin with, and its tests. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { AuthoringError } from './findings.ts'

/** Writes the files, into a folder that is empty or not there yet. Gives their paths. */
export function scaffold(folder: string): readonly string[] {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
  if (!/^[a-z]/.test(name)) throw new AuthoringError('policy.name', `name the folder with a letter first, not ${name}`)
  mkdirSync(folder, { recursive: true })
  if (readdirSync(folder).length > 0) throw new AuthoringError('policy.exists', `${folder} is not empty`)
  const files = [
    { path: join(folder, `${name}.rego`), text: rules(name) },
    { path: join(folder, `${name}_test.rego`), text: tests(name) },
  ]
  for (const { path, text } of files) writeFileSync(path, text, { flag: 'wx' })
  return files.map(({ path }) => path)
}

const rules = (name: string) => `# METADATA
# title: What agents may do
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package policy.${name}

import data.sidegate.sql

# Relations that agents may read.
_readable := {"public.orders", "public.products"}

allow contains {"code": "${name}.read"} if sql.reads_only(_readable)

allow contains {"code": "${name}.housekeeping"} if sql.housekeeping

deny contains {
	"code": "${name}.unbounded-write",
	"message": "this changes every row of a table",
	"remedy": "add a WHERE clause",
} if {
	sql.unbounded_write
}

limit contains {"rows": 10000}
`

const tests = (name: string) => `package policy.${name}_test

import data.policy.${name}
import data.sidegate.samples

_reading(table) := samples.postgres({
	"effects": ["select"],
	"relations": [samples.relation("public", table, "read", ["*"])],
})

test_orders_may_be_read if {
	${name}.allow == {{"code": "${name}.read"}} with input as _reading("orders")
}

test_salaries_may_not_be_read if {
	${name}.allow == set() with input as _reading("salaries")
}

test_every_row_at_once_may_not_be_changed if {
	count(${name}.deny) == 1 with input as samples.postgres({"effects": ["delete"]})
}
`
