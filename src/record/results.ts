/** The last part of a decision's record: what was decided, by which bundle, and what became of it. */
import type { Decision } from '../gate/decision.ts'
import type { Answer, DecisionEvent } from '../gate/ports.ts'
import { quote } from './quote.ts'
import { DECISION_PATH } from './records.ts'
import { bounded } from './template.ts'

interface Result {
  readonly revision: string
  readonly mode: Answer['mode']
  readonly failed: boolean
  /** From the end of `input` to the end of the record, for a permit without a grant. */
  readonly permitted: Buffer
}

export class Results {
  readonly #known = new WeakMap<Decision, Result>()
  /** The one that was asked for last, which is mostly asked for again. */
  #last: Decision | null = null
  #result: Result | undefined

  /** Of a permit without a grant, encoded once for each decision. */
  permitted(answer: Answer): Buffer {
    const { decision, revision, mode, failed } = answer
    if (decision !== this.#last) {
      this.#last = decision
      this.#result = this.#known.get(decision)
    }
    const known = this.#result
    if (known?.revision === revision && known.mode === mode && known.failed === failed) return known.permitted
    const permitted = Buffer.from(resultOf(answer, { refusal: null, grant: null }))
    this.#result = { revision, mode, failed, permitted }
    this.#known.set(decision, this.#result)
    return permitted
  }
}

/** From the end of `input` to the end of a decision's record. */
export function resultOf(answer: Answer, { refusal, grant }: Pick<DecisionEvent, 'refusal' | 'grant'>): string {
  const { decision, revision, mode, failed } = answer
  const bundles = revision === '' ? '{}' : `{"policy":{"revision":${quote(revision)}}}`
  const result = bounded(JSON.stringify(decision))
  const verdict = `"verdict":"${refusal === null ? 'permitted' : 'refused'}","mode":"${mode}"${failed ? ',"failed":true' : ''}`
  const because = refusal === null ? '' : `,"refusal":${bounded(JSON.stringify(refusal))}`
  const by = grant === null ? '' : `,"grant":${bounded(JSON.stringify(grant))}`
  return `}},"path":"${DECISION_PATH}","bundles":${bundles},"result":${result},"custom":{${verdict}${because}${by}}}\n`
}
