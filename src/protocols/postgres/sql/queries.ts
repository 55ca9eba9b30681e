/** SELECT and what it is made of: WITH, FROM, set operations, locks. */
import { equality, sample } from './expressions.ts'
import { outputs, returned } from './outputs.ts'
import { constant, fieldsOf, list, nameOf, struct, strings, text, type Fields } from './nodes.ts'
import type { Table } from './facts.ts'
import { cteNamed, item, scopeIn, type Cte, type Item, type Scope } from './scope.ts'
import type { Walk } from './walk.ts'

const SELECT_DONE: ReadonlySet<string> = new Set([
  'withClause',
  'fromClause',
  'sortClause',
  'distinctClause',
  'groupClause',
  'larg',
  'rarg',
  'intoClause',
  'lockingClause',
])

export function select(walk: Walk, fields: Fields, outer: Scope): void {
  walk.facts.effects.add('select')
  const into = struct(fields['intoClause'])
  if (into !== undefined) walk.enter('IntoClause', into, outer)
  const ctes = withClause(walk, fields, outer)
  const scope: Scope = { ...scopeIn(outer, ctes), outputs: outputs(fields) }
  const left = struct(fields['larg'])
  const right = struct(fields['rarg'])
  if (left !== undefined && right !== undefined) setOperation(walk, left, right, scope)
  const read = walk.read.length
  for (const from of list(fields['fromClause'])) scope.items.push(...fromItem(walk, from, scope, scope.items))
  if (fields['lockingClause'] !== undefined) locks(walk, walk.read.slice(read))
  walk.children('SelectStmt', fields, scope, SELECT_DONE)
  ordered(walk, fields['sortClause'], scope)
  ordered(walk, fields['distinctClause'], scope)
  grouped(walk, fields['groupClause'], scope)
}

/** The arms see what is around the whole, not each other; ORDER BY of the whole sees its output columns. */
function setOperation(walk: Walk, left: Fields, right: Fields, scope: Scope): void {
  const around = scopeIn(scope.outer, scope.ctes)
  walk.enter('SelectStmt', left, around)
  walk.enter('SelectStmt', right, around)
  scope.items.push(item({ columns: scope.outputs }))
}

/** FOR UPDATE locks rows of everything that FROM reads, subqueries included. */
function locks(walk: Walk, read: readonly Table[]): void {
  walk.facts.effects.add('lock')
  for (const table of read) walk.facts.use(table, 'lock')
}

/** A bare name in ORDER BY or DISTINCT ON is an output column first. */
function ordered(walk: Walk, nodes: unknown, scope: Scope): void {
  for (const node of list(nodes)) {
    const sort = fieldsOf(node, 'SortBy')
    const name = bareName(sort?.['node'] ?? node)
    if (name === null || scope.outputs?.has(name) !== true || sort?.['useOp'] !== undefined) walk.visit(node, scope)
  }
}

/** A bare name in GROUP BY is an input column first; as one of the output it has been walked. */
function grouped(walk: Walk, nodes: unknown, scope: Scope): void {
  for (const node of list(nodes)) {
    const name = bareName(node)
    if (name === null || scope.outputs?.has(name) !== true || hasColumn(scope, name)) walk.visit(node, scope)
  }
}

function hasColumn(scope: Scope, name: string): boolean {
  return scope.items.some(
    ({ table, columns, renamed, members }) =>
      members.length > 0 ||
      renamed.includes(name) ||
      columns?.has(name) === true ||
      (table !== null && (table.relation?.columns.some((column) => column.name === name) ?? true)),
  )
}

function bareName(node: unknown): string | null {
  const fields = list(fieldsOf(node, 'ColumnRef')?.['fields'])
  return fields.length === 1 ? (strings(fields)[0] ?? null) : null
}

/** Walks the WITH queries and answers which of their names are visible to the statement. */
export function withClause(walk: Walk, statement: Fields, outer: Scope): Cte | null {
  const clause = struct(statement['withClause'])
  if (clause === undefined) return outer.ctes
  const queries = list(clause['ctes']).map((node) => fieldsOf(node, 'CommonTableExpr') ?? {})
  let visible = outer.ctes
  if (clause['recursive'] === true) for (const query of queries) visible = named(query, visible)
  for (const query of queries) {
    walk.enter('CommonTableExpr', query, scopeIn(outer, visible))
    if (clause['recursive'] !== true) visible = named(query, visible)
  }
  return visible
}

function named(query: Fields, next: Cte | null): Cte {
  const aliases = strings(query['aliascolnames'])
  const columns = aliases.length > 0 ? null : returned(query['ctequery'])
  return { name: text(query['ctename']) ?? '', columns, next }
}

/** One entry of FROM. `before` is what LATERAL sees. */
export function fromItem(walk: Walk, node: unknown, scope: Scope, before: readonly Item[]): Item[] {
  const name = typeof node === 'object' && node !== null ? nameOf(node) : undefined
  const fields = name === undefined ? undefined : struct((node as Record<string, unknown>)[name])
  if (name === undefined || fields === undefined) {
    walk.visit(node, scope)
    return []
  }
  const lateral = scopeIn(scope.outer, scope.ctes, [...before])
  switch (name) {
    case 'RangeVar':
      return [rangeVar(walk, fields, scope)]
    case 'RangeSubselect':
      return [subselect(walk, fields, fields['lateral'] === true ? lateral : scopeIn(scope.outer, scope.ctes))]
    case 'JoinExpr':
      return join(walk, fields, scope, before)
    case 'RangeTableSample': {
      const items = fromItem(walk, fields['relation'], scope, before)
      sample(walk, fields, lateral)
      return items
    }
    case 'RangeFunction':
      rangeFunction(walk, fields, lateral)
      return [derived(fields, functionColumns(fields))]
    default:
      walk.enter(name, fields, lateral)
      return [derived(fields, null)]
  }
}

