/** Names of the columns that a query gives, as far as its text says. */
import { fieldsOf, list, qualified, stringOf, struct, text, type Fields } from './nodes.ts'

/** The output columns of a SELECT; null where a star or an expression's own name would have to be known. */
export function outputs(select: Fields): ReadonlySet<string> | null {
  const left = struct(select['larg'])
  if (left !== undefined) return outputs(left)
  const values = list(select['valuesLists'])
  if (values.length > 0) {
    return new Set(list(fieldsOf(values[0], 'List')?.['items']).map((_, at) => `column${at + 1}`))
  }
  return targetNames(select['targetList'])
}

/** The output columns of a query of any kind: those of SELECT, or of RETURNING. */
export function returned(query: unknown): ReadonlySet<string> | null {
  const select = fieldsOf(query, 'SelectStmt')
  if (select !== undefined) return outputs(select)
  for (const kind of ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'] as const) {
    const write = fieldsOf(query, kind)
    if (write !== undefined) return targetNames(struct(write['returningClause'])?.['exprs'])
  }
  return null
}

function targetNames(targets: unknown): ReadonlySet<string> | null {
  const names = new Set<string>()
  for (const node of list(targets)) {
    const target = fieldsOf(node, 'ResTarget')
    const name = text(target?.['name']) ?? ownName(target?.['val'])
    if (name === null) return null
    names.add(name)
  }
  return names
}

function ownName(value: unknown): string | null {
  const column = fieldsOf(value, 'ColumnRef')
  if (column !== undefined) return stringOf(list(column['fields']).at(-1))
  const call = fieldsOf(value, 'FuncCall')
  if (call !== undefined) return qualified(call['funcname']).name
  const cast = fieldsOf(value, 'TypeCast')
  if (cast !== undefined) return fieldsOf(cast['arg'], 'A_Const') === undefined ? ownName(cast['arg']) : null
  return fieldsOf(value, 'A_Const') === undefined ? null : '?column?'
}
