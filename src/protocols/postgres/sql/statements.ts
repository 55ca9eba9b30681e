/** Every statement of the grammar that is not a query, and what it does. */
import { fieldsOf, list, strings, struct, type Fields, type NodeName } from './nodes.ts'
import { tableNamed, type Access, type Effect } from './facts.ts'
import { discard, persistent, transaction, variableSet, variableShow } from './sets.ts'
import { copy, insert, merge, remove, update } from './writes.ts'
import { operator } from './expressions.ts'
import { limitOf, select } from './queries.ts'
import { scopeIn, type Scope } from './scope.ts'
import type { Walk } from './walk.ts'

export type Handler = (walk: Walk, fields: Fields, scope: Scope) => void

type StatementName = Extract<NodeName, `${string}Stmt`>

/** A statement that has these effects, and accesses the relations that it names in one way. */
function does(name: StatementName, effects: readonly Effect[], access: Access = 'define', also?: Handler): Handler {
  return (walk, fields, scope) => {
    for (const effect of effects) walk.facts.effects.add(effect)
    walk.within(access, () => {
      walk.children(name, fields, scopeIn(null, scope.ctes))
      also?.(walk, fields, scope)
    })
  }
}

const defines = (name: StatementName, ...more: readonly Effect[]): Handler => does(name, ['ddl', ...more])
/** It stores code, or has stored code run, that nobody reads here. */
const stores = (name: StatementName): Handler => defines(name, 'procedural')
/** It reaches files, libraries or other hosts. */
const reaches = (name: StatementName): Handler => defines(name, 'unsafe-io')

/** Kinds of DROP, COMMENT, RENAME and their like whose object is a relation, or is named below one. */
const RELATIONS: ReadonlySet<unknown> = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_INDEX',
  'OBJECT_FOREIGN_TABLE',
])
const BELOW_RELATIONS: ReadonlySet<unknown> = new Set([
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_TRIGGER',
  'OBJECT_RULE',
  'OBJECT_POLICY',
])

function names(kind: string, object: string): Handler {
  return (walk, fields) => {
    const type = fields[kind]
    const below = BELOW_RELATIONS.has(type)
    if (!below && !RELATIONS.has(type)) return
    const objects = object === 'objects' ? list(fields[object]) : [fields[object]]
    for (const each of objects) {
      const parts = strings(fieldsOf(each, 'List')?.['items'])
      const path = below ? parts.slice(0, -1) : parts
      const table = tableNamed(walk.catalogue, path.at(-2) ?? null, path.at(-1) ?? '')
      walk.facts.wholeRow(table, walk.access)
    }
  }
}

/** CREATE of a relation: where the server would put it. */
function creates(field: string, then: Handler): Handler {
  return (walk, fields, scope) => {
    const relation = struct(fields[field])
    if (relation !== undefined) walk.facts.wholeRow(walk.newTable(relation), 'define')
    then(walk, { ...fields, [field]: undefined }, scope)
  }
}

function grant(walk: Walk, fields: Fields): void {
  if (fields['targtype'] === 'ACL_TARGET_ALL_IN_SCHEMA') {
    for (const schema of strings(fields['objects'])) {
      walk.facts.wholeRow({ schema, name: '*', relation: undefined }, 'grant')
    }
  }
}

function truncate(walk: Walk, fields: Fields): void {
  walk.facts.effects.add('truncate')
  /** It empties relations that nobody has named. */
  if (fields['behavior'] === 'DROP_CASCADE') walk.facts.effects.add('unknown')
  for (const node of list(fields['relations'])) {
    const table = walk.table(fieldsOf(node, 'RangeVar') ?? {})
    walk.writes(table)
    walk.facts.use(table, 'truncate')
  }
}

/** CREATE INDEX, CREATE STATISTICS: expressions over one relation. */
function indexes(walk: Walk, fields: Fields): void {
  for (const names of list(fields['excludeOpNames'])) operator(walk, fieldsOf(names, 'List')?.['items'])
}

/** The outermost query's own limit, through the statements that only wrap it. */
export function outerLimit(tree: unknown): number | null {
  const query = fieldsOf(tree, 'SelectStmt')
  if (query !== undefined) return limitOf(query)
  for (const wrapper of WRAPPERS) {
    const fields = fieldsOf(tree, wrapper)
    if (fields !== undefined) return outerLimit(fields['query'])
  }
  return null
}

const WRAPPERS = ['DeclareCursorStmt', 'PrepareStmt', 'CopyStmt', 'ExplainStmt', 'CreateTableAsStmt'] as const

