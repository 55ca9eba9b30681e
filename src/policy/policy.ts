import { type Decision, denial } from '../gate/decision.ts'
import type { Answer, Question } from '../gate/ports.ts'
import type { InputContract } from './contract.ts'
import { decisionOf } from './decision.ts'
import { EvaluationError } from './errors.ts'
import type { Evaluator } from './evaluator.ts'
import { InputWriter } from './input.ts'
import { Memo, type MemoPlan } from './memo.ts'

/** Different answers that are kept decoded; a bundle has as many as its rules combine to. */
const MAX_ANSWERS = 1024
/** Characters of one that is kept: a hundred masks. Longer ones quote what agents wrote, and do not come twice. */
const LONGEST_ANSWER = 16 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a policy says when it has nothing to say it with. Frozen and shared. */
export function failure(
  code: 'policy.unavailable' | 'policy.error' | 'policy.invalid-decision',
  revision: string,
): Answer {
  return Object.freeze({ decision: denial(code, FAILURES[code], ''), revision, mode: 'enforce', failed: true })
}

const FAILURES = {
  'policy.unavailable': 'no policy is active yet',
  'policy.error': 'the policy could not be evaluated',
  'policy.invalid-decision': 'the policy gave an answer of the wrong form',
} as const

export interface PolicyParts {
  readonly evaluator: Evaluator
  readonly contract: InputContract
  readonly plan: MemoPlan
  readonly revision: string
  readonly mode: 'enforce' | 'observe'
}

/** One activation of one bundle: from a question to its answer. */
export class Policy {
  readonly #evaluator: Evaluator
  readonly #contract: InputContract
  readonly #memo: Memo | null
  readonly #writer = new InputWriter()
  readonly #revision: string
  readonly #mode: 'enforce' | 'observe'
  readonly #error: Answer
  readonly #invalid: Answer
  /** By the result's bytes, then by what they mean: equal decisions are one object. */
  readonly #byResult = new Map<string, Answer>()
  readonly #byMeaning = new Map<string, Answer>()
  /** The last failure's text, for the status. Never any of the input. */
  lastError: string | null = null
  errors = 0

  constructor(parts: PolicyParts) {
    this.#evaluator = parts.evaluator
    this.#contract = parts.contract
    this.#memo = parts.plan.memoisable ? new Memo(parts.plan, parts.contract.vocabularies) : null
    this.#revision = parts.revision
    this.#mode = parts.mode
    this.#error = failure('policy.error', parts.revision)
    this.#invalid = failure('policy.invalid-decision', parts.revision)
  }

  /** The answer that is on hand, if there is one. An approval's answer never is. */
  recall(question: Question): Answer | undefined {
    return this.#memo === null || question.grant !== null ? undefined : this.#memo.find(question)
  }

  /** Evaluates. Never throws. */
  answer(question: Question): Answer {
    try {
      const answer = this.#evaluate(question)
      if (this.#memo !== null && question.grant === null && !answer.failed) this.#memo.keep(question, answer)
      return answer
    } catch (error) {
      this.errors++
      this.lastError = error instanceof EvaluationError ? error.message : 'the evaluation failed'
      return this.#error
    }
  }

  close(): void {
    this.#evaluator.close()
  }

  #evaluate(question: Question): Answer {
    const { session, command, sequence, grant } = question
    const wrong =
      this.#contract.checkCommand(command) ??
      this.#contract.checkContext(session.context) ??
      this.#contract.checkSession({ id: session.id, sequence, usage: { ...session.usage } }) ??
      (grant === null ? null : this.#contract.checkGrant(grant))
    if (wrong !== null) throw new EvaluationError(`the input does not fit its schema: ${wrong}`)
    const result = this.#evaluator.evaluate(this.#writer.write(question))
    return this.#byResult.get(result) ?? this.#decode(result)
  }

  #decode(result: string): Answer {
    const decision = decisionOf(utf8.decode(Buffer.from(result, 'latin1')))
    if (decision === null) {
      this.errors++
      this.lastError = 'the result is not a decision'
      return this.#invalid
    }
    const meaning = JSON.stringify(decision)
    let answer = this.#byMeaning.get(meaning)
    if (answer === undefined) {
      answer = this.#answerOf(decision)
      remember(this.#byMeaning, meaning, answer)
    }
    remember(this.#byResult, result, answer)
    return answer
  }

  #answerOf(decision: Decision): Answer {
    // The combiner says so when a rule yields something malformed: a failure, which no mode may pass over.
    const failed = decision.reasons.some(({ code }) => code === 'policy.invalid-decision')
    if (failed) this.lastError = 'a rule gave an answer of the wrong form'
    return Object.freeze({ decision, revision: this.#revision, mode: this.#mode, failed })
  }
}

function remember(answers: Map<string, Answer>, key: string, answer: Answer): void {
  if (key.length > LONGEST_ANSWER) return
  const [oldest] = answers.keys()
  if (answers.size >= MAX_ANSWERS && oldest !== undefined) answers.delete(oldest)
  answers.set(key, answer)
}
