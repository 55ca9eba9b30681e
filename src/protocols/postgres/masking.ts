/**
 * Masks on columns of results.
 *
 * A statement is planned before it runs ({@link planMasks}): only bare columns of tables are masked, through subqueries,
 * WITH and joins; every other use of a masked column is refused. The server's description of the result must agree
 * ({@link confirm}) before the first row, which is then rewritten ({@link RowMasker}).
 */
export { type CompiledMasks, compileMasks } from './masking/compile.ts'
export { confirm, type DescribedColumn, type Mismatch } from './masking/confirm.ts'
export { type MaskPlan, planMasks } from './masking/plan.ts'
export { RowMasker } from './masking/rewrite.ts'
export { scrubError } from './masking/scrub.ts'
export { refuseMarker } from './masking/writeback.ts'
