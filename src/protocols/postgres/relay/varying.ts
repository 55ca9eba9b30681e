/** The facts of one execution: `input.command.detail`'s keys that differ from one to the next. */
import type { Command, Shape } from '../../../gate/command.ts'
import type { JsonObject } from '../../../gate/json.ts'
import type { TransactionStatus } from '../messages.ts'
import { recordedUnparsed } from '../sql/passwords.ts'
import type { Statement } from '../statement.ts'

/** The words of `input.command.detail.transaction`. */
export const TRANSACTION = { I: 'idle', T: 'open', E: 'failed' } as const satisfies Record<TransactionStatus, string>

/** Of commands without parameters, one object for each state. */
const BARE = Object.freeze(
  Object.fromEntries(
    Object.values(TRANSACTION).map((transaction) => [
      transaction,
      Object.freeze({ transaction, phase: 'execute', parameters: Object.freeze([]) }),
    ]),
  ),
) as Readonly<Record<string, JsonObject>>

const UNKNOWN_PARAMETER: JsonObject = Object.freeze({ type: null, value: null, known: false })

/** The detail of a text that was never understood: nothing is known of what it would do. */
const UNJUDGED: JsonObject = Object.freeze({
  effects: Object.freeze(['unknown']),
  relations: Object.freeze([]),
  functions: Object.freeze([]),
  where: null,
  limit: null,
  settings: Object.freeze([]),
  role: null,
  statement: Object.freeze({ index: 1, of: 1 }),
  readsOnly: false,
})

export function executing(status: TransactionStatus, parameters: readonly JsonObject[]): JsonObject {
  const transaction = TRANSACTION[status]
  const bare = BARE[transaction]
  return parameters.length === 0 && bare !== undefined ? bare : { transaction, phase: 'execute', parameters }
}

/** Of a Parse: its parameters are not known yet. */
export function preparing(status: TransactionStatus, { parameters }: Statement, types: readonly number[]): JsonObject {
  const unknown = Array.from({ length: Math.max(parameters, types.length) }, () => UNKNOWN_PARAMETER)
  return { transaction: TRANSACTION[status], phase: 'prepare', parameters: unknown }
}

/** A text that policy cannot judge, for the record. */
export function unjudged(status: TransactionStatus, text: string): Command {
  const recorded = recordedUnparsed(text).toWellFormed()
  const shape: Shape = {
    protocol: 'postgres',
    action: 'unknown',
    text: text.toWellFormed(),
    detail: UNJUDGED,
    ...(recorded === text ? {} : { recorded }),
  }
  return { shape, varying: executing(status, []) }
}
