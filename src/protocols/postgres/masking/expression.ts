/** Expressions: no masked column may take part in one, at any depth, in any kind of node. */
import type { ColumnMask } from './compile.ts'
import type { Planning } from './planning.ts'
import { because, masked, type Place, wholeRow } from './refusing.ts'
import {
  type Columns,
  maskedColumn,
  maskedInSight,
  type Meaning,
  qualified,
  rangesNamed,
  rangesOf,
  type Scope,
  unqualified,
} from './scope.ts'
import { list, node, string, strings, text, type Tree, tree } from './tree.ts'

/** The queries that WITH has named, innermost last. */
export type Queries = ReadonlyMap<string, NamedQuery>

export interface NamedQuery {
  /** null while it is still being planned: a recursive reference. */
  columns: Columns | null
  /** Something referred to it before its columns were known. */
  awaited: boolean
}

/** Plans a nested SELECT; query.ts has it, which itself needs expressions. */
export type PlanQuery = (planning: Planning, select: Tree, outer: Scope | null, queries: Queries) => Columns

/** Where an expression stands. */
export interface Site {
  readonly planning: Planning
  readonly scope: Scope
  readonly queries: Queries
  readonly query: PlanQuery
}

/** Refuses the expression if a masked column, or a row with one, takes part in it. */
export function expression(value: unknown, site: Site, place: Place): void {
  if (Array.isArray(value)) {
    for (const item of value) expression(item, site, place)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const body = value as Tree
  if ('relname' in body) throw because('a table is named where none was expected', 'write the statement in another way')
  for (const kind in body) {
    const part = body[kind]
    const special = SPECIAL.get(kind)
    if (special === undefined) expression(part, site, place)
    else special(tree(part), site, place)
  }
}

type Special = (body: Tree, site: Site, place: Place) => void

function inside(body: Tree, site: Site, place: Place): void {
  for (const key in body) expression(body[key], site, place)
}

const SPECIAL: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['ColumnRef', (body, site, place) => reference(body, site, place)],
  [
    'FuncCall',
    (body, site, place) => {
      site.planning.call(strings(body['funcname']))
      inside(body, site, place)
    },
  ],
  [
    'A_Expr',
    (body, site, place) => {
      site.planning.operator(strings(body['name']))
      inside(body, site, place)
    },
  ],
  [
    'SortBy',
    (body, site, place) => {
      site.planning.operator(strings(body['useOp']))
      inside(body, site, place)
    },
  ],
  [
    'A_Indirection',
    (body, site, place) => {
      for (const step of list(body['indirection'])) {
        const attribute = string(step)
        if (attribute !== null) site.planning.attribute(attribute)
      }
      inside(body, site, place)
    },
  ],
  ['SubLink', (body, site, place) => sublink(body, site, place)],
  ['SelectStmt', (body, site) => valueOf(body, site)],
  ...['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'RangeVar'].map((kind): [string, Special] => [
    kind,
    () => {
      throw because('a statement is nested where none was expected', 'write the statement in another way')
    },
  ]),
])

function sublink(body: Tree, site: Site, place: Place): void {
  site.planning.operator(strings(body['operName']))
  expression(body['testexpr'], site, place)
  const { kind, body: select } = node(body['subselect'])
  if (kind !== 'SelectStmt') throw because('a subquery is not a query', 'write the statement in another way')
  // EXISTS looks at whether there are rows, never at what they hold.
  if (body['subLinkType'] === 'EXISTS_SUBLINK') site.query(site.planning, select, site.scope, site.queries)
  else valueOf(select, site)
}

function valueOf(select: Tree, site: Site): void {
  const mask = maskedColumn(site.query(site.planning, select, site.scope, site.queries))
  if (mask !== null) throw masked(mask.column, 'a subquery used as a value')
}

function reference(body: Tree, site: Site, place: Place): void {
  const mask = maskIn(meaning(body, site), site)
  if (mask === null) return
  throw mask.row ? wholeRow(mask.mask.column, place) : masked(mask.mask.column, place)
}

function maskIn(found: Meaning, site: Site): { readonly mask: ColumnMask; readonly row: boolean } | null {
  if (found.is === 'column') return found.origin?.mask ? { mask: found.origin.mask, row: false } : null
  if (found.is === 'row') {
    const mask = maskedColumn(found.columns)
    return mask === null ? null : { mask, row: true }
  }
  const mask = maskedInSight(site.scope)
  if (mask === null) return null
  throw because(
    `a name is not known, and could mean the masked column ${mask.column}`,
    'check the names of columns, and qualify them with their table',
  )
}

/** What a ColumnRef means. `t.*` within an expression is the whole row. */
export function meaning(body: Tree, { planning, scope }: Site): Meaning {
  const fields = list(body['fields'])
  const names = strings(fields)
  const star = node(fields.at(-1)).kind === 'A_Star'
  if (names.length !== fields.length - (star ? 1 : 0)) return { is: 'unknown' }
  if (star) {
    const columns = starColumns(names, scope)
    return columns === null ? { is: 'unknown' } : { is: 'row', columns }
  }
  const [last, ...before] = names.toReversed()
  if (last === undefined) return { is: 'unknown' }
  if (before.length === 0) return unqualified(scope, last)
  const found = qualified(rangesFor(before.toReversed(), scope), last)
  if (found.is === 'row') planning.attribute(last)
  return found
}

/** `*` shows all of this level's FROM; `t.*` one range, of this level or of one around it. */
export function starColumns(qualifier: readonly string[], scope: Scope): Columns | null {
  if (qualifier.length === 0) {
    return {
      list: scope.items.flatMap((item) => item.columns.list),
      open: scope.items.some((item) => item.columns.open),
    }
  }
  const ranges = rangesFor(qualifier, scope)
  const [range] = ranges
  return range === undefined || ranges.length > 1 ? null : range.columns
}

function rangesFor(qualifier: readonly string[], scope: Scope) {
  const name = qualifier.at(-1) ?? ''
  const schema = qualifier.at(-2)
  return schema === undefined ? rangesNamed(scope, name) : rangesOf(scope, schema, name)
}

/** The last part of a reference's name: how the server names an output column without an alias. */
export function lastName(body: Tree): string | null {
  return text(string(list(body['fields']).at(-1)))
}
