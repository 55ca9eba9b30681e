/** The server's own description of a result against the plan: before the first row, or no row passes. */
import type { MaskMethod } from '../../../gate/decision.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import type { FieldDescription } from '../messages/backend.ts'
import type { CompiledMasks } from './compile.ts'
import type { MaskPlan, PlannedColumn } from './plan.ts'
import { type CellMask, RowMasker } from './rewrite.ts'

/** What of a field's description is checked. Formats do not matter: a text is the same in both, and so is NULL. */
export type DescribedColumn = Pick<FieldDescription, 'name' | 'table' | 'column' | 'type'>

/** The plan and the server disagree: nothing of the result may pass, and the connection ends. */
export interface Mismatch {
  readonly kind: 'mismatch'
  /** For the operator. Names of columns, never values. */
  readonly message: string
}

/** Types whose values are UTF-8 text in both formats: name, text, char(n), varchar. */
const TEXT_TYPES: ReadonlySet<number> = new Set([19, 25, 1042, 1043])

/** Checks a description and makes what masks its rows. Never call it with a plan that refuses. */
export function confirm(
  plan: MaskPlan,
  described: readonly DescribedColumn[],
  methods: MaskMethods,
): RowMasker | Mismatch {
  if (plan.kind === 'refuse') return mismatch('the statement was refused')
  if (plan.guard === undefined) return RowMasker.PASSIVE
  if (plan.kind === 'clear') {
    const shown = described.find((column) => shows(column, plan.guard))
    return shown === undefined ? RowMasker.PASSIVE : mismatch(`column ${shown.name} shows what the plan does not mask`)
  }
  if (plan.columns.length !== described.length) {
    return mismatch(`${plan.columns.length} columns were planned, ${described.length} are described`)
  }
  const cells: (CellMask | null)[] = []
  for (const [index, column] of described.entries()) {
    const planned = plan.columns[index]
    const wrong = planned === undefined ? 'was not planned' : disagreement(planned, column, plan.guard)
    if (planned === undefined || wrong !== null) return mismatch(`column ${column.name} ${wrong ?? ''}`)
    cells.push(planned.mask === null ? null : cellMask(planned.mask.method, column.type, methods))
  }
  return new RowMasker(cells)
}

function cellMask(method: MaskMethod, typeOid: number, methods: MaskMethods): CellMask {
  return { text: TEXT_TYPES.has(typeOid) ? methods.text(method) : null }
}

function disagreement(planned: PlannedColumn, column: DescribedColumn, masks: CompiledMasks): string | null {
  if (planned.name !== null && planned.name !== column.name) return `was planned as ${planned.name}`
  const { anchor, mask } = planned
  if (anchor !== null && (anchor.table !== column.table || anchor.attnum !== column.column)) {
    return 'comes from another column than planned'
  }
  return mask === null && shows(column, masks) ? 'shows what the plan does not mask' : null
}

/** The anchor names a masked column, or the whole row of a table with one. */
function shows(column: DescribedColumn, masks: CompiledMasks | undefined): boolean {
  const columns = masks?.columns.get(column.table)
  return columns !== undefined && (column.column === 0 || columns.has(column.column))
}

function mismatch(message: string): Mismatch {
  return { kind: 'mismatch', message }
}
