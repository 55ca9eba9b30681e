/** How the server names an output column that has no alias (FigureColname in its parse_target.c), as far as it matters. */
import { list, node, strings, text, tree } from './tree.ts'

const UNNAMED = '?column?'

/** The names that a kind of expression always has. Others are not predicted. */
const FIXED: ReadonlyMap<string, string> = new Map([
  ['GroupingFunc', 'grouping'],
  ['MergeSupportFunc', 'merge_action'],
  ['A_ArrayExpr', 'array'],
  ['RowExpr', 'row'],
  ['CoalesceExpr', 'coalesce'],
  ['BoolExpr', UNNAMED],
  ['NullTest', UNNAMED],
  ['BooleanTest', UNNAMED],
  ['ParamRef', UNNAMED],
])

interface Figured {
  /** null: not predicted. */
  readonly name: string | null
  /** The name is no more than a guess of the server's, which a cast around it overrides. */
  readonly weak: boolean
}

const UNKNOWN: Figured = { name: null, weak: false }

export function madeUpName(expression: unknown): string | null {
  return figure(expression).name
}

function figure(expression: unknown): Figured {
  const { kind, body } = node(expression)
  switch (kind) {
    case 'ColumnRef':
      return strong(strings([list(body['fields']).at(-1)])[0])
    case 'FuncCall':
      return strong(strings(body['funcname']).at(-1))
    case 'CollateClause':
      return figure(body['arg'])
    case 'A_Indirection':
      return strong(strings(body['indirection']).at(-1))
    case 'MinMaxExpr':
      return strong(body['op'] === 'IS_LEAST' ? 'least' : 'greatest')
    case 'A_Expr':
      return body['kind'] === 'AEXPR_NULLIF' ? strong('nullif') : unnamed()
    case 'A_Const':
      // Older servers take TRUE for a cast.
      return 'boolval' in body ? UNKNOWN : unnamed()
    case 'TypeCast': {
      const inner = figure(body['arg'])
      const type = strings(tree(body['typeName'])['names']).at(-1)
      return inner.weak && type !== undefined ? { name: type, weak: true } : inner
    }
    case 'CaseExpr': {
      const inner = 'defresult' in body ? figure(body['defresult']) : unnamed()
      return inner.weak ? { name: 'case', weak: true } : inner
    }
    case 'SubLink':
      return sublink(text(body['subLinkType']), body['subselect'])
    default: {
      const name = FIXED.get(kind)
      return name === UNNAMED ? unnamed() : strong(name)
    }
  }
}

function sublink(type: string | null, query: unknown): Figured {
  if (type === 'EXISTS_SUBLINK') return strong('exists')
  if (type === 'ARRAY_SUBLINK') return strong('array')
  if (type !== 'EXPR_SUBLINK') return unnamed()
  const [only] = list(node(query).body['targetList'])
  const { body } = node(only)
  return strong(text(body['name']) ?? figure(body['val']).name)
}

function strong(name: string | null | undefined): Figured {
  return name === null || name === undefined ? UNKNOWN : { name, weak: false }
}

function unnamed(): Figured {
  return { name: UNNAMED, weak: true }
}
