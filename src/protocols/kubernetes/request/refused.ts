import { type Refusal, type RefusalCode, refusal } from '../../../gate/refusal.ts'

/** Thrown inside this folder by what a request cannot be; {@link parseRequest} turns it into a value. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly refusal: Refusal

  constructor(code: RefusalCode, message: string, remedy: string) {
    super(message)
    this.refusal = refusal(code, message, remedy)
  }
}
