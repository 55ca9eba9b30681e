/** INSERT, UPDATE, DELETE and MERGE: nothing masked is copied or compared, no masked column is updated. */
import type { Relation } from '../catalogue.ts'
import { expression, type PlanQuery, type Queries, type Site } from './expression.ts'
import { fromItem } from './from.ts'
import { harmless, type Planning } from './planning.ts'
import { because, masked, type Place } from './refusing.ts'
import { type Columns, type FromItem, itemOf, maskedColumn, NO_COLUMNS, type Range, type Scope } from './scope.ts'
import { outputs } from './targets.ts'
import { list, node, text, type Tree, tree } from './tree.ts'
import { withQueries } from './with.ts'

const CLAUSES: Readonly<Record<string, readonly string[]>> = {
  InsertStmt: ['relation', 'cols', 'selectStmt', 'onConflictClause', 'returningClause', 'withClause', 'override'],
  UpdateStmt: ['relation', 'targetList', 'whereClause', 'fromClause', 'returningClause', 'withClause'],
  DeleteStmt: ['relation', 'usingClause', 'whereClause', 'returningClause', 'withClause'],
  MergeStmt: ['relation', 'sourceRelation', 'joinCondition', 'mergeWhenClauses', 'returningClause', 'withClause'],
}

const WRITES = { InsertStmt: insert, UpdateStmt: change, DeleteStmt: change, MergeStmt: merge } as const

/** Plans a write; its columns are those of RETURNING. null: this kind of statement is none. */
export function written(
  kind: string,
  body: Tree,
  planning: Planning,
  outer: Scope | null,
  around: Queries,
  query: PlanQuery,
): Columns | null {
  const clauses = Object.hasOwn(CLAUSES, kind) ? CLAUSES[kind] : undefined
  if (clauses === undefined) return null
  for (const clause in body) {
    if (!clauses.includes(clause)) throw because('a clause of a write is not understood', 'write it in another way')
  }
  const queries = withQueries(planning, tree(body['withClause']), outer, around, query)
  const relation = planning.target(tree(body['relation']))
  if (kind === 'MergeStmt' || runsCode(relation) || (kind !== 'InsertStmt' && carriesOn(relation)))
    planning.scrub = true
  const alias = text(tree(tree(body['relation'])['alias'])['aliasname'])
  const target: Range = {
    name: alias ?? relation.name,
    relation: alias === null ? relation : null,
    columns: planning.columns(relation),
  }
  const site: Site = { planning, scope: { items: [itemOf(target)], parent: outer }, queries, query }
  const columns = WRITES[kind as keyof typeof WRITES](body, target, site, outer)
  planning.refuseGuess(relation, assigned(kind, body))
  return columns
}

/** The columns that it writes; null for all of them. */
function assigned(kind: string, body: Tree): readonly string[] | null {
  const names = (targets: unknown) => list(targets).map((target) => text(node(target).body['name']) ?? '')
  if (kind === 'DeleteStmt') return []
  if (kind === 'UpdateStmt') return names(body['targetList'])
  if (kind === 'MergeStmt' || list(body['cols']).length === 0) return isDefaults(kind, body) ? [] : null
  return [...names(body['cols']), ...names(tree(body['onConflictClause'])['targetList'])]
}

/** INSERT … DEFAULT VALUES */
function isDefaults(kind: string, body: Tree): boolean {
  return kind === 'InsertStmt' && !('selectStmt' in body)
}

/** Triggers, defaults, checks and indexes of what is written run code that may read any table, and whose errors may quote it. */
export function runsCode({ kind, triggers, writing = [] }: Relation): boolean {
  return triggers || kind !== 'table' || writing.some((entry) => !harmless(entry))
}

/** Children and foreign keys carry a change on to tables that the statement does not name, whose errors quote their rows. */
function carriesOn({ children, cascades = [] }: Relation): boolean {
  if (children.length > 0) return true
  return cascades.some(({ onDelete, onUpdate }) => onDelete !== null || onUpdate.length > 0)
}

