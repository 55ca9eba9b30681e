import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { compileSchema } from '../../../../src/policy/schema.ts'
import { structOf } from '../../../../src/protocols/postgres/sql/nodes.ts'
import { analysed, facts, refusalOf, statement } from './fixture.ts'
import { EXAMPLES } from './statements.ts'

void t.test('each statement of the grammar is recognised, and has the action that its power deserves', async (t) => {
  for (const [name, [sql, action]] of Object.entries(EXAMPLES)) {
    const { tree, shape } = statement(sql)
    t.same(Object.keys(tree), [name], sql)
    t.equal(shape.action, action, sql)
    t.notOk(facts(sql).effects.includes('unknown'), `${sql} has no unknown effect`)
  }
})

void t.test('the facts of every statement are as the schema for policies says', async (t) => {
  const schema: unknown = JSON.parse(
    readFileSync(new URL('../../../../rego/schemas/postgres.json', import.meta.url), 'utf8'),
  )
  const valid = compileSchema(schema)
  for (const [sql] of Object.values(EXAMPLES)) {
    const { shape } = statement(sql)
    const detail = { ...shape.detail, parameters: [], transaction: 'idle', phase: 'execute' }
    t.equal(valid(detail, 0), null, `${sql}: ${JSON.stringify(detail)}`)
  }
})

void t.test('statements, shapes and facts are frozen to the ground', async (t) => {
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen))
  for (const [sql] of Object.values(EXAMPLES)) {
    const analysis = analysed(sql)
    t.ok(Object.isFrozen(analysis))
    if (analysis.kind !== 'statements') continue
    for (const { shape, role } of analysis.statements) t.ok(frozen(shape) && Object.isFrozen(role), sql)
  }
})

void t.test('the structs that trees write without their names are those of the grammar', async (t) => {
  const types = createRequire(createRequire(import.meta.url).resolve('libpg-query')).resolve('@pgsql/types')
  const declared = readFileSync(types.replace(/index\.js$/, 'types.d.ts'), 'utf8')
  const fields = [...declared.matchAll(/export interface (\w+) \{([^}]*)\}/g)]
  const structs = new Set(fields.map(([, name]) => name))
  const raw = new Set(rawNodes())
  let compared = 0
  for (const [, name = '', body = ''] of fields) {
    if (!raw.has(name)) continue
    for (const [, field = '', type = ''] of body.matchAll(/(\w+)\?: (\w+);/g)) {
      if (type === 'Node' || !structs.has(type)) continue
      t.equal(structOf(name, field), type, `${name}.${field}`)
      compared += 1
    }
  }
  t.ok(compared > 80)
})

/** Nodes that can be in what the grammar makes. Query trees, plans and the parser's own answers are not. */
function rawNodes(): string[] {
  const handlers = readFileSync(new URL('../../../../src/protocols/postgres/sql/handlers.ts', import.meta.url), 'utf8')
  const others = [...handlers.matchAll(/^ {2}(\w+): (?!never)/gm)].map(([, name = '']) => name)
  return [...others, ...Object.keys(EXAMPLES)].filter((name) => name !== 'IntoClause' && name !== 'CallStmt')
}

void t.test('text that is no SQL, or cannot be text, is refused and never analysed in part', async (t) => {
  t.equal(refusalOf('SELEC 1'), 'command.unparsable')
  t.equal(refusalOf('SELECT 1; DELETE FROM'), 'command.unparsable')
  t.equal(refusalOf('SELECT 1\0; DELETE FROM customers'), 'command.unparsable')
  t.equal(refusalOf("SELECT '\ud800'"), 'command.unparsable')
  t.same(analysed(''), { kind: 'statements', statements: [] })
  t.same(analysed(' ; -- nothing\n/* at all */ ;'), { kind: 'statements', statements: [] })
})
