/**
 * The form of libpg-query's trees. A node is `{ Name: { field: … } }`; where the grammar knows a field's struct
 * beforehand it is written without its name, and `structOf` says which one it is.
 */
import type { Node as GrammarNode } from 'libpg-query'
import type { Node } from '../statement.ts'

type NamesOf<T> = T extends T ? keyof T : never

/** Every node of PostgreSQL's grammar and analyser. */
export type NodeName = NamesOf<GrammarNode>

export type Fields = Readonly<Record<string, unknown>>

const STRUCTS: Readonly<Partial<Record<NodeName, Readonly<Record<string, NodeName>>>>> = {
  A_Const: { ival: 'Integer', fval: 'Float', boolval: 'Boolean', sval: 'String', bsval: 'BitString' },
  RangeVar: { alias: 'Alias' },
  IntoClause: { rel: 'RangeVar' },
  JsonReturning: { format: 'JsonFormat' },
  JsonValueExpr: { format: 'JsonFormat' },
  JsonIsPredicate: { format: 'JsonFormat' },
  JoinExpr: { join_using_alias: 'Alias', alias: 'Alias' },
  TypeCast: { typeName: 'TypeName' },
  FuncCall: { over: 'WindowDef' },
  RangeSubselect: { alias: 'Alias' },
  RangeFunction: { alias: 'Alias' },
  RangeTableFunc: { alias: 'Alias' },
  RangeTableFuncCol: { typeName: 'TypeName' },
  ColumnDef: { typeName: 'TypeName', identitySequence: 'RangeVar', collClause: 'CollateClause' },
  TableLikeClause: { relation: 'RangeVar' },
  XmlSerialize: { typeName: 'TypeName' },
  PartitionCmd: { name: 'RangeVar', bound: 'PartitionBoundSpec' },
  OnConflictClause: { infer: 'InferClause' },
  CommonTableExpr: { search_clause: 'CTESearchClause', cycle_clause: 'CTECycleClause' },
  JsonOutput: { typeName: 'TypeName', returning: 'JsonReturning' },
  JsonArgument: { val: 'JsonValueExpr' },
  JsonFuncExpr: {
    context_item: 'JsonValueExpr',
    output: 'JsonOutput',
    on_empty: 'JsonBehavior',
    on_error: 'JsonBehavior',
  },
  JsonTable: { context_item: 'JsonValueExpr', pathspec: 'JsonTablePathSpec', on_error: 'JsonBehavior', alias: 'Alias' },
  JsonTableColumn: {
    typeName: 'TypeName',
    pathspec: 'JsonTablePathSpec',
    format: 'JsonFormat',
    on_empty: 'JsonBehavior',
    on_error: 'JsonBehavior',
  },
  JsonKeyValue: { value: 'JsonValueExpr' },
  JsonParseExpr: { expr: 'JsonValueExpr', output: 'JsonOutput' },
  JsonScalarExpr: { output: 'JsonOutput' },
  JsonSerializeExpr: { expr: 'JsonValueExpr', output: 'JsonOutput' },
  JsonObjectConstructor: { output: 'JsonOutput' },
  JsonArrayConstructor: { output: 'JsonOutput' },
  JsonArrayQueryConstructor: { output: 'JsonOutput', format: 'JsonFormat' },
  JsonAggConstructor: { output: 'JsonOutput', over: 'WindowDef' },
  JsonObjectAgg: { constructor: 'JsonAggConstructor' as const, arg: 'JsonKeyValue' },
  JsonArrayAgg: { constructor: 'JsonAggConstructor' as const, arg: 'JsonValueExpr' },
  InsertStmt: {
    relation: 'RangeVar',
    onConflictClause: 'OnConflictClause',
    returningClause: 'ReturningClause',
    withClause: 'WithClause',
  },
  DeleteStmt: { relation: 'RangeVar', returningClause: 'ReturningClause', withClause: 'WithClause' },
  UpdateStmt: { relation: 'RangeVar', returningClause: 'ReturningClause', withClause: 'WithClause' },
  MergeStmt: { relation: 'RangeVar', returningClause: 'ReturningClause', withClause: 'WithClause' },
  SelectStmt: { intoClause: 'IntoClause', withClause: 'WithClause', larg: 'SelectStmt', rarg: 'SelectStmt' },
  PLAssignStmt: { val: 'SelectStmt' },
  CreateSchemaStmt: { authrole: 'RoleSpec' },
  AlterTableStmt: { relation: 'RangeVar' },
  AlterTableCmd: { newowner: 'RoleSpec' },
  GrantStmt: { grantor: 'RoleSpec' },
  GrantRoleStmt: { grantor: 'RoleSpec' },
  AlterDefaultPrivilegesStmt: { action: 'GrantStmt' },
  CopyStmt: { relation: 'RangeVar' },
  CreateStmt: {
    relation: 'RangeVar',
    partbound: 'PartitionBoundSpec',
    partspec: 'PartitionSpec',
    ofTypename: 'TypeName',
  },
  Constraint: { pktable: 'RangeVar' },
  CreateTableSpaceStmt: { owner: 'RoleSpec' },
  CreateForeignTableStmt: { base: 'CreateStmt' },
  CreateUserMappingStmt: { user: 'RoleSpec' },
  AlterUserMappingStmt: { user: 'RoleSpec' },
  DropUserMappingStmt: { user: 'RoleSpec' },
  CreatePolicyStmt: { table: 'RangeVar' },
  AlterPolicyStmt: { table: 'RangeVar' },
  CreateTrigStmt: { relation: 'RangeVar', constrrel: 'RangeVar' },
  AlterRoleStmt: { role: 'RoleSpec' },
  AlterRoleSetStmt: { role: 'RoleSpec', setstmt: 'VariableSetStmt' },
  CreateSeqStmt: { sequence: 'RangeVar' },
  AlterSeqStmt: { sequence: 'RangeVar' },
  CreateDomainStmt: { typeName: 'TypeName', collClause: 'CollateClause' },
  CreateOpClassStmt: { datatype: 'TypeName' },
  CreateOpClassItem: { name: 'ObjectWithArgs', storedtype: 'TypeName' },
  IndexStmt: { relation: 'RangeVar' },
  CreateFunctionStmt: { returnType: 'TypeName' },
  FunctionParameter: { argType: 'TypeName' },
  AlterFunctionStmt: { func: 'ObjectWithArgs' },
  CallStmt: { funccall: 'FuncCall' },
  RenameStmt: { relation: 'RangeVar' },
  AlterObjectDependsStmt: { relation: 'RangeVar', extname: 'String' },
  AlterObjectSchemaStmt: { relation: 'RangeVar' },
  AlterOwnerStmt: { relation: 'RangeVar', newowner: 'RoleSpec' },
  AlterOperatorStmt: { opername: 'ObjectWithArgs' },
  RuleStmt: { relation: 'RangeVar' },
  CompositeTypeStmt: { typevar: 'RangeVar' },
  ViewStmt: { view: 'RangeVar' },
  AlterDatabaseSetStmt: { setstmt: 'VariableSetStmt' },
  AlterSystemStmt: { setstmt: 'VariableSetStmt' },
  ClusterStmt: { relation: 'RangeVar' },
  VacuumRelation: { relation: 'RangeVar' },
  CreateTableAsStmt: { into: 'IntoClause' },
  RefreshMatViewStmt: { relation: 'RangeVar' },
  ReindexStmt: { relation: 'RangeVar' },
  CreateCastStmt: { sourcetype: 'TypeName', targettype: 'TypeName', func: 'ObjectWithArgs' },
  CreateTransformStmt: { type_name: 'TypeName', fromsql: 'ObjectWithArgs', tosql: 'ObjectWithArgs' },
  ReassignOwnedStmt: { newrole: 'RoleSpec' },
  PublicationTable: { relation: 'RangeVar' },
  PublicationObjSpec: { pubtable: 'PublicationTable' },
}

