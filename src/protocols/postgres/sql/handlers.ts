/** What is done at each node of the grammar. A node that is not here is an effect that nobody knows. */
import {
  caseExpr,
  columnRef,
  expression,
  funcCall,
  indirection,
  paramRef,
  sortBy,
  sqlValueFunction,
  subLink,
  typeCast,
  typeName,
} from './expressions.ts'
import { call } from './functions.ts'
import { struct, type Fields, type NodeName } from './nodes.ts'
import type { Scope } from './scope.ts'
import { STATEMENTS, type Handler } from './statements.ts'
import type { Walk } from './walk.ts'

type OtherName = Exclude<NodeName, `${string}Stmt`>

/** Says nothing by itself: what is below it is walked. */
function inside(name: OtherName): Handler {
  return (walk, fields, scope) => walk.children(name, fields, scope)
}

/** Names and values only: nothing below it can do anything. */
function leaf(): void {}

/** Made by the server's analyser and planner, never by its grammar. */
function never(name: OtherName): Handler {
  return (walk, fields, scope) => {
    walk.facts.effects.add('unknown')
    walk.children(name, fields, scope)
  }
}

const INTO_DONE: ReadonlySet<string> = new Set(['rel'])

/** SELECT INTO and CREATE TABLE AS: the relation that they make. */
function intoClause(walk: Walk, fields: Fields, scope: Scope): void {
  const relation = struct(fields['rel'])
  walk.facts.effects.add('ddl')
  if (relation !== undefined) walk.facts.wholeRow(walk.newTable(relation), 'define')
  walk.children('IntoClause', fields, scope, INTO_DONE)
}

/** The SET of a function's definition holds while it runs, and is part of what is stored. */
function option(walk: Walk, fields: Fields, scope: Scope): void {
  if (fields['defname'] !== 'set') walk.children('DefElem', fields, scope)
}

/** Outside of FROM: the relation that a statement is about. */
function rangeVar(walk: Walk, fields: Fields): void {
  const table = walk.table(fields)
  if (['define', 'grant', 'unknown'].includes(walk.access)) walk.facts.wholeRow(table, walk.access)
  else walk.facts.use(table, walk.access)
}

/** What this grammar reads as syntax is a call, of a function that anybody may have made, to servers before that. */
function since(version: number, name: OtherName, called: string): Handler {
  return (walk, fields, scope) => {
    if (walk.catalogue.serverVersion < version) call(walk.facts, walk.catalogue, { schema: null, name: called }, null)
    walk.children(name, fields, scope)
  }
}

const JSON_FUNCTIONS: Readonly<Record<string, string>> = {
  JSON_EXISTS_OP: 'json_exists',
  JSON_QUERY_OP: 'json_query',
  JSON_VALUE_OP: 'json_value',
}

function jsonFunction(walk: Walk, fields: Fields, scope: Scope): void {
  since(170_000, 'JsonFuncExpr', JSON_FUNCTIONS[String(fields['op'])] ?? 'json_table')(walk, fields, scope)
}

