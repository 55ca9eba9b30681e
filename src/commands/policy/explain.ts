import type { Paint } from '../../config/printout.ts'
import type { Decision, Effect } from '../../gate/decision.ts'
import { explainInput } from '../../policy/authoring/explain.ts'
import { plainly, safeJson } from '../audit/text.ts'
import { paintFor } from '../terminal.ts'
import { readKey } from './key.ts'

interface Flags {
  readonly key?: string
  readonly json?: boolean
}

export async function explain(bundle: string, input: string, { key, json }: Flags): Promise<void> {
  const pem = key === undefined ? null : readKey(key)
  const { decision, revision } = await explainInput(bundle, input, pem)
  if (json === true) process.stdout.write(`${safeJson(JSON.stringify({ revision, decision }, null, 2))}\n`)
  else process.stdout.write(`${lines(plainly(decision), paintFor(process.stdout)).join('\n')}\n`)
}

const COLOURS = { allow: 'green', deny: 'red', approve: 'yellow' } as const satisfies Record<Effect, keyof Paint>

function lines({ effect, reasons, masks, limits, approvals, record }: Decision, paint: Paint): readonly string[] {
  const limit = Object.entries(limits).filter(([, amount]) => amount !== null)
  return [
    paint.bold(paint[COLOURS[effect]](effect)),
    ...reasons.flatMap(({ policy, code, message, remedy }) => [
      `  ${policy === '' ? '' : paint.dim(`${policy}  `)}${code}${message === '' ? '' : `: ${message}`}`,
      ...(remedy === '' ? [] : [`    → ${remedy}`]),
    ]),
    ...approvals.map(
      ({ policy, code, groups, count, wait, validFor }) =>
        `  ${paint.dim(`${policy}  `)}${code} needs ${count} of ${groups.join(', ') || 'anyone'} within ${wait} s, good for ${validFor} s`,
    ),
    ...masks.map(
      (mask) =>
        `  ${paint.dim(`${mask.policy}  `)}mask ${mask.column ?? mask.detector ?? mask.path ?? ''} with ${mask.with}`,
    ),
    ...limit.map(([name, amount]) => `  at most ${String(amount)} ${name}`),
    ...(record === 'full' ? ['  recorded in full'] : []),
  ]
}