function rangeVar(walk: Walk, fields: Fields, scope: Scope): Item {
  const name = text(fields['relname']) ?? ''
  const cte = text(fields['schemaname']) === null ? cteNamed(scope, name) : undefined
  if (cte !== undefined) return derived(fields, cte.columns, name)
  const table = walk.table(fields)
  walk.facts.use(table, 'read')
  walk.read.push(table)
  return baseItem(table, fields)
}

export function baseItem(table: Table, rangeVar: Fields): Item {
  const alias = struct(rangeVar['alias'])
  if (alias === undefined) return item({ name: table.name, schema: table.schema, table })
  return item({ name: text(alias['aliasname']), table, renamed: strings(alias['colnames']) })
}

function derived(fields: Fields, columns: ReadonlySet<string> | null, own: string | null = null): Item {
  const alias = struct(fields['alias'])
  const renamed = strings(alias?.['colnames'])
  return item({ name: text(alias?.['aliasname']) ?? own, renamed, columns: renamed.length > 0 ? null : columns })
}

const CALLS: ReadonlySet<string> = new Set(['functions'])

function rangeFunction(walk: Walk, fields: Fields, scope: Scope): void {
  for (const pair of list(fields['functions'])) {
    const [call, ...definitions] = list(fieldsOf(pair, 'List')?.['items'])
    if (!severalArrays(walk, call, scope)) walk.visit(call, scope)
    walk.visit(definitions, scope)
  }
  walk.children('RangeFunction', fields, scope, CALLS)
}

/** `unnest(a, b)` in FROM is one call of the server's own unnest for each array. */
function severalArrays(walk: Walk, node: unknown, scope: Scope): boolean {
  const call = fieldsOf(node, 'FuncCall')
  const args = list(call?.['args'])
  if (call === undefined || args.length < 2 || Object.keys(call).some((key) => !UNNEST.has(key))) return false
  const [name, ...more] = strings(call['funcname'])
  if (name !== 'unnest' || more.length > 0) return false
  walk.facts.called('pg_catalog', 'unnest', 'pure')
  walk.visit(args, scope)
  return true
}

const UNNEST: ReadonlySet<string> = new Set(['funcname', 'args', 'funcformat', 'location'])

function functionColumns(fields: Fields): ReadonlySet<string> | null {
  const defined = list(fields['coldeflist']).map((node) => text(fieldsOf(node, 'ColumnDef')?.['colname']) ?? '')
  return defined.length > 0 ? new Set(defined) : null
}

function subselect(walk: Walk, fields: Fields, scope: Scope): Item {
  walk.visit(fields['subquery'], scope)
  return derived(fields, returned(fields['subquery']))
}

function join(walk: Walk, fields: Fields, scope: Scope, before: readonly Item[]): Item[] {
  const left = fromItem(walk, fields['larg'], scope, before)
  const right = fromItem(walk, fields['rarg'], scope, [...before, ...left])
  const both = [...left, ...right]
  const using = fields['isNatural'] === true ? common(walk, left, right) : strings(fields['usingClause'])
  for (const column of using) {
    walk.names.inItems(left, column)
    walk.names.inItems(right, column)
  }
  if (using.length > 0) equality(walk)
  walk.visit(fields['quals'], scopeIn(scope.outer, scope.ctes, both))
  const merged = text(struct(fields['join_using_alias'])?.['aliasname'])
  const alias = struct(fields['alias'])
  if (alias !== undefined) {
    return [item({ name: text(alias['aliasname']), members: both, renamed: strings(alias['colnames']) })]
  }
  return merged === null ? both : [...both, item({ name: merged, members: both, qualifiedOnly: true })]
}

/** The columns that NATURAL compares. Where one side is not known, any column may be. */
function common(walk: Walk, left: readonly Item[], right: readonly Item[]): string[] {
  const ours = columnsOf(left)
  const theirs = columnsOf(right)
  if (ours !== null && theirs !== null) return [...ours].filter((name) => theirs.has(name))
  for (const each of [...left, ...right]) walk.names.wholeRow(each)
  equality(walk)
  return []
}

function columnsOf(items: readonly Item[]): ReadonlySet<string> | null {
  const names = new Set<string>()
  for (const { table, columns, renamed, members } of items) {
    const own = table === null ? columns : table.relation?.columns.map((column) => column.name)
    if (own === undefined || own === null || members.length > 0) return null
    for (const [at, name] of [...own].entries()) names.add(renamed[at] ?? name)
  }
  return names
}

/** The outermost LIMIT, where it is a number; WITH TIES may give more. */
export function limitOf(fields: Fields): number | null {
  const limit = constant(fields['limitCount'])
  return typeof limit === 'number' && fields['limitOption'] !== 'LIMIT_OPTION_WITH_TIES' ? limit : null
}
