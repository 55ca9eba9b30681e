/** The policy contract's decision, design section 5: exactly this shape, anything else is a denial. */
export const EFFECTS = ['allow', 'deny', 'approve'] as const
export type Effect = (typeof EFFECTS)[number]

/** Most hiding first: where several masks meet on one value, the earlier one wins. */
export const MASK_METHODS = ['deny', 'null', 'redact', 'hash', 'partial'] as const
export type MaskMethod = (typeof MASK_METHODS)[number]

export const RECORD_LEVELS = ['standard', 'full'] as const
export type RecordLevel = (typeof RECORD_LEVELS)[number]

/** Why: `code` is stable and for machines, `message` says what was wrong, `remedy` what would be accepted. */
export interface Reason {
  readonly code: string
  readonly message: string
  readonly remedy: string
  /** The package that said so, such as `policy.reporting`. Empty when the gate itself said so. */
  readonly policy: string
}

/** One thing to hide. Exactly one of `column`, `detector` and `path` is not null. */
export interface Mask {
  /** `schema.table.column`, quoted as in SQL where needed. */
  readonly column: string | null
  /** A detector's name, such as `credit-card`. */
  readonly detector: string | null
  /** A JSON path. */
  readonly path: string | null
  readonly with: MaskMethod
  readonly policy: string
}

/** The smallest of what all policies said; null where none said anything. */
export interface Limits {
  readonly rows: number | null
  readonly bytes: number | null
  readonly seconds: number | null
}

/** One grant that a human must give. */
export interface ApprovalDemand {
  readonly code: string
  readonly groups: readonly string[]
  /** How many distinct people. */
  readonly count: number
  /** Seconds to wait for them. */
  readonly wait: number
  /** Seconds that the grant holds once given. */
  readonly validFor: number
  readonly policy: string
}

export interface Decision {
  readonly effect: Effect
  /** All that spoke for the effect: the denials, else the demands for approval, else the allowances. */
  readonly reasons: readonly Reason[]
  readonly masks: readonly Mask[]
  readonly limits: Limits
  readonly approvals: readonly ApprovalDemand[]
  readonly record: RecordLevel
}

export const NO_LIMITS: Limits = Object.freeze({ rows: null, bytes: null, seconds: null })

/** A denial that the gate itself pronounces, with its own stable code. */
export function denial(code: string, message: string, remedy: string): Decision {
  return Object.freeze({
    effect: 'deny',
    reasons: Object.freeze([Object.freeze({ code, message, remedy, policy: '' })]),
    masks: Object.freeze([]),
    limits: NO_LIMITS,
    approvals: Object.freeze([]),
    record: 'standard',
  })
}
