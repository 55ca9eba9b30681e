import { EvaluationError } from './errors.ts'
import { fits, Instance, type Program } from './wasm.ts'

/** Evaluates one program, with a warm spare that takes over when an evaluation throws. */
export class Evaluator {
  readonly #program: Program
  /** Null only while no new instance can be made. */
  #instance: Instance | null
  #spare: Instance | null
  #refill: NodeJS.Immediate | null = null
  /** Instances that were thrown away after an error. */
  replaced = 0

  constructor(program: Program) {
    this.#program = program
    this.#instance = new Instance(program)
    this.#spare = new Instance(program)
  }

  get memoryBytes(): number {
    return this.#instance?.memoryBytes ?? 0
  }

  /** Gives the result's bytes as {@link Instance.evaluate} does. Throws an {@link EvaluationError} and nothing else. */
  evaluate(input: string): string {
    if (!fits(input)) throw new EvaluationError('the input is larger than its limit')
    try {
      this.#instance ??= new Instance(this.#program)
      return this.#instance.evaluate(input)
    } catch (error) {
      this.#replace()
      if (error instanceof EvaluationError) throw error
      throw new EvaluationError('the evaluation failed', error)
    }
  }

  close(): void {
    if (this.#refill !== null) clearImmediate(this.#refill)
    this.#refill = null
    this.#spare = null
  }

  #replace(): void {
    this.replaced++
    this.#instance = this.#spare
    this.#spare = null
    this.#refill ??= setImmediate(() => {
      this.#refill = null
      try {
        this.#spare ??= new Instance(this.#program)
      } catch {
        // No memory for a spare now: the next evaluation that needs an instance makes one, or fails as this did.
      }
    })
  }
}
