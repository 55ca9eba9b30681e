import fc from 'fast-check'
import t from 'tap'
import { compileMasks, type CompiledMasks, planMasks } from '../../../../src/protocols/postgres/masking.ts'
import { parseColumnName, quoted } from '../../../../src/protocols/postgres/masking/names.ts'
import { catalogueOf, functionOf, maskOf, relationOf, statementOf } from './sketch.ts'

const relations = [
  relationOf(1, 'root', ['id', 'ssn']),
  relationOf(2, 'parent', ['id', 'ssn'], { parents: [1], children: [3, 4] }),
  relationOf(3, 'child', ['id', 'ssn', 'own'], { parents: [2, 6] }),
  relationOf(4, 'sibling', ['id', 'ssn'], { parents: [2] }),
  relationOf(5, 'other', ['id', 'Odd "name"']),
  relationOf(6, 'side', ['own']),
  relationOf(7, 'shows', ['id'], { kind: 'view', reads: [5] }),
  relationOf(8, 'deeper', ['id'], { kind: 'view', reads: [7] }),
  relationOf(9, 'ruled', ['id'], { rules: true }),
  relationOf(10, 'triggered', ['id'], { triggers: true }),
  relationOf(11, 'cascading', ['id'], { cascades: [{ oid: 5, onDelete: 'delete', onUpdate: [] }] }),
  relationOf(12, 'referred', ['id'], { cascades: [{ oid: 5, onDelete: null, onUpdate: [] }] }),
]
const functions = new Map([
  ['lower', [functionOf('lower', 'pure')]],
  ['max', [functionOf('max', 'pure'), functionOf('max', 'unknown', { schema: 'public' })]],
])
const operators = new Map([
  ['=', [functionOf('citext_eq', 'unknown', { schema: 'public', arguments: [20_000, 20_000] })]],
  ['%', [functionOf('similar', 'unknown', { schema: 'public', arguments: [25, 25] })]],
])
const catalogue = catalogueOf({ relations, functions, operators })

const hidden = (masks: CompiledMasks): string[] =>
  [...masks.columns.values()].flatMap((columns) => [...columns.values()].map((mask) => `${mask.column} ${mask.method}`))

function kindOf(sql: string, ...columns: string[]): string {
  const masks = compileMasks(
    columns.map((column) => maskOf(column)),
    catalogue,
  )
  const plan = planMasks(statementOf(sql), masks, catalogue)
  return plan.kind === 'refuse' ? plan.refusal.message : plan.kind
}

t.test('a mask on a table hides the column in all that inherits it, and in all that shows it', (t) => {
  const masks = compileMasks([maskOf('public.parent.ssn')], catalogue)
  t.same(hidden(masks).sort(), [
    'public.child.ssn redact',
    'public.parent.ssn redact',
    'public.root.ssn redact',
    'public.sibling.ssn redact',
  ])
  t.end()
})

t.test('a mask on a child hides what its parents show of it, and leaves their other children alone', (t) => {
  t.same(hidden(compileMasks([maskOf('public.child.ssn')], catalogue)).sort(), [
    'public.child.ssn redact',
    'public.parent.ssn redact',
    'public.root.ssn redact',
  ])
  t.same(hidden(compileMasks([maskOf('public.child.own')], catalogue)).sort(), [
    'public.child.own redact',
    'public.side.own redact',
  ])
  t.end()
})

t.test('where masks meet, the most hiding one holds', (t) => {
  for (const order of [
    ['partial', 'null', 'hash'],
    ['null', 'hash', 'partial'],
  ] as const) {
    const masks = compileMasks(
      order.map((method) => maskOf('public.other.id', method)),
      catalogue,
    )
    t.same(hidden(masks), ['public.other.id null'])
  }
  t.end()
})

t.test('a column that a policy denies may not even be selected', (t) => {
  const masks = compileMasks([maskOf('public.other.id', 'deny')], catalogue)
  const plan = planMasks(statementOf('select id from other'), masks, catalogue)
  t.match(plan, { kind: 'refuse', refusal: { message: /public\.other\.id may not be used/ } })
  t.equal(planMasks(statementOf('select "Odd ""name""" from other'), masks, catalogue).kind, 'clear')
  t.end()
})

t.test('a mask of a column that is not there closes its table, and shows in status', (t) => {
  const masks = compileMasks([maskOf('public.parent.gone'), maskOf('public.nowhere.ssn')], catalogue)
  t.same(masks.unknown, ['public.parent.gone', 'public.nowhere.ssn'])
  for (const table of ['parent', 'child', 'sibling', 'root']) {
    t.match(kindOf(`select 1 from ${table}`, 'public.parent.gone'), /does not have/, table)
  }
  t.equal(kindOf('select 1 from other', 'public.parent.gone'), 'clear')
  t.match(kindOf('select 1 from nowhere', 'public.nowhere.ssn'), /not known/)
  t.end()
})

t.test('a mask that names no column, or is of another kind, refuses all that holds data', (t) => {
  for (const mask of [
    maskOf('other.id'),
    { ...maskOf(''), column: null, detector: 'credit-card' },
    { ...maskOf(''), column: null, path: '$.a' },
  ]) {
    const masks = compileMasks([mask], catalogue)
    t.match(planMasks(statementOf('select 1'), masks, catalogue), {
      kind: 'refuse',
      refusal: { code: 'obligation.unsupported' },
    })
    t.equal(planMasks(statementOf('rollback'), masks, catalogue).kind, 'clear')
  }
  t.end()
})

