/**
 * What Sidegate knows of a database's names: a snapshot of its catalogs, plus the shipped classification of builtins.
 * Lookups are synchronous; a snapshot is immutable, and another one has another revision.
 */

/** What initdb has made; later objects are somebody's own, whatever schema they stand in. */
export const FIRST_USER_OID = 16_384

/** `open`: says nothing about rows; `values`: statistics, other sessions' statements; `secret`: credentials, files. */
export type SystemClass = 'open' | 'values' | 'secret'

export type FunctionClass = 'pure' | 'reads' | 'session' | 'writes' | 'external' | 'waits' | 'unknown'

export type RelationKind =
  | 'table'
  | 'partitioned'
  | 'view'
  | 'materialized-view'
  | 'foreign'
  | 'sequence'
  | 'index'
  | 'toast'
  | 'composite'

export interface Column {
  readonly name: string
  readonly attnum: number
  readonly typeOid: number
  /** The base type under any domains. */
  readonly baseTypeOid: number
  /** Absent where it may be NULL, or where that is not known. */
  readonly notNull?: true
  /** Numbers of the columns of the same row that it is computed from. Absent where it holds what was written. */
  readonly computedFrom?: readonly number[]
}

/** One column of a foreign key: a value may be written only if the column referred to has it. */
export interface Reference {
  readonly attnum: number
  readonly to: { readonly oid: number; readonly attnum: number }
}

/** ON DELETE and ON UPDATE of one foreign key, seen from the relation that it refers to. */
export interface Cascade {
  /** The relation that refers. */
  readonly oid: number
  /** What deleting a row here does there; null for nothing, or for refusing. */
  readonly onDelete: 'delete' | 'update' | null
  /** Updating one of these columns here updates rows there. */
  readonly onUpdate: readonly string[]
}

export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: RelationKind
  readonly columns: readonly Column[]
  /** OIDs of direct parents (inheritance, partitions) and children. */
  readonly parents: readonly number[]
  readonly children: readonly number[]
  /** OIDs of every relation that its rewrite rules read, all levels deep: what a view shows. Of an index, its table. */
  readonly reads: readonly number[]
  /** It has rewrite rules besides a view's own SELECT, or triggers. */
  readonly rules: boolean
  readonly triggers: boolean
  /** What writing its rows writes elsewhere: the actions of foreign keys that refer to it. None where absent. */
  readonly cascades?: readonly Cascade[]
  /** Numbers of the columns that unique and exclusion constraints compare with other rows. None where absent. */
  readonly compared?: readonly number[]
  readonly references?: readonly Reference[]
  /** Functions behind what it shows, all views deep and none of them pure: of a view's query, of row security. None where absent. */
  readonly showing?: readonly FunctionEntry[]
  /** Functions that run when its rows are written, none of them pure: of defaults, checks, indexes, types. None where absent. */
  readonly writing?: readonly FunctionEntry[]
  /** Checks of its columns' types: whatever makes another value of such a type runs them. None where absent. */
  readonly checking?: readonly FunctionEntry[]
  /** Present for relations of the system's own schemas, and for views that show theirs when these are not open. */
  readonly system?: SystemClass
}

export interface FunctionEntry {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly arguments: readonly number[]
  readonly variadic: boolean
  /** How many of the last arguments may be left out; any number where absent. */
  readonly defaults?: number
  readonly returnsSet: boolean
  readonly kind: 'function' | 'aggregate' | 'window' | 'procedure'
  readonly class: FunctionClass
}

/** A cast that a function of users makes, which is not known to be pure. */
export interface Coercion {
  readonly source: number
  readonly target: number
  /** Whether it must be written, is made by assignments too, or wherever a value of the target type is wanted. */
  readonly context: 'explicit' | 'assignment' | 'implicit'
  readonly function: FunctionEntry
  /** Types of users whose values are of, or hold, one of the source or the target type. */
  readonly held: { readonly source: ReadonlySet<number>; readonly target: ReadonlySet<number> }
}

export interface Catalogue {
  /** Grows with every snapshot that differs; facts derived under another revision are stale. */
  readonly revision: number
  /** As `server_version_num`: 150018. */
  readonly serverVersion: number
  /** The pinned search path, schemas that exist only, `pg_catalog` first where it is implicit. */
  readonly searchPath: readonly string[]
  /** Resolves a relation as the server would; without a schema, along the search path. */
  relation(schema: string | null, name: string): Relation | undefined
  relationByOid(oid: number): Relation | undefined
  /** Every function of that name that the server could mean, builtin and user-defined. Empty when there is none. */
  functions(schema: string | null, name: string): readonly FunctionEntry[]
  /** Functions behind user-defined operators of that name in the search path (or the schema); builtin operators are not listed. */
  operators(schema: string | null, name: string): readonly FunctionEntry[]
  /** The OID of a type; undefined when unknown. */
  type(schema: string | null, name: string): number | undefined
  /** Functions that run when there is another value of that type, or two are compared: of domains, of operator classes. */
  typeChecks?(type: number): readonly FunctionEntry[]
  /** The types of users that a value of that type is made of, all levels deep: elements, columns of rows. */
  typeParts?(type: number): readonly number[]
  /** None where absent. */
  readonly coercions?: readonly Coercion[]
  /** Schema changes run code: there are event triggers. */
  readonly eventTriggers?: boolean
}
