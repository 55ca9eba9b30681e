import type { JsonObject } from '../../gate/json.ts'
import type { Shape } from '../../gate/command.ts'
import type { Refusal } from '../../gate/refusal.ts'
import type { FunctionEntry } from './catalogue.ts'

/** A parse tree's node as libpg-query gives it: `{ SelectStmt: { … } }`. */
export type Node = Record<string, unknown>

/**
 * What a statement means to the session that runs it, beside what it means to policy.
 * `plain` is everything that needs no bookkeeping of names.
 */
export type Role =
  | { readonly is: 'plain' }
  | { readonly is: 'prepare'; readonly name: string; readonly statement: Statement }
  | { readonly is: 'execute'; readonly name: string; readonly parameters: readonly JsonObject[] }
  /** null: all of them. */
  | { readonly is: 'deallocate'; readonly name: string | null }
  | { readonly is: 'declare'; readonly name: string; readonly hold: boolean; readonly statement: Statement }
  | { readonly is: 'fetch'; readonly name: string; readonly move: boolean }
  | { readonly is: 'close'; readonly name: string | null }
  | { readonly is: 'copy-in' }
  | { readonly is: 'copy-out' }
  | { readonly is: 'discard-all' }
  /** `EXPLAIN EXECUTE name`, `CREATE TABLE AS EXECUTE name`: runs or plans a prepared statement within another. */
  | { readonly is: 'wraps-execute'; readonly name: string }

/** One statement of a message, judged as one Command. Frozen, and shared by all executions of the same text. */
export interface Statement {
  readonly shape: Shape
  readonly role: Role
  /** The `stmt` node of libpg-query's RawStmt. */
  readonly tree: Node
  /** Only `select` and `session` effects: running it changes nothing that a rollback would have to undo. */
  readonly readsOnly: boolean
  /** How many parameters `$n` it names: the highest n. */
  readonly parameters: number
  /** Functions that it calls by making values of one type from those of another; none where absent. */
  readonly converting?: readonly FunctionEntry[]
}

/** A message's text, understood or not. `refusal.code` is `command.unparsable`, `command.too-large` or `command.unsupported`. */
export type Analysis =
  | { readonly kind: 'statements'; readonly statements: readonly Statement[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
