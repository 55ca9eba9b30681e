/** FROM: tables, subqueries, queries of WITH, joins, functions. */
import { expression, type Site } from './expression.ts'
import { because, masked } from './refusing.ts'
import {
  type Columns,
  type FromItem,
  itemOf,
  maskedColumn,
  NO_COLUMNS,
  type Range,
  type Scope,
  type ScopeColumn,
} from './scope.ts'
import { list, node, strings, text, type Tree, tree } from './tree.ts'

/**
 * One item of FROM. The site's scope holds the items to its left, which LATERAL and functions see;
 * `outer` is what any other subquery sees.
 */
export function fromItem(value: unknown, site: Site, outer: Scope | null): FromItem {
  const { kind, body } = node(value)
  switch (kind) {
    case 'RangeVar':
      return table(body, site)
    case 'RangeSubselect':
      return subquery(body, site, outer)
    case 'JoinExpr':
      return join(body, site, outer)
    case 'RangeTableSample':
      expression(body['args'], site, 'a function in FROM')
      expression(body['repeatable'], site, 'a function in FROM')
      return fromItem(body['relation'], site, outer)
    case 'RangeFunction':
    case 'RangeTableFunc':
    case 'JsonTable':
      return rows(body, site)
    default:
      throw because('an item of FROM is not understood', 'write the query in another way')
  }
}

function table(body: Tree, site: Site): FromItem {
  const name = text(body['relname']) ?? ''
  const alias = tree(body['alias'])
  const query = 'schemaname' in body ? undefined : site.queries.get(name)
  if (query !== undefined) {
    if (query.columns === null) query.awaited = true
    return itemOf(aliased(alias, name, query.columns ?? { list: [], open: true }))
  }
  const relation = site.planning.relation(body)
  const range = aliased(alias, name, site.planning.columns(relation))
  return itemOf('alias' in body ? range : { ...range, relation })
}

function aliased(alias: Tree, name: string, columns: Columns): Range {
  return {
    name: text(alias['aliasname']) ?? name,
    relation: null,
    columns: renamed(columns, strings(alias['colnames'])),
  }
}

function subquery(body: Tree, site: Site, outer: Scope | null): FromItem {
  const { kind, body: select } = node(body['subquery'])
  if (kind !== 'SelectStmt') throw because('a subquery is not a query', 'write the query in another way')
  // Without LATERAL a name passes over this level's items, as if they were not there.
  const around = body['lateral'] === true ? site.scope : outer
  const columns = site.query(site.planning, select, around, site.queries)
  // A subquery may have no name at all; the empty one is no identifier.
  return itemOf(aliased(tree(body['alias']), '', columns))
}

/** Functions and tables made from documents: what they are given has been checked, so no column of theirs is masked. */
function rows(body: Tree, site: Site): FromItem {
  for (const key in body) if (key !== 'alias') expression(body[key], site, 'a function in FROM')
  const alias = tree(body['alias'])
  const [first] = list(body['functions'])
  const call = node(list(node(first).body['items'])[0])
  const name = call.kind === 'FuncCall' ? (strings(call.body['funcname']).at(-1) ?? '') : ''
  return itemOf(aliased(alias, name, { list: [], open: true }))
}

function join(body: Tree, site: Site, outer: Scope | null): FromItem {
  const left = fromItem(body['larg'], site, outer)
  const lateral: Scope = { items: [...site.scope.items, left], parent: site.scope.parent }
  const right = fromItem(body['rarg'], { ...site, scope: lateral }, outer)
  const merged = mergedNames(body, left.columns, right.columns)
  const compares = merged.length > 0 || body['isNatural'] === true
  const unclear = compares && (unnamed(left.columns) || unnamed(right.columns))
  const columns = merge(merged, left.columns, right.columns, unclear)
  expression(body['quals'], { ...site, scope: { items: [left, right], parent: outer } }, 'a join condition')
  if ('alias' in body) return itemOf(aliased(tree(body['alias']), '', columns))
  const ranges = [...left.ranges, ...right.ranges]
  const using = text(tree(body['join_using_alias'])['aliasname'])
  if (using !== null)
    ranges.push({ name: using, relation: null, columns: merge(merged, NO_COLUMNS, NO_COLUMNS, unclear) })
  return { columns, ranges }
}

/** The columns that USING or NATURAL compares, none of which may be masked. */
function mergedNames(body: Tree, left: Columns, right: Columns): readonly string[] {
  const natural = body['isNatural'] === true
  const names = natural ? namesOf(left).filter((name) => namesOf(right).includes(name)) : strings(body['usingClause'])
  const unclear = natural && (unnamed(left) || unnamed(right))
  for (const column of [...left.list, ...right.list]) {
    const mask = column.origin?.mask
    if (mask && (unclear || column.name === null || names.includes(column.name)))
      throw masked(mask.column, 'a join condition')
  }
  return names
}

/** A column of a name that is not known could be any. */
function unnamed(columns: Columns): boolean {
  return columns.open || columns.list.some(({ name }) => name === null)
}

function namesOf(columns: Columns): readonly string[] {
  return columns.list.flatMap(({ name }) => name ?? [])
}

/** A join's columns: merged ones first, then what is left of the left side, then of the right. */
function merge(names: readonly string[], left: Columns, right: Columns, unclear: boolean): Columns {
  const rest = ({ name }: ScopeColumn): boolean => name === null || !names.includes(name)
  return {
    list: [...names.map((name) => ({ name, origin: null })), ...left.list.filter(rest), ...right.list.filter(rest)],
    open: left.open || right.open || unclear,
  }
}

/** Columns under a list of aliases, which may be shorter than they are. */
export function renamed(columns: Columns, names: readonly string[]): Columns {
  if (names.length === 0) return columns
  const mask = maskedColumn(columns)
  if (columns.open && mask !== null) throw masked(mask.column, 'a list of column aliases')
  if (columns.open) return { list: names.map((name) => ({ name, origin: null })), open: true }
  const list = columns.list.map((column, index): ScopeColumn => {
    const name = names[index]
    return name === undefined ? column : { name, origin: column.origin }
  })
  return { list, open: false }
}
