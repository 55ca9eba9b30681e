/** Why a bundle was not activated; the one that was active before stays so. */
export const BUNDLE_CODES = {
  'bundle.unreadable': 'the bundle cannot be read',
  'bundle.malformed': 'the bundle is not of the form that is accepted',
  'bundle.unsigned': 'the bundle carries no signature',
  'bundle.signature': "the bundle's signature does not prove its content",
  'bundle.expired': "the bundle's signature is not valid at this time",
  'bundle.rollback': 'the bundle is older than the active one',
  'bundle.contract': 'the bundle was built for another contract, or not by `sidegate policy build`',
  'bundle.builtin': 'the bundle needs builtins that are not offered',
  'bundle.warmup': 'the bundle failed on sample commands',
  'policy.slow': 'the policy takes longer than its budget',
} as const satisfies Record<string, string>
export type BundleCode = keyof typeof BUNDLE_CODES

export class BundleError extends Error {
  readonly code: BundleCode

  constructor(code: BundleCode, message: string = BUNDLE_CODES[code], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BundleError'
    this.code = code
  }
}

/** One evaluation failed; the command is refused with `policy.error`. */
export class EvaluationError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EvaluationError'
  }
}
