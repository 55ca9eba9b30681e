/** SELECT in all its forms: which columns it gives, and that no masked column is shown or compared on the way. */
import { type PlanQuery, expression, type Queries, type Site } from './expression.ts'
import { fromItem } from './from.ts'
import type { Planning } from './planning.ts'
import { because, masked } from './refusing.ts'
import { type Columns, type FromItem, maskedColumn, type Scope } from './scope.ts'
import { outputs, sortItems } from './targets.ts'
import { list, node, type Tree, tree, words } from './tree.ts'
import { withQueries } from './with.ts'

/** All that a SelectStmt can hold. What a later grammar adds is refused until it is understood. */
const CLAUSES: ReadonlySet<string> = new Set(
  words(
    'distinctClause intoClause targetList fromClause whereClause groupClause groupDistinct',
    'havingClause windowClause valuesLists sortClause limitOffset limitCount limitOption',
    'lockingClause withClause op all larg rarg',
  ),
)

/** Plans a SELECT within what is around it. Its columns are bare ones, masked or not, or expressions without any masked. */
export const select: PlanQuery = (planning, body, outer, around) => {
  for (const clause in body) {
    if (!CLAUSES.has(clause)) throw because('a clause of SELECT is not understood', 'write the query in another way')
  }
  const queries = withQueries(planning, tree(body['withClause']), outer, around, select)
  const op = body['op']
  const columns =
    op !== undefined && op !== 'SETOP_NONE'
      ? setOperation(planning, body, outer, queries)
      : 'valuesLists' in body
        ? values(planning, body, outer, queries)
        : plain(planning, body, outer, queries)
  if ('intoClause' in body) {
    const mask = maskedColumn(columns)
    if (mask !== null) throw masked(mask.column, 'a table or view made from a query')
  }
  return columns
}

function plain(planning: Planning, body: Tree, outer: Scope | null, queries: Queries): Columns {
  const items: FromItem[] = []
  for (const item of list(body['fromClause'])) {
    items.push(fromItem(item, { planning, scope: { items, parent: outer }, queries, query: select }, outer))
  }
  const site: Site = { planning, scope: { items, parent: outer }, queries, query: select }
  expression(body['whereClause'], site, 'WHERE')
  expression(body['havingClause'], site, 'HAVING')
  expression(body['windowClause'], site, 'a window definition')
  const columns = outputs(list(body['targetList']), site, 'a select expression')
  sortItems(list(body['groupClause']), columns, site, 'GROUP BY')
  sortItems(list(body['sortClause']), columns, site, 'ORDER BY')
  distinct(list(body['distinctClause']), columns, site)
  limits(body, site)
  return columns
}

function distinct(clause: readonly unknown[], columns: Columns, site: Site): void {
  if (clause.length === 0) return
  const on = clause.filter((item) => node(item).kind !== '')
  if (on.length > 0) {
    sortItems(on, columns, site, 'DISTINCT')
    return
  }
  const mask = maskedColumn(columns)
  if (mask !== null) throw masked(mask.column, 'DISTINCT')
}

function limits(body: Tree, site: Site): void {
  expression(body['limitCount'], site, 'LIMIT or OFFSET')
  expression(body['limitOffset'], site, 'LIMIT or OFFSET')
}

/** Arms are compared, or at least lose their anchors: none may show a masked column. */
function setOperation(planning: Planning, body: Tree, outer: Scope | null, queries: Queries): Columns {
  const arms = [body['larg'], body['rarg']].map((arm) => select(planning, tree(arm), outer, queries))
  for (const arm of arms) {
    const mask = maskedColumn(arm)
    if (mask !== null) throw masked(mask.column, 'UNION, INTERSECT or EXCEPT')
  }
  const left = arms[0] ?? { list: [], open: true }
  const columns = { list: left.list.map((column) => ({ ...column, origin: null })), open: left.open }
  const scope: Scope = { items: [{ columns, ranges: [] }], parent: outer }
  const site: Site = { planning, scope, queries, query: select }
  sortItems(list(body['sortClause']), columns, site, 'ORDER BY')
  limits(body, site)
  return columns
}

function values(planning: Planning, body: Tree, outer: Scope | null, queries: Queries): Columns {
  const site: Site = { planning, scope: { items: [], parent: outer }, queries, query: select }
  const rows = list(body['valuesLists'])
  expression(rows, site, 'VALUES')
  const width = list(node(rows[0]).body['items']).length
  const columns: Columns = {
    list: Array.from({ length: width }, (_, index) => ({ name: `column${index + 1}`, origin: null })),
    open: false,
  }
  sortItems(list(body['sortClause']), columns, site, 'ORDER BY')
  limits(body, site)
  return columns
}
