/** WITH: queries that have a name. */
import type { NamedQuery, PlanQuery, Queries } from './expression.ts'
import { renamed } from './from.ts'
import type { Planning } from './planning.ts'
import { because, masked } from './refusing.ts'
import { type Columns, maskedColumn, type Scope } from './scope.ts'
import { list, node, strings, text, type Tree, tree } from './tree.ts'
import { written } from './write.ts'

/**
 * Plans WITH. A query sees those before it; under RECURSIVE also itself and those after it, whose columns are not known
 * yet: these are taken for unmasked, and the statement is refused if any of them turns out not to be.
 */
export function withQueries(
  planning: Planning,
  clause: Tree,
  outer: Scope | null,
  around: Queries,
  query: PlanQuery,
): Queries {
  const parts = list(clause['ctes']).map((part) => node(part).body)
  if (parts.length === 0) return around
  const queries = new Map<string, NamedQuery>(around)
  const recursive = clause['recursive'] === true
  if (recursive) for (const part of parts) queries.set(nameOf(part), { columns: null, awaited: false })
  for (const part of parts) {
    const columns = renamed(commonTable(planning, part, outer, queries, query), strings(part['aliascolnames']))
    const pending = recursive ? queries.get(nameOf(part)) : undefined
    const mask = maskedColumn(columns)
    if (pending?.awaited === true && mask !== null) throw masked(mask.column, 'a recursive query')
    queries.set(nameOf(part), { columns, awaited: false })
  }
  return queries
}

function nameOf(part: Tree): string {
  return text(part['ctename']) ?? ''
}

function commonTable(planning: Planning, part: Tree, outer: Scope | null, queries: Queries, query: PlanQuery): Columns {
  const { kind, body } = node(part['ctequery'])
  const columns =
    kind === 'SelectStmt' ? query(planning, body, outer, queries) : written(kind, body, planning, outer, queries, query)
  if (columns === null) throw because('a query in WITH is not understood', 'write the statement in another way')
  const search = text(tree(part['search_clause'])['search_seq_column'])
  const cycle = tree(part['cycle_clause'])
  const added = [search, text(cycle['cycle_mark_column']), text(cycle['cycle_path_column'])]
  const list = added.flatMap((name) => (name === null ? [] : [{ name, origin: null }]))
  return list.length === 0 ? columns : { list: [...columns.list, ...list], open: columns.open }
}
