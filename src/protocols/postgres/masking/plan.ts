/** Whether a statement's results can be masked, decided before it runs. */
import type { Refusal } from '../../../gate/refusal.ts'
import type { Catalogue } from '../catalogue.ts'
import type { Statement } from '../statement.ts'
import type { ColumnMask, CompiledMasks } from './compile.ts'
import { harmless, Planning } from './planning.ts'
import { Unmaskable, unsupported } from './refusing.ts'
import { quoted } from './names.ts'
import type { Columns, ScopeColumn } from './scope.ts'
import { node } from './tree.ts'
import { isQuiet, statement as planStatement } from './utility.ts'

/** One column of the result, as it is expected to be described. */
export interface PlannedColumn {
  /** null: the server makes it up. */
  readonly name: string | null
  /** The table and column that a bare column must be described with; null for an expression. */
  readonly anchor: { readonly table: number; readonly attnum: number } | null
  /** null: it passes as it is. */
  readonly mask: ColumnMask | null
}

export type MaskPlan =
  /** Nothing masked can be in its rows. With `guard`, its columns are still checked for that before the first row. */
  | { readonly kind: 'clear'; readonly scrub: boolean; readonly guard?: CompiledMasks }
  | {
      readonly kind: 'mask'
      readonly scrub: true
      readonly columns: readonly PlannedColumn[]
      /** What is masked, `schema.table.column`, each once: for the record and the agent. */
      readonly names: readonly string[]
      readonly guard: CompiledMasks
    }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }

const CLEAR: MaskPlan = Object.freeze({ kind: 'clear', scrub: false })

/**
 * Plans a statement. Pure: the same statement, masks and catalogue give the same plan, which callers may keep.
 *
 * `inner` is the plan of what an EXECUTE or FETCH runs, which only the session knows; without it these are refused.
 * What gives no rows of its own (PREPARE, DECLARE) is `clear` once its query can be masked; EXECUTE and FETCH of it
 * then take that query's own plan.
 */
export function planMasks(
  statement: Statement,
  masks: CompiledMasks,
  catalogue: Catalogue,
  inner: MaskPlan | null = null,
): MaskPlan {
  if (masks.empty) return CLEAR
  if (masks.catalogue !== catalogue) return refused('the catalogue changed while masks were planned')
  const planning = new Planning(masks, catalogue)
  try {
    const { kind, body } = node(statement.tree)
    if (masks.unsupported !== null && !isQuiet(kind)) return { kind: 'refuse', refusal: masks.unsupported }
    const converting = statement.converting?.find((entry) => !harmless(entry))
    if (converting !== undefined)
      return refused(
        `${quoted(converting.schema, converting.name)}, which makes values of other types, may read tables by itself`,
      )
    const columns = planStatement(kind, body, planning)
    return planning.runsNamed ? named(kind, inner) : planOf(columns, planning)
  } catch (error) {
    // Whatever planning trips over, the statement does not run: a tree too deep for the stack, a node of another form.
    return error instanceof Unmaskable
      ? { kind: 'refuse', refusal: error.refusal }
      : refused('its masks cannot be planned')
  }
}

function refused(message: string): MaskPlan {
  return { kind: 'refuse', refusal: unsupported(message, 'run the query itself, in a simpler form') }
}

/** EXECUTE and FETCH show what they run; EXPLAIN EXECUTE does not, and CREATE TABLE AS EXECUTE copies it. */
function named(kind: string, inner: MaskPlan | null): MaskPlan {
  if (inner === null) return refused('what this statement runs is not known')
  if (kind === 'ExecuteStmt' || kind === 'FetchStmt' || inner.kind === 'refuse') return inner
  if (kind === 'ExplainStmt') return { kind: 'clear', scrub: true }
  return inner.kind === 'clear' ? { kind: 'clear', scrub: inner.scrub } : refused('masked columns cannot be copied')
}

function planOf(columns: Columns, planning: Planning): MaskPlan {
  const guard = planning.masks
  const names = new Set(columns.list.flatMap(({ origin }) => origin?.mask?.column ?? []))
  if (names.size === 0)
    return planning.touched ? { kind: 'clear', scrub: true, guard } : { kind: 'clear', scrub: planning.scrub }
  if (columns.open) return refused('which columns the result has cannot be told before it comes')
  return { kind: 'mask', scrub: true, columns: columns.list.map(planned), names: [...names], guard }
}

function planned({ name: known, origin, made }: ScopeColumn): PlannedColumn {
  const name = made === true ? null : known
  if (origin === null) return { name, anchor: null, mask: null }
  return { name, anchor: { table: origin.table, attnum: origin.attnum }, mask: origin.mask }
}
