/** Whether what a decision demands can be kept for a statement, and how. */
import type { Decision } from '../../../gate/decision.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import type { Catalogue } from '../catalogue.ts'
import type { MaskMethods } from '../../../mask/method.ts'
import {
  type CompiledMasks,
  compileMasks,
  confirm,
  type MaskPlan,
  type Mismatch,
  planMasks,
  refuseMarker,
  type RowMasker,
} from '../masking.ts'
import { decodeRowDescription } from '../messages.ts'
import { innermost, innerOf } from '../compose.ts'
import type { Node, Statement } from '../statement.ts'

export const CLEAR: MaskPlan = Object.freeze({ kind: 'clear', scrub: false })

/** No row passes before its columns were checked: a plan without masks, too, may say what must not be among them. */
export function isChecked(plan: MaskPlan): boolean {
  return plan.kind === 'mask' || (plan.kind === 'clear' && plan.guard !== undefined)
}

/** Plans are made once for each statement and set of masks; both keep their identity while they mean the same. */
export class Obligations {
  readonly #catalogue: () => Catalogue
  readonly #methods: MaskMethods
  readonly #compiled = new WeakMap<Decision['masks'], CompiledMasks>()
  readonly #plans = new WeakMap<object, WeakMap<CompiledMasks, MaskPlan>>()
  /** The last description that each plan was confirmed by. */
  readonly #confirmed = new WeakMap<MaskPlan, { readonly description: Buffer; readonly masker: RowMasker }>()
  readonly #returning = new WeakMap<Statement, boolean>()

  constructor(catalogue: () => Catalogue, methods: MaskMethods) {
    this.#catalogue = catalogue
    this.#methods = methods
  }

  /**
   * Null when all of the decision can be kept for the statement; `alone`: it is the only one of its message. `values`
   * are its parameters as the agent sent them.
   */
  honour(
    statement: Statement,
    decision: Decision,
    alone: boolean,
    values: readonly (Uint8Array | null)[],
  ): Refusal | null {
    if (decision.masks.length > 0) {
      const plan = this.plan(statement, decision)
      if (plan.kind === 'refuse') return plan.refusal
      const writesBack = refuseMarker(statement, values, this.#methods)
      if (writesBack !== null) return writesBack
    }
    const { rows, bytes } = decision.limits
    if (rows === null && bytes === null) return null
    return this.#limitable(statement, alone)
  }

  plan(statement: Statement, decision: Decision): MaskPlan {
    if (decision.masks.length === 0) return CLEAR
    const compiled = this.#compile(decision.masks)
    // Texts that differ in constants only share their tree; what runs by name is more than its own tree.
    const key = statement.role.is === 'plain' ? statement.tree : statement
    let plans = this.#plans.get(key)
    if (plans === undefined) this.#plans.set(key, (plans = new WeakMap()))
    let plan = plans.get(compiled)
    if (plan === undefined) plans.set(compiled, (plan = this.#make(statement, compiled)))
    return plan
  }

  /**
   * Checks the server's description of a result (the RowDescription frame; empty where it gives no rows) against the plan, and
   * makes what masks its rows. The same plan and the same bytes were the same check before.
   */
  confirm(plan: MaskPlan, description: Buffer): RowMasker | Mismatch {
    const known = this.#confirmed.get(plan)
    if (known !== undefined && known.description.equals(description)) return known.masker
    const fields = description.length === 0 ? [] : decodeRowDescription(description, 0, description.length)
    const masker = confirm(plan, fields, this.#methods)
    if (!('message' in masker)) this.#confirmed.set(plan, { description: Buffer.from(description), masker })
    return masker
  }

  /** A statement that runs another shows what that one shows, and does what its own arguments do. */
  #make(statement: Statement, compiled: CompiledMasks): MaskPlan {
    const inner = innerOf(statement)
    const innerPlan = inner === undefined ? null : this.#make(inner, compiled)
    return planMasks(statement, compiled, this.#catalogue(), innerPlan)
  }

  #compile(masks: Decision['masks']): CompiledMasks {
    const catalogue = this.#catalogue()
    let compiled = this.#compiled.get(masks)
    if (compiled === undefined || compiled.revision !== catalogue.revision) {
      this.#compiled.set(masks, (compiled = compileMasks(masks, catalogue)))
    }
    return compiled
  }

  /** Rows can be counted, and the rest held back, where stopping half-way undoes nothing that was asked for. */
  #limitable(statement: Statement, alone: boolean): Refusal | null {
    if (!alone) {
      const remedy = 'send the statements one by one'
      return refusal(
        'obligation.unsupported',
        'the policy limits results, which cannot be kept for several statements at once',
        remedy,
      )
    }
    const copies = innermost(statement).role.is === 'copy-out'
    if (!copies && (statement.readsOnly || !this.#returns(statement))) return null
    const remedy = 'leave RETURNING out, or read with SELECT'
    return refusal(
      'obligation.unsupported',
      'the policy limits results, which cannot be kept for this statement',
      remedy,
    )
  }

  #returns(statement: Statement): boolean {
    let returns = this.#returning.get(statement)
    if (returns === undefined) this.#returning.set(statement, (returns = mayReturnRows(statement)))
    return returns
  }
}

/** Opaque code may return anything; a write returns rows only where RETURNING says so. */
function mayReturnRows(statement: Statement): boolean {
  const { shape, tree } = statement
  const inner = innerOf(statement)
  if (inner !== undefined && mayReturnRows(inner)) return true
  const effects = shape.detail['effects']
  const opaque = Array.isArray(effects) && effects.some((effect) => effect === 'unknown' || effect === 'procedural')
  return opaque || holdsReturning(tree)
}

function holdsReturning(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(holdsReturning)
  if (node === null || typeof node !== 'object') return false
  return Object.entries(node as Node).some(([key, value]) => key.startsWith('returning') || holdsReturning(value))
}
