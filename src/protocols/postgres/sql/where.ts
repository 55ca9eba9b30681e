/** Whether a WHERE picks rows: it depends on the row that would be written, in every way that it can be true. */
import { constant, fieldsOf, list, strings, type Fields } from './nodes.ts'
import { type Item, type Scope, SYSTEM_COLUMNS } from './scope.ts'
import type { Walk } from './walk.ts'

/** Conditions nested deeper are walked, and count as none. */
const DEEPEST = 100

/** Walks a WHERE. False for none at all, and for one that is true whatever the target's row holds. */
export function bounds(walk: Walk, where: unknown, target: Item, scope: Scope): boolean {
  return where !== undefined && where !== null && picks(where, { walk, target, scope }, false, 0)
}

interface Place {
  readonly walk: Walk
  readonly target: Item
  readonly scope: Scope
}

function picks(node: unknown, place: Place, negated: boolean, depth: number): boolean {
  const boolean = fieldsOf(node, 'BoolExpr')
  if (boolean === undefined) return mentions(node, place) && !isTautology(node, place, negated)
  if (depth > DEEPEST) {
    place.walk.visit(node, place.scope)
    return false
  }
  const args = list(boolean['args'])
  if (boolean['boolop'] === 'NOT_EXPR') return picks(args[0], place, !negated, depth + 1)
  /** All of them are walked, whatever the first says. */
  const each = args.map((arg) => picks(arg, place, negated, depth + 1))
  const either = (boolean['boolop'] === 'OR_EXPR') !== negated
  return either ? each.every(Boolean) && !complementary(args) : each.some(Boolean)
}

/** It names a column of the row that would be written, or a cursor's row. */
function mentions(node: unknown, { walk, target, scope }: Place): boolean {
  if (fieldsOf(node, 'CurrentOfExpr') !== undefined) return true
  const touched = walk.names.watch(target)
  walk.visit(node, scope)
  return touched()
}

/** `x = x`, `x >= x`, `x LIKE '%'`: true for every row that is not NULL there. */
function isTautology(node: unknown, place: Place, negated: boolean): boolean {
  const test = fieldsOf(node, 'NullTest')
  if (test !== undefined) return (test['nulltesttype'] === 'IS_NOT_NULL') !== negated && isNeverNull(test['arg'], place)
  const sublink = fieldsOf(node, 'SubLink')
  if (sublink !== undefined) return !negated && isAmongItself(sublink, place)
  const expression = fieldsOf(node, 'A_Expr')
  if (expression === undefined) return false
  if (expression['kind'] === 'AEXPR_DISTINCT' && constant(expression['rexpr']) === null) {
    return !negated && isNeverNull(expression['lexpr'], place)
  }
  if (comparesWithItself(expression)) return true
  const operator = strings(expression['name']).at(-1) ?? ''
  const right = expression['rexpr']
  const matchesAll = ANYTHING[operator.replace(/^!/, '')]
  if (matchesAll !== undefined) {
    const pattern = constant(right)
    return typeof pattern === 'string' && matchesAll.test(pattern) && operator.startsWith('!') === negated
  }
  const same = negated ? ['<>', '<', '>'] : ['=', '>=', '<=']
  return same.includes(operator) && bare(expression['lexpr']) === bare(right)
}

/** Patterns that every text matches, by operator. */
const ANYTHING: Readonly<Record<string, RegExp | undefined>> = Object.freeze({
  __proto__: null,
  '~~': /^%+$/,
  '~~*': /^%+$/,
  '~': /^\^?(\.\*\$?)?$/,
  '~*': /^\^?(\.\*\$?)?$/,
} as unknown as Record<string, RegExp>)

/** `x IN (SELECT x FROM the same table)`, which has each of its rows. */
function isAmongItself({ subLinkType, testexpr, subselect }: Fields, { target }: Place): boolean {
  const select = fieldsOf(subselect, 'SelectStmt')
  const [from, ...more] = list(select?.['fromClause'])
  if (subLinkType !== 'ANY_SUBLINK' || select === undefined || more.length > 0) return false
  const same = fieldsOf(from, 'RangeVar')?.['relname'] === target.table?.name
  const picks = ['whereClause', 'havingClause', 'limitCount', 'limitOffset'].some((clause) => clause in select)
  const column = strings(fieldsOf(testexpr, 'ColumnRef')?.['fields']).at(-1)
  return (
    same &&
    !picks &&
    column !== undefined &&
    columnsIn(select['targetList']).some((path) => path.endsWith(`.${column}`))
  )
}

/** The column's own NOT NULL says so, or it is one of the system's. */
function isNeverNull(node: unknown, { target }: Place): boolean {
  const name = strings(fieldsOf(node, 'ColumnRef')?.['fields']).at(-1)
  if (name !== undefined && SYSTEM_COLUMNS.has(name)) return true
  return target.table?.relation?.columns.some((column) => column.name === name && column.notNull === true) === true
}

/** One column stands on both sides: `x + 0 = x`, `x IN (x)`, `x BETWEEN x AND x`. Nobody picks rows that way. */
function comparesWithItself({ lexpr, rexpr }: Fields): boolean {
  const left = columnsIn(lexpr)
  return columnsIn(rexpr).some((path) => left.some((other) => path.endsWith(other) || other.endsWith(path)))
}

/** Columns as they are written, `.table.column`: one is another where its name ends like it. */
function columnsIn(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return []
  const names = strings(fieldsOf(node, 'ColumnRef')?.['fields'])
  if (names.length > 0) return [names.map((name) => `.${name}`).join('')]
  return Object.values(node).flatMap(columnsIn)
}

/** `x IS NULL OR x IS NOT NULL`, `p OR NOT p`. */
function complementary(args: readonly unknown[]): boolean {
  const written = new Set(args.map(bare))
  return args.some((arg) => {
    const test = fieldsOf(arg, 'NullTest')
    if (test !== undefined) {
      const other = test['nulltesttype'] === 'IS_NULL' ? 'IS_NOT_NULL' : 'IS_NULL'
      return written.has(bare({ NullTest: { ...test, nulltesttype: other } }))
    }
    const not = fieldsOf(arg, 'BoolExpr')
    return not?.['boolop'] === 'NOT_EXPR' && written.has(bare(list(not['args'])[0]))
  })
}

/** An expression without its places in the text. */
function bare(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value)) ?? ''
}
