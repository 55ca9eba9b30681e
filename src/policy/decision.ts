import { z } from 'zod'
import { type Decision, EFFECTS, MASK_METHODS, RECORD_LEVELS } from '../gate/decision.ts'

const amount = z.int().nonnegative()
const optionalAmount = amount.nullable()
const name = z.string().min(1)

const reason = z.strictObject({ code: name, message: z.string(), remedy: z.string(), policy: z.string() })

const mask = z
  .strictObject({
    column: name.nullable(),
    detector: name.nullable(),
    path: name.nullable(),
    with: z.enum(MASK_METHODS),
    policy: z.string(),
  })
  .refine(({ column, detector, path }) => [column, detector, path].filter((what) => what !== null).length === 1)

const approval = z.strictObject({
  code: name,
  groups: z.array(name),
  count: z.int().positive(),
  wait: amount,
  validFor: amount,
  policy: z.string(),
})

/** Exactly the contract's decision: no key missing, none added, and an effect that its own lists bear out. */
const decision = z
  .strictObject({
    effect: z.enum(EFFECTS),
    reasons: z.array(reason),
    masks: z.array(mask),
    limits: z.strictObject({ rows: optionalAmount, bytes: optionalAmount, seconds: optionalAmount }),
    approvals: z.array(approval),
    record: z.enum(RECORD_LEVELS),
  })
  .refine(({ effect, reasons, approvals }) => {
    // A denial may list what else it would take; what is allowed outright may not.
    if (effect === 'deny') return reasons.length > 0
    return effect === 'approve' ? approvals.length > 0 : approvals.length === 0
  })

/** The result set of an evaluation: exactly one result. */
const resultSet = z.tuple([z.strictObject({ result: decision })])

/** Decodes the JSON of an evaluation's result; null when it is anything but exactly one decision. */
export function decisionOf(json: string): Decision | null {
  try {
    const parsed = resultSet.safeParse(JSON.parse(json))
    return parsed.success ? freeze(parsed.data[0].result) : null
  } catch {
    return null
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const member of Object.values(value)) freeze(member)
  }
  return value
}