const OTHERS = {
  ParseResult: never('ParseResult'),
  ScanResult: never('ScanResult'),
  Integer: leaf,
  Float: leaf,
  Boolean: leaf,
  String: leaf,
  BitString: leaf,
  List: inside('List'),
  OidList: never('OidList'),
  IntList: never('IntList'),
  A_Const: leaf,
  Alias: leaf,
  RangeVar: rangeVar,
  TableFunc: never('TableFunc'),
  IntoClause: intoClause,
  Var: never('Var'),
  Param: never('Param'),
  Aggref: never('Aggref'),
  GroupingFunc: inside('GroupingFunc'),
  WindowFunc: never('WindowFunc'),
  WindowFuncRunCondition: never('WindowFuncRunCondition'),
  MergeSupportFunc: since(170_000, 'MergeSupportFunc', 'merge_action'),
  SubscriptingRef: never('SubscriptingRef'),
  FuncExpr: never('FuncExpr'),
  NamedArgExpr: inside('NamedArgExpr'),
  OpExpr: never('OpExpr'),
  DistinctExpr: never('DistinctExpr'),
  NullIfExpr: never('NullIfExpr'),
  ScalarArrayOpExpr: never('ScalarArrayOpExpr'),
  BoolExpr: inside('BoolExpr'),
  SubLink: subLink,
  SubPlan: never('SubPlan'),
  AlternativeSubPlan: never('AlternativeSubPlan'),
  FieldSelect: never('FieldSelect'),
  FieldStore: never('FieldStore'),
  RelabelType: never('RelabelType'),
  CoerceViaIO: never('CoerceViaIO'),
  ArrayCoerceExpr: never('ArrayCoerceExpr'),
  ConvertRowtypeExpr: never('ConvertRowtypeExpr'),
  CollateExpr: never('CollateExpr'),
  CaseExpr: caseExpr,
  CaseWhen: inside('CaseWhen'),
  CaseTestExpr: never('CaseTestExpr'),
  ArrayExpr: never('ArrayExpr'),
  RowExpr: inside('RowExpr'),
  RowCompareExpr: never('RowCompareExpr'),
  CoalesceExpr: inside('CoalesceExpr'),
  MinMaxExpr: inside('MinMaxExpr'),
  SQLValueFunction: sqlValueFunction,
  XmlExpr: inside('XmlExpr'),
  JsonFormat: leaf,
  JsonReturning: inside('JsonReturning'),
  JsonValueExpr: inside('JsonValueExpr'),
  JsonConstructorExpr: never('JsonConstructorExpr'),
  JsonIsPredicate: inside('JsonIsPredicate'),
  JsonBehavior: inside('JsonBehavior'),
  JsonExpr: never('JsonExpr'),
  JsonTablePath: never('JsonTablePath'),
  JsonTablePathScan: never('JsonTablePathScan'),
  JsonTableSiblingJoin: never('JsonTableSiblingJoin'),
  NullTest: inside('NullTest'),
  BooleanTest: inside('BooleanTest'),
  MergeAction: never('MergeAction'),
  CoerceToDomain: never('CoerceToDomain'),
  CoerceToDomainValue: never('CoerceToDomainValue'),
  SetToDefault: leaf,
  CurrentOfExpr: leaf,
  NextValueExpr: never('NextValueExpr'),
  InferenceElem: never('InferenceElem'),
  ReturningExpr: never('ReturningExpr'),
  TargetEntry: never('TargetEntry'),
  RangeTblRef: never('RangeTblRef'),
  JoinExpr: inside('JoinExpr'),
  FromExpr: never('FromExpr'),
  OnConflictExpr: never('OnConflictExpr'),
  Query: never('Query'),
  TypeName: typeName,
  ColumnRef: columnRef,
  ParamRef: paramRef,
  A_Expr: expression,
  TypeCast: typeCast,
  CollateClause: inside('CollateClause'),
  RoleSpec: leaf,
  FuncCall: funcCall,
  A_Star: leaf,
  A_Indices: inside('A_Indices'),
  A_Indirection: indirection,
  A_ArrayExpr: inside('A_ArrayExpr'),
  ResTarget: inside('ResTarget'),
  MultiAssignRef: inside('MultiAssignRef'),
  SortBy: sortBy,
  WindowDef: inside('WindowDef'),
  RangeSubselect: inside('RangeSubselect'),
  RangeFunction: inside('RangeFunction'),
  RangeTableFunc: inside('RangeTableFunc'),
  RangeTableFuncCol: inside('RangeTableFuncCol'),
  RangeTableSample: inside('RangeTableSample'),
  ColumnDef: inside('ColumnDef'),
  TableLikeClause: inside('TableLikeClause'),
  IndexElem: inside('IndexElem'),
  DefElem: option,
  LockingClause: leaf,
  XmlSerialize: inside('XmlSerialize'),
  PartitionElem: inside('PartitionElem'),
  PartitionSpec: inside('PartitionSpec'),
  PartitionBoundSpec: inside('PartitionBoundSpec'),
  PartitionRangeDatum: inside('PartitionRangeDatum'),
  PartitionCmd: inside('PartitionCmd'),
  RangeTblEntry: never('RangeTblEntry'),
  RTEPermissionInfo: never('RTEPermissionInfo'),
  RangeTblFunction: never('RangeTblFunction'),
  TableSampleClause: never('TableSampleClause'),
  WithCheckOption: never('WithCheckOption'),
  SortGroupClause: never('SortGroupClause'),
  GroupingSet: inside('GroupingSet'),
  WindowClause: never('WindowClause'),
  RowMarkClause: never('RowMarkClause'),
  WithClause: inside('WithClause'),
  InferClause: inside('InferClause'),
  OnConflictClause: inside('OnConflictClause'),
  CTESearchClause: leaf,
  CTECycleClause: inside('CTECycleClause'),
  CommonTableExpr: inside('CommonTableExpr'),
  MergeWhenClause: inside('MergeWhenClause'),
  ReturningOption: leaf,
  ReturningClause: inside('ReturningClause'),
  TriggerTransition: leaf,
  JsonOutput: inside('JsonOutput'),
  JsonArgument: inside('JsonArgument'),
  JsonFuncExpr: jsonFunction,
  JsonTablePathSpec: inside('JsonTablePathSpec'),
  JsonTable: since(170_000, 'JsonTable', 'json_table'),
  JsonTableColumn: inside('JsonTableColumn'),
  JsonKeyValue: inside('JsonKeyValue'),
  JsonParseExpr: since(170_000, 'JsonParseExpr', 'json'),
  JsonScalarExpr: since(170_000, 'JsonScalarExpr', 'json_scalar'),
  JsonSerializeExpr: since(170_000, 'JsonSerializeExpr', 'json_serialize'),
  JsonObjectConstructor: since(160_000, 'JsonObjectConstructor', 'json_object'),
  JsonArrayConstructor: since(160_000, 'JsonArrayConstructor', 'json_array'),
  JsonArrayQueryConstructor: since(160_000, 'JsonArrayQueryConstructor', 'json_array'),
  JsonAggConstructor: inside('JsonAggConstructor'),
  JsonObjectAgg: since(160_000, 'JsonObjectAgg', 'json_objectagg'),
  JsonArrayAgg: since(160_000, 'JsonArrayAgg', 'json_arrayagg'),
  AlterTableCmd: inside('AlterTableCmd'),
  ATAlterConstraint: inside('ATAlterConstraint'),
  ObjectWithArgs: inside('ObjectWithArgs'),
  AccessPriv: leaf,
  Constraint: inside('Constraint'),
  CreateOpClassItem: inside('CreateOpClassItem'),
  StatsElem: inside('StatsElem'),
  FunctionParameter: inside('FunctionParameter'),
  InlineCodeBlock: never('InlineCodeBlock'),
  CallContext: never('CallContext'),
  VacuumRelation: inside('VacuumRelation'),
  PublicationTable: inside('PublicationTable'),
  PublicationObjSpec: inside('PublicationObjSpec'),
  ScanToken: never('ScanToken'),
  SummaryResult: never('SummaryResult'),
  Table: never('Table'),
  Function: never('Function'),
  FilterColumn: never('FilterColumn'),
} satisfies Record<OtherName, Handler>

export const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>(
  Object.entries({ ...STATEMENTS, ...OTHERS }),
)