t.test('views are closed at any depth, rules always, and what triggers do is never quoted', (t) => {
  t.match(kindOf('select id from shows', 'public.other.id'), /shows a table/)
  t.match(kindOf('select id from deeper', 'public.other.id'), /shows a table/)
  t.match(kindOf("insert into ruled values ('1')", 'public.other.id'), /rules/)
  const masks = compileMasks([maskOf('public.other.id')], catalogue)
  t.match(planMasks(statementOf("insert into triggered values ('1')"), masks, catalogue), {
    kind: 'clear',
    scrub: true,
  })
  t.match(planMasks(statementOf("insert into root values ('1')"), masks, catalogue), { kind: 'clear', scrub: false })
  for (const [table, scrub] of Object.entries({
    root: false,
    referred: false,
    cascading: true,
    triggered: true,
    parent: true,
  })) {
    t.match(planMasks(statementOf(`delete from ${table}`), masks, catalogue), { kind: 'clear', scrub }, table)
    t.match(planMasks(statementOf(`update ${table} set id = '1'`), masks, catalogue), { kind: 'clear', scrub }, table)
  }
  t.match(planMasks(statementOf('commit'), masks, catalogue), { kind: 'clear', scrub: true })
  t.match(planMasks(statementOf('begin'), masks, catalogue), { kind: 'clear', scrub: false })
  t.end()
})

t.test('a function or operator that could be another than the builtin is refused', (t) => {
  t.equal(kindOf('select lower(id) from root', 'public.other.id'), 'clear')
  t.match(kindOf('select max(id) from root', 'public.other.id'), /function max may read/)
  t.match(kindOf("select id from root where id % 'x'", 'public.other.id'), /operator %/)
  t.equal(kindOf("select id from root where id = 'x'", 'public.other.id'), 'clear')
  t.equal(kindOf("select text('x')", 'public.other.id'), 'clear')
  t.end()
})

t.test('without masks everything is clear, and the same masks compile once', (t) => {
  const none = compileMasks([], catalogue)
  t.same(planMasks(statementOf('select nobody_knows(1)'), none, catalogue), { kind: 'clear', scrub: false })
  const list = [maskOf('public.other.id')]
  t.equal(compileMasks(list, catalogue), compileMasks(list, catalogue))
  const newer = catalogueOf({ relations })
  t.not(compileMasks(list, newer), compileMasks(list, catalogue))
  t.match(planMasks(statementOf('select 1'), compileMasks(list, catalogue), newer), { kind: 'refuse' })
  t.end()
})

t.test('what EXECUTE and FETCH show is what they run', (t) => {
  const masks = compileMasks([maskOf('public.other.id')], catalogue)
  const plan = (sql: string) => planMasks(statementOf(sql), masks, catalogue)
  const inner = plan('select id from other')
  t.equal(inner.kind, 'mask')
  t.equal(planMasks(statementOf('execute p'), masks, catalogue, inner), inner)
  t.equal(planMasks(statementOf('fetch all from c'), masks, catalogue, inner), inner)
  t.match(planMasks(statementOf('execute p (nobody(1))'), masks, catalogue, inner), { kind: 'refuse' })
  t.match(planMasks(statementOf('explain execute p'), masks, catalogue, inner), { kind: 'clear', scrub: true })
  t.match(planMasks(statementOf('create table t as execute p'), masks, catalogue, inner), { kind: 'refuse' })
  const clear = plan('select count(*) from root')
  t.match(planMasks(statementOf('create table t as execute p'), masks, catalogue, clear), { kind: 'refuse' })
  t.match(planMasks(statementOf('create table t as execute p'), masks, catalogue, { kind: 'clear', scrub: false }), {
    kind: 'clear',
  })
  for (const sql of ['execute p', 'fetch c', 'explain execute p', 'create table t as execute p'])
    t.match(plan(sql), { kind: 'refuse' })
  t.end()
})

t.test('columns that grow without end are refused, as the server would refuse them', (t) => {
  const masks = compileMasks([maskOf('public.other.id')], catalogue)
  const doubled = Array.from({ length: 24 }, (_, at) => `a${at + 1} as (select x.*, y.* from a${at} x, a${at} y)`)
  const sql = `with a0 as (select 1 as one), ${doubled.join()} select 1 from a24`
  t.match(planMasks(statementOf(sql), masks, catalogue), { refusal: { message: /more than 1664 columns/ } })
  t.end()
})

t.test('a tree too deep for the stack is refused, not run', (t) => {
  let tree: Record<string, unknown> = { A_Const: { ival: { ival: 1 } } }
  for (let depth = 0; depth < 100_000; depth++) tree = { BoolExpr: { boolop: 'NOT_EXPR', args: [tree] } }
  const statement = {
    ...statementOf('select 1'),
    tree: { SelectStmt: { targetList: [{ ResTarget: { val: tree } }], op: 'SETOP_NONE' } },
  }
  const masks = compileMasks([maskOf('public.other.id')], catalogue)
  t.match(planMasks(statement, masks, catalogue), { kind: 'refuse' })
  t.end()
})

t.test('names of columns are read as SQL reads them', (t) => {
  t.same(parseColumnName('Public.Customers.SSN'), { schema: 'public', table: 'customers', column: 'ssn' })
  t.same(parseColumnName('"a.b"."C""d".é$1'), { schema: 'a.b', table: 'C"d', column: 'é$1' })
  for (const wrong of ['', 'a.b', 'a.b.c.d', 'a..c', 'a.b.', '"a.b.c', 'a.b.c ', 'a.b.1', '"".b.c']) {
    t.equal(parseColumnName(wrong), null, wrong)
  }
  const part = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(part, part, part, (schema, table, column) => {
      const parsed = parseColumnName(quoted(schema, table, column))
      return parsed?.schema === schema && parsed.table === table && parsed.column === column
    }),
  )
  t.end()
})