/** Maps, since a field is called `constructor`. */
const structs = new Map(Object.entries(STRUCTS).map(([name, fields]) => [name, new Map(Object.entries(fields))]))

/** The struct that a node's field holds without naming it. */
export function structOf(node: string, field: string): NodeName | undefined {
  return structs.get(node)?.get(field)
}

const UPPER_A = 65
const UPPER_Z = 90

/** The name of a wrapped node; undefined for a struct, whose fields are all in lower case. */
export function nameOf(value: object): string | undefined {
  for (const key in value) {
    const first = key.charCodeAt(0)
    return first >= UPPER_A && first <= UPPER_Z ? key : undefined
  }
  return undefined
}

/** The fields of a wrapped node of that name; undefined for any other. */
export function fieldsOf(node: unknown, name: NodeName): Fields | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  const fields = (node as Node)[name]
  return typeof fields === 'object' && fields !== null ? (fields as Fields) : undefined
}

export function struct(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** The value of a String node. */
export function stringOf(node: unknown): string | null {
  const fields = fieldsOf(node, 'String')
  if (fields === undefined) return null
  return typeof fields['sval'] === 'string' ? fields['sval'] : ''
}

/** The values of a list of String nodes, others left out. */
export function strings(nodes: unknown): string[] {
  const found: string[] = []
  for (const node of list(nodes)) {
    const value = stringOf(node)
    if (value !== null) found.push(value)
  }
  return found
}

export interface QualifiedName {
  readonly schema: string | null
  readonly name: string
}

/** `name`, `schema.name` or `database.schema.name`. */
export function qualified(nodes: unknown): QualifiedName {
  const parts = strings(nodes)
  return { schema: parts.at(-2) ?? null, name: parts.at(-1) ?? '' }
}

/** A constant as text, as SQL would read it; undefined for anything else, null for NULL. */
export function constant(node: unknown): string | number | boolean | null | undefined {
  const fields = fieldsOf(node, 'A_Const')
  if (fields === undefined) return undefined
  if (fields['isnull'] === true) return null
  const integer = struct(fields['ival'])
  if (integer !== undefined) return typeof integer['ival'] === 'number' ? integer['ival'] : 0
  const boolean = struct(fields['boolval'])
  if (boolean !== undefined) return boolean['boolval'] === true
  const string = struct(fields['sval'])
  if (string !== undefined) return text(string['sval']) ?? ''
  const float = struct(fields['fval'])
  if (float !== undefined) return text(float['fval']) ?? ''
  return text(struct(fields['bsval'])?.['bsval']) ?? ''
}