function insert(body: Tree, target: Range, site: Site, outer: Scope | null): Columns {
  const { kind, body: source } = node(body['selectStmt'])
  if (kind !== '' && kind !== 'SelectStmt') throw because('what is inserted is no query', 'write it in another way')
  if (kind === 'SelectStmt') {
    const mask = maskedColumn(site.query(site.planning, source, outer, site.queries))
    if (mask !== null) throw masked(mask.column, 'a value to be written')
  }
  expression(body['cols'], site, 'a value to be written')
  if ('onConflictClause' in body) onConflict(tree(body['onConflictClause']), target, site)
  return returning(tree(body['returningClause']), site)
}

/** What conflicts is found by comparing: only by columns that are named, and not masked. */
function onConflict(clause: Tree, target: Range, site: Site): void {
  const infer = tree(clause['infer'])
  const elements = list(infer['indexElems'])
  const hidden = maskedColumn(target.columns)
  if (hidden !== null && elements.length === 0) throw masked(hidden.column, 'ON CONFLICT')
  for (const element of elements) {
    const { body } = node(element)
    refuseTarget(text(body['name']), target.columns, 'ON CONFLICT')
    expression(body['expr'], site, 'ON CONFLICT')
  }
  const excluded: FromItem = {
    columns: NO_COLUMNS,
    ranges: [{ name: 'excluded', relation: null, columns: target.columns }],
  }
  const within: Site = { ...site, scope: { items: [...site.scope.items, excluded], parent: site.scope.parent } }
  expression(infer['whereClause'], site, 'ON CONFLICT')
  assignments(list(clause['targetList']), within, 'ON CONFLICT')
  expression(clause['whereClause'], within, 'ON CONFLICT')
}

function refuseTarget(name: string | null, columns: Columns, place: Place): void {
  const mask = columns.list.find((column) => column.name === name)?.origin?.mask
  if (mask) throw masked(mask.column, place)
}

function assignments(targets: readonly unknown[], site: Site, place: Place): void {
  const columns = site.scope.items[0]?.columns ?? NO_COLUMNS
  for (const target of targets) refuseTarget(text(node(target).body['name']), columns, place)
  expression(targets, site, 'a value to be written')
}

/** UPDATE and DELETE. */
function change(body: Tree, _target: Range, site: Site, outer: Scope | null): Columns {
  const items = [...site.scope.items]
  for (const item of [...list(body['fromClause']), ...list(body['usingClause'])]) {
    items.push(fromItem(item, { ...site, scope: { items, parent: outer } }, outer))
  }
  const within: Site = { ...site, scope: { items, parent: outer } }
  assignments(list(body['targetList']), within, 'SET of an UPDATE')
  expression(body['whereClause'], within, 'WHERE')
  return returning(tree(body['returningClause']), within)
}

/** MERGE compares and copies by its nature: neither side may have a masked column. */
function merge(body: Tree, target: Range, site: Site, outer: Scope | null): Columns {
  const source = fromItem(body['sourceRelation'], { ...site, scope: { items: [], parent: outer } }, outer)
  const mask = maskedColumn(target.columns) ?? maskedColumn(source.columns) ?? firstMasked(source)
  if (mask !== null) throw masked(mask.column, 'MERGE')
  const within: Site = { ...site, scope: { items: [...site.scope.items, source], parent: outer } }
  expression(body['joinCondition'], within, 'MERGE')
  expression(body['mergeWhenClauses'], within, 'MERGE')
  returning(tree(body['returningClause']), within)
  // The order of MERGE's columns differs between servers; none of them is masked.
  return 'returningClause' in body ? { list: [], open: true } : NO_COLUMNS
}

function firstMasked(item: FromItem) {
  for (const range of item.ranges) {
    const mask = maskedColumn(range.columns)
    if (mask !== null) return mask
  }
  return null
}

/** RETURNING also knows the row as it was and as it is, under names that it may choose. */
function returning(clause: Tree, site: Site): Columns {
  const exprs = list(clause['exprs'])
  if (exprs.length === 0) return NO_COLUMNS
  const columns = site.scope.items[0]?.columns ?? NO_COLUMNS
  const given = list(clause['options']).flatMap((option) => text(node(option).body['value']) ?? [])
  const ranges = ['old', 'new', ...given].map((name): Range => ({ name, relation: null, columns }))
  const items = [...site.scope.items, { columns: NO_COLUMNS, ranges }]
  return outputs(exprs, { ...site, scope: { items, parent: site.scope.parent } }, 'RETURNING')
}
