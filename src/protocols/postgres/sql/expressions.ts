/** What expressions call and which columns they name. */
import { call, candidates } from './functions.ts'
import { fieldsOf, list, qualified, stringOf, strings, struct, text, type Fields } from './nodes.ts'
import type { Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export function columnRef(walk: Walk, fields: Fields, scope: Scope): void {
  const parts = list(fields['fields'])
  const names = strings(parts)
  const star = fieldsOf(parts.at(-1), 'A_Star') !== undefined
  if (star) starRef(walk, names, scope)
  else if (names.length === 1) walk.names.bare(scope, names[0] ?? '')
  else {
    const column = names.at(-1) ?? ''
    const found = walk.names.qualified(scope, names.at(-3) ?? null, names.at(-2) ?? '', column)
    if (found === 'nothing') attribute(walk, column)
  }
}

function starRef(walk: Walk, names: readonly string[], scope: Scope): void {
  const qualifier = names.at(-1)
  if (qualifier === undefined) walk.names.star(scope)
  else walk.names.starOf(scope, names.at(-2) ?? null, qualifier)
}

/** `row.name` is `name(row)` where the row has no such column. */
function attribute(walk: Walk, name: string): void {
  for (const entry of candidates(walk.catalogue, { schema: null, name }, 1)) walk.facts.calledEntry(entry)
}

export function indirection(walk: Walk, fields: Fields, scope: Scope): void {
  walk.visit(fields['arg'], scope)
  for (const step of list(fields['indirection'])) {
    const name = stringOf(step)
    if (name === null) walk.visit(step, scope)
    else attribute(walk, name)
  }
}

export function funcCall(walk: Walk, fields: Fields, scope: Scope): void {
  const called = qualified(fields['funcname'])
  const args = list(fields['args'])
  if (isColumnBefore16(walk, fields, called.name)) {
    walk.names.bare(scope, called.name)
    return
  }
  const counted = fields['func_variadic'] !== true && !args.some((arg) => fieldsOf(arg, 'NamedArgExpr') !== undefined)
  const ordered = fields['agg_within_group'] === true ? list(fields['agg_order']) : []
  if (!isProjection(walk, called, args, scope)) {
    call(walk.facts, walk.catalogue, called, counted ? [...args, ...ordered] : null)
  }
  walk.children('FuncCall', fields, scope, FUNCTION_NAME)
}

/** SYSTEM_USER is a word like any other to servers before 16: a column, if there is one. */
function isColumnBefore16(walk: Walk, fields: Fields, name: string): boolean {
  const bare = fields['args'] === undefined && fields['funcformat'] === 'COERCE_SQL_SYNTAX'
  return name === 'system_user' && bare && walk.catalogue.serverVersion < 160_000
}

const FUNCTION_NAME: ReadonlySet<string> = new Set(['funcname'])

/** `ssn(c)` is `c.ssn` where no function has that name and the row has that column. */
function isProjection(
  walk: Walk,
  { schema, name }: { schema: string | null; name: string },
  args: readonly unknown[],
  scope: Scope,
): boolean {
  if (schema !== null || args.length !== 1 || walk.catalogue.functions(null, name).length > 0) return false
  const [row, ...more] = strings(fieldsOf(args[0], 'ColumnRef')?.['fields'])
  if (row === undefined || more.length > 0) return false
  const table = walk.names.named(scope, null, row)?.table
  return table?.relation?.columns.some((column) => column.name === name) === true
}

/** Functions of users behind an operator; the builtin operators are pure. */
export function operator(walk: Walk, names: unknown): void {
  const { schema, name } = qualified(names)
  for (const written of SPELLED[name] ?? [name]) {
    for (const entry of walk.catalogue.operators(schema, written)) walk.facts.calledEntry(entry)
  }
}

/** BETWEEN comes with its words as its operator's name. */
const SPELLED: Readonly<Record<string, readonly string[]>> = Object.freeze({
  __proto__: null,
  BETWEEN: ['>=', '<='],
  'NOT BETWEEN': ['<', '>'],
  'BETWEEN SYMMETRIC': ['>=', '<='],
  'NOT BETWEEN SYMMETRIC': ['<', '>'],
} as unknown as Record<string, readonly string[]>)

const EQUALS = [{ String: { sval: '=' } }]

export function expression(walk: Walk, fields: Fields, scope: Scope): void {
  operator(walk, fields['name'])
  walk.visit(fields['lexpr'], scope)
  walk.visit(fields['rexpr'], scope)
}

export function subLink(walk: Walk, fields: Fields, scope: Scope): void {
  if (fields['testexpr'] !== undefined) operator(walk, fields['operName'] ?? EQUALS)
  walk.children('SubLink', fields, scope)
}

export function caseExpr(walk: Walk, fields: Fields, scope: Scope): void {
  if (fields['arg'] !== undefined) equality(walk)
  walk.children('CaseExpr', fields, scope)
}

/** `=` without being written: CASE x WHEN, USING, NATURAL. */
export function equality(walk: Walk): void {
  operator(walk, EQUALS)
}

export function sortBy(walk: Walk, fields: Fields, scope: Scope): void {
  if (fields['useOp'] !== undefined) operator(walk, fields['useOp'])
  walk.visit(fields['node'], scope)
}

export function paramRef(walk: Walk, fields: Fields): void {
  const number = fields['number']
  if (typeof number === 'number' && number > walk.facts.parameters) walk.facts.parameters = number
}

/** CURRENT_USER, CURRENT_DATE and their like: functions with a syntax of their own. */
export function sqlValueFunction(walk: Walk, fields: Fields): void {
  const op = text(fields['op']) ?? ''
  walk.facts.called(
    'pg_catalog',
    op
      .replace(/^SVFOP_/, '')
      .replace(/_N$/, '')
      .toLowerCase(),
    'pure',
  )
}

/** A sampling method is a function that reads the table. */
export function sample(walk: Walk, fields: Fields, scope: Scope): void {
  const called = qualified(fields['method'])
  for (const entry of walk.catalogue.functions(called.schema, called.name)) walk.facts.calledEntry(entry)
  if (walk.catalogue.functions(called.schema, called.name).length === 0) {
    walk.facts.called(called.schema, called.name, 'unknown')
  }
  walk.visit(fields['args'], scope)
  walk.visit(fields['repeatable'], scope)
}

/** What becomes a value of a type may call functions of users: the checks of a domain, casts. */
export function typeName(walk: Walk, fields: Fields): void {
  for (const type of becomes(walk, fields)) walk.castTo.add(type)
}

/** A literal is read as a value of the type, and not cast to it. */
export function typeCast(walk: Walk, fields: Fields, scope: Scope): void {
  const literal = fieldsOf(fields['arg'], 'A_Const')
  if (literal !== undefined && (literal['sval'] !== undefined || literal['isnull'] === true)) {
    becomes(walk, struct(fields['typeName']) ?? {})
  } else walk.children('TypeCast', fields, scope)
}

/** The type, and where its name is that of an array what its elements are. */
function becomes(walk: Walk, { names }: Fields): readonly number[] {
  const { schema, name } = qualified(names)
  const written = name.startsWith('_') ? [name, name.slice(1)] : [name]
  const types = written.flatMap((each) => walk.catalogue.type(schema, each) ?? [])
  for (const type of types) {
    walk.types.add(type)
    walk.converts(walk.catalogue.typeChecks?.(type))
  }
  return types
}