export const STATEMENTS = {
  SelectStmt: select,
  InsertStmt: insert,
  UpdateStmt: update,
  DeleteStmt: remove,
  MergeStmt: merge,
  CopyStmt: copy,
  TruncateStmt: truncate,
  LockStmt: does('LockStmt', ['lock'], 'lock'),

  TransactionStmt: transaction,
  VariableSetStmt: variableSet,
  VariableShowStmt: variableShow,
  DiscardStmt: discard,
  ConstraintsSetStmt: does('ConstraintsSetStmt', ['session'], 'unknown'),
  NotifyStmt: does('NotifyStmt', ['notify']),
  ListenStmt: does('ListenStmt', ['listen']),
  /** Drivers send it when a connection goes back to their pool. */
  UnlistenStmt: does('UnlistenStmt', ['session']),

  PrepareStmt: does('PrepareStmt', ['prepare']),
  /** Its own effect only: what it runs by name is judged with it (compose.ts). */
  ExecuteStmt: does('ExecuteStmt', ['prepare']),
  DeallocateStmt: does('DeallocateStmt', ['prepare']),
  DeclareCursorStmt: does('DeclareCursorStmt', ['cursor']),
  FetchStmt: does('FetchStmt', ['cursor']),
  ClosePortalStmt: does('ClosePortalStmt', ['cursor']),
  ExplainStmt: does('ExplainStmt', ['select'], 'read'),

  DoStmt: does('DoStmt', ['procedural']),
  CallStmt: does('CallStmt', ['procedural']),
  CreateFunctionStmt: stores('CreateFunctionStmt'),
  AlterFunctionStmt: stores('AlterFunctionStmt'),
  CreateTrigStmt: stores('CreateTrigStmt'),
  CreateEventTrigStmt: stores('CreateEventTrigStmt'),
  AlterEventTrigStmt: stores('AlterEventTrigStmt'),
  RuleStmt: stores('RuleStmt'),
  CreateCastStmt: stores('CreateCastStmt'),
  CreateTransformStmt: stores('CreateTransformStmt'),
  CreateConversionStmt: stores('CreateConversionStmt'),
  CreatePLangStmt: stores('CreatePLangStmt'),
  CreateAmStmt: stores('CreateAmStmt'),
  CreateOpClassStmt: stores('CreateOpClassStmt'),
  CreateOpFamilyStmt: stores('CreateOpFamilyStmt'),
  AlterOpFamilyStmt: stores('AlterOpFamilyStmt'),
  AlterOperatorStmt: stores('AlterOperatorStmt'),
  DefineStmt: stores('DefineStmt'),
  CreatePolicyStmt: stores('CreatePolicyStmt'),
  AlterPolicyStmt: stores('AlterPolicyStmt'),

  CreateStmt: creates('relation', defines('CreateStmt')),
  CreateTableAsStmt: defines('CreateTableAsStmt'),
  ViewStmt: creates('view', defines('ViewStmt')),
  CreateSeqStmt: creates('sequence', defines('CreateSeqStmt')),
  AlterSeqStmt: defines('AlterSeqStmt'),
  AlterTableStmt: defines('AlterTableStmt'),
  AlterTableMoveAllStmt: defines('AlterTableMoveAllStmt'),
  IndexStmt: does('IndexStmt', ['ddl'], 'define', indexes),
  CreateStatsStmt: defines('CreateStatsStmt'),
  AlterStatsStmt: defines('AlterStatsStmt'),
  CreateSchemaStmt: defines('CreateSchemaStmt'),
  CreateDomainStmt: defines('CreateDomainStmt'),
  AlterDomainStmt: defines('AlterDomainStmt'),
  CompositeTypeStmt: creates('typevar', defines('CompositeTypeStmt')),
  CreateEnumStmt: defines('CreateEnumStmt'),
  AlterEnumStmt: defines('AlterEnumStmt'),
  CreateRangeStmt: stores('CreateRangeStmt'),
  AlterTypeStmt: stores('AlterTypeStmt'),
  AlterCollationStmt: defines('AlterCollationStmt'),
  AlterTSDictionaryStmt: defines('AlterTSDictionaryStmt'),
  AlterTSConfigurationStmt: defines('AlterTSConfigurationStmt'),
  DropStmt: does('DropStmt', ['ddl'], 'define', names('removeType', 'objects')),
  CommentStmt: does('CommentStmt', ['ddl'], 'define', names('objtype', 'object')),
  SecLabelStmt: does('SecLabelStmt', ['ddl'], 'define', names('objtype', 'object')),
  RenameStmt: defines('RenameStmt'),
  AlterObjectDependsStmt: defines('AlterObjectDependsStmt'),
  AlterObjectSchemaStmt: defines('AlterObjectSchemaStmt'),
  AlterOwnerStmt: defines('AlterOwnerStmt', 'grant'),
  ReplicaIdentityStmt: defines('ReplicaIdentityStmt'),

  CreateExtensionStmt: defines('CreateExtensionStmt', 'procedural', 'unsafe-io'),
  AlterExtensionStmt: defines('AlterExtensionStmt', 'procedural', 'unsafe-io'),
  AlterExtensionContentsStmt: defines('AlterExtensionContentsStmt'),
  CreateFdwStmt: reaches('CreateFdwStmt'),
  AlterFdwStmt: reaches('AlterFdwStmt'),
  CreateForeignServerStmt: reaches('CreateForeignServerStmt'),
  AlterForeignServerStmt: reaches('AlterForeignServerStmt'),
  CreateForeignTableStmt: reaches('CreateForeignTableStmt'),
  CreateUserMappingStmt: reaches('CreateUserMappingStmt'),
  AlterUserMappingStmt: reaches('AlterUserMappingStmt'),
  DropUserMappingStmt: defines('DropUserMappingStmt'),
  ImportForeignSchemaStmt: reaches('ImportForeignSchemaStmt'),
  CreatePublicationStmt: reaches('CreatePublicationStmt'),
  AlterPublicationStmt: reaches('AlterPublicationStmt'),
  CreateSubscriptionStmt: reaches('CreateSubscriptionStmt'),
  AlterSubscriptionStmt: reaches('AlterSubscriptionStmt'),
  DropSubscriptionStmt: reaches('DropSubscriptionStmt'),
  CreateTableSpaceStmt: reaches('CreateTableSpaceStmt'),
  DropTableSpaceStmt: reaches('DropTableSpaceStmt'),
  AlterTableSpaceOptionsStmt: defines('AlterTableSpaceOptionsStmt'),
  LoadStmt: reaches('LoadStmt'),
  AlterSystemStmt: (walk, fields) => {
    walk.facts.effects.add('unsafe-io')
    persistent(walk, fields)
  },

  CreatedbStmt: defines('CreatedbStmt'),
  AlterDatabaseStmt: defines('AlterDatabaseStmt'),
  AlterDatabaseRefreshCollStmt: defines('AlterDatabaseRefreshCollStmt'),
  AlterDatabaseSetStmt: (walk, fields) => {
    walk.facts.effects.add('ddl')
    persistent(walk, fields)
  },
  DropdbStmt: defines('DropdbStmt'),

  CreateRoleStmt: does('CreateRoleStmt', ['role']),
  AlterRoleStmt: does('AlterRoleStmt', ['role']),
  AlterRoleSetStmt: (walk, fields) => {
    walk.facts.effects.add('role')
    persistent(walk, fields)
  },
  DropRoleStmt: does('DropRoleStmt', ['role']),
  GrantRoleStmt: does('GrantRoleStmt', ['grant', 'role']),
  GrantStmt: does('GrantStmt', ['grant'], 'grant', grant),
  AlterDefaultPrivilegesStmt: does('AlterDefaultPrivilegesStmt', ['grant'], 'grant'),
  DropOwnedStmt: defines('DropOwnedStmt', 'grant', 'role'),
  ReassignOwnedStmt: defines('ReassignOwnedStmt', 'grant', 'role'),

  VacuumStmt: does('VacuumStmt', ['maintenance'], 'maintain'),
  ClusterStmt: does('ClusterStmt', ['maintenance'], 'maintain'),
  ReindexStmt: does('ReindexStmt', ['maintenance'], 'maintain'),
  RefreshMatViewStmt: does('RefreshMatViewStmt', ['maintenance'], 'maintain'),
  CheckPointStmt: does('CheckPointStmt', ['maintenance']),

  /** RETURN and PL/pgSQL's assignment stand only in bodies of routines; the rest is never in a raw tree. */
  ReturnStmt: does('ReturnStmt', ['procedural'], 'unknown'),
  PLAssignStmt: does('PLAssignStmt', ['procedural'], 'unknown'),
  RawStmt: does('RawStmt', [], 'unknown'),
  SetOperationStmt: does('SetOperationStmt', ['unknown'], 'unknown'),
} satisfies Record<StatementName, Handler>
