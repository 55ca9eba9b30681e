/** INSERT, UPDATE, DELETE, MERGE and COPY: what is written, and what is read on the way. */
import { fieldsOf, list, struct, strings, text, type Fields } from './nodes.ts'
import type { Access, Effect, Table } from './facts.ts'
import { baseItem, fromItem, withClause } from './queries.ts'
import { item, scopeIn, type Item, type Scope } from './scope.ts'
import { bounds } from './where.ts'
import type { Walk } from './walk.ts'

interface Target {
  readonly table: Table
  readonly item: Item
  readonly scope: Scope
}

/** The relation of a write is never a CTE, whatever WITH names. */
function target(walk: Walk, fields: Fields, outer: Scope, effect: Effect): Target {
  walk.facts.effects.add(effect)
  const ctes = withClause(walk, fields, outer)
  const relation = struct(fields['relation']) ?? {}
  const table = walk.table(relation)
  walk.writes(table)
  const own = baseItem(table, relation)
  return { table, item: own, scope: scopeIn(outer, ctes, [own]) }
}

export function insert(walk: Walk, fields: Fields, outer: Scope): void {
  const { table, item: own, scope } = target(walk, fields, outer, 'insert')
  assigned(walk, table, 'insert', fields['cols'], scope)
  source(walk, fields['selectStmt'], scopeIn(outer, scope.ctes))
  const conflict = struct(fields['onConflictClause'])
  if (conflict !== undefined) onConflict(walk, conflict, table, scope)
  returning(walk, fields, own, scope)
}

const LISTED: ReadonlySet<string> = new Set(['valuesLists', 'limitOption', 'op'])

/** A mere list of VALUES selects nothing. */
function source(walk: Walk, query: unknown, scope: Scope): void {
  const select = fieldsOf(query, 'SelectStmt')
  if (select !== undefined && Object.keys(select).every((key) => LISTED.has(key))) {
    walk.visit(select['valuesLists'], scope)
  } else walk.visit(query, scope)
}

/** The columns that a list assigns; without one, all of them. */
function assigned(walk: Walk, table: Table, access: 'insert' | 'update', targets: unknown, scope: Scope): void {
  const columns = list(targets)
  const names: string[] = []
  if (columns.length === 0) walk.facts.wholeRow(table, access)
  for (const node of columns) {
    const column = fieldsOf(node, 'ResTarget') ?? {}
    const name = text(column['name']) ?? '*'
    names.push(name)
    walk.facts.column(table, access, name)
    walk.visit(column['indirection'], scope)
    walk.visit(column['val'], scope)
  }
  if (access === 'update') walk.writes(table, { access, columns: names })
}

function onConflict(walk: Walk, fields: Fields, table: Table, scope: Scope): void {
  const excluded = item({ name: 'excluded', table, qualifiedOnly: true })
  const both = scopeIn(scope.outer, scope.ctes, [...scope.items, excluded])
  const infer = struct(fields['infer'])
  if (infer !== undefined) {
    for (const node of list(infer['indexElems'])) {
      const name = text(fieldsOf(node, 'IndexElem')?.['name'])
      if (name !== null) walk.facts.column(table, 'read', name)
    }
    walk.enter('InferClause', infer, scope)
  }
  if (fields['action'] === 'ONCONFLICT_UPDATE') {
    walk.facts.effects.add('update')
    assigned(walk, table, 'update', fields['targetList'], both)
  }
  walk.visit(fields['whereClause'], both)
}

export function update(walk: Walk, fields: Fields, outer: Scope): void {
  const { table, item: own, scope } = target(walk, fields, outer, 'update')
  from(walk, fields['fromClause'], scope)
  assigned(walk, table, 'update', fields['targetList'], scope)
  walk.facts.bounded(bounds(walk, fields['whereClause'], own, scope))
  returning(walk, fields, own, scope)
}

export function remove(walk: Walk, fields: Fields, outer: Scope): void {
  const { table, item: own, scope } = target(walk, fields, outer, 'delete')
  deleted(walk, table)
  from(walk, fields['usingClause'], scope)
  walk.facts.bounded(bounds(walk, fields['whereClause'], own, scope))
  returning(walk, fields, own, scope)
}

function deleted(walk: Walk, table: Table): void {
  walk.facts.use(table, 'delete')
  walk.writes(table, { access: 'delete', columns: null })
}

function from(walk: Walk, nodes: unknown, scope: Scope): void {
  for (const node of list(nodes)) scope.items.push(...fromItem(walk, node, scope, scope.items))
}

const MERGES: Readonly<Record<string, { access: Access; effect: Effect } | undefined>> = {
  CMD_INSERT: { access: 'insert', effect: 'insert' },
  CMD_UPDATE: { access: 'update', effect: 'update' },
  CMD_DELETE: { access: 'delete', effect: 'delete' },
  CMD_NOTHING: { access: 'read', effect: 'merge' },
}

export function merge(walk: Walk, fields: Fields, outer: Scope): void {
  const { table, item: own, scope } = target(walk, fields, outer, 'merge')
  scope.items.push(...fromItem(walk, fields['sourceRelation'], scope, []))
  walk.visit(fields['joinCondition'], scope)
  for (const node of list(fields['mergeWhenClauses'])) {
    const clause = fieldsOf(node, 'MergeWhenClause') ?? {}
    const does = MERGES[String(clause['commandType'])] ?? { access: 'unknown', effect: 'unknown' }
    walk.facts.effects.add(does.effect)
    walk.visit(clause['condition'], scope)
    if (does.access === 'insert' || does.access === 'update') {
      assigned(walk, table, does.access, clause['targetList'], scope)
    } else if (does.access === 'delete') deleted(walk, table)
    else walk.facts.use(table, does.access)
    walk.visit(clause['values'], scope)
  }
  returning(walk, fields, own, scope)
}

/** RETURNING also sees the row as it was and as it is, under names that it may choose. */
function returning(walk: Walk, fields: Fields, own: Item, scope: Scope): void {
  const clause = struct(fields['returningClause'])
  if (clause === undefined) return
  const rows = ['old', 'new'].filter((name) => !scope.items.some((each) => each.name === name))
  for (const node of list(clause['options'])) {
    const name = text(fieldsOf(node, 'ReturningOption')?.['value'])
    if (name !== null) rows.push(name)
  }
  const both = rows.map((name) => item({ ...own, name, schema: null, qualifiedOnly: true }))
  walk.visit(clause['exprs'], scopeIn(scope.outer, scope.ctes, [...scope.items, ...both]))
}

export function copy(walk: Walk, fields: Fields, outer: Scope): void {
  const into = fields['is_from'] === true
  walk.facts.effects.add(into ? 'copy-in' : 'copy-out')
  if (fields['is_program'] === true || text(fields['filename']) !== null) walk.facts.effects.add('unsafe-io')
  walk.visit(fields['query'], outer)
  const relation = struct(fields['relation'])
  if (relation === undefined) return
  const table = walk.table(relation)
  const access: Access = into ? 'insert' : 'read'
  if (into) walk.writes(table)
  const columns = strings(fields['attlist'])
  if (columns.length === 0) walk.facts.wholeRow(table, access)
  for (const column of columns) walk.facts.column(table, access, column)
  walk.visit(fields['whereClause'], scopeIn(outer, outer.ctes, [baseItem(table, relation)]))
}
