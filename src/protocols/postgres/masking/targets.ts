/** Target lists: the columns that a query or RETURNING gives, and what ORDER BY and its like make of them. */
import { expression, lastName, meaning, type Site, starColumns } from './expression.ts'
import { madeUpName } from './naming.ts'
import { because, masked, type Place } from './refusing.ts'
import { type Columns, maskedColumn, maskedInSight, type ScopeColumn } from './scope.ts'
import { integer, list, node, strings, text, type Tree } from './tree.ts'

/** MaxTupleAttributeNumber of the server, which gives no more: bounds what `*` of `*` of `*` may grow to. */
const MOST_COLUMNS = 1664

/** The columns of a target list. Bare columns keep their origin; a masked one anywhere else is refused. */
export function outputs(targets: readonly unknown[], site: Site, place: Place): Columns {
  const columns: ScopeColumn[] = []
  let open = false
  for (const target of targets) {
    const { kind, body } = node(target)
    if (kind !== 'ResTarget') throw because('a select list is not understood', 'write the statement in another way')
    const shown = output(body, site, place)
    if (columns.length + shown.list.length > MOST_COLUMNS) {
      throw because(`a query gives more than ${MOST_COLUMNS} columns`, 'name the columns that are needed')
    }
    columns.push(...shown.list)
    open ||= shown.open
  }
  for (const { origin } of columns) {
    if (origin?.mask?.method === 'deny') {
      throw because(`column ${origin.mask.column} may not be used at all`, 'name the other columns that are needed')
    }
  }
  return { list: columns, open }
}

function output(target: Tree, site: Site, place: Place): Columns {
  const { kind, body } = node(target['val'])
  const alias = text(target['name'])
  if (kind !== 'ColumnRef') {
    expression(target['val'], site, place)
    const expands = kind === 'A_Indirection' && node(list(body['indirection']).at(-1)).kind === 'A_Star'
    return expands ? { list: [], open: true } : one(alias ?? madeUpName(target['val']), null, alias === null)
  }
  if (node(list(body['fields']).at(-1)).kind === 'A_Star') return star(body, site, place)
  const found = meaning(body, site)
  if (found.is !== 'column' || (found.origin?.mask && !found.certain)) {
    expression(target['val'], site, place)
    return one(alias ?? lastName(body), null)
  }
  return one(alias ?? lastName(body), found.origin)
}

function one(name: string | null, origin: ScopeColumn['origin'], made = false): Columns {
  return { list: [made ? { name, origin, made } : { name, origin }], open: false }
}

function star(body: Tree, site: Site, place: Place): Columns {
  const columns = starColumns(strings(body['fields']), site.scope)
  if (columns !== null) return columns
  const mask = maskedInSight(site.scope)
  if (mask !== null) throw masked(mask.column, place)
  return { list: [], open: true }
}

/**
 * Items of ORDER BY, GROUP BY and DISTINCT ON: positions and names of outputs, and expressions over inputs. A bare name
 * means an output here and an input there; neither may be masked.
 */
export function sortItems(items: readonly unknown[], columns: Columns, site: Site, place: Place): void {
  for (const item of items) {
    const { kind, body } = node(item)
    if (kind === 'SortBy') {
      site.planning.operator(strings(body['useOp']))
      sortItems([body['node']], columns, site, place)
    } else if (kind === 'GroupingSet') sortItems(list(body['content']), columns, site, place)
    else if (kind === 'RowExpr') sortItems(list(body['args']), columns, site, place)
    else if (kind === 'List') sortItems(list(body['items']), columns, site, place)
    else sortItem(item, kind, body, columns, site, place)
  }
}

function sortItem(item: unknown, kind: string, body: Tree, columns: Columns, site: Site, place: Place): void {
  const position = integer(item)
  if (position !== null) {
    const mask = columns.open ? maskedColumn(columns) : (columns.list[position - 1]?.origin?.mask ?? null)
    if (mask !== null) throw masked(mask.column, place)
    return
  }
  const fields = kind === 'ColumnRef' ? strings(body['fields']) : []
  if (fields.length === 1) {
    const named = columns.list.filter((column) => column.name === fields[0])
    const mask = maskedColumn({ list: named, open: false })
    if (mask !== null) throw masked(mask.column, place)
    // An output's name: to ORDER BY it hides any input of that name, to GROUP BY it does not.
    if (named.length > 0 && meaning(body, site).is === 'unknown') return
  }
  expression(item, site, place)
}
