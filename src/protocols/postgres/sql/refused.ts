import { refusal, type Refusal, type RefusalCode } from '../../../gate/refusal.ts'

/** Ends the analysis of a message: nothing in it is forwarded, whatever policy says. */
export class Refused extends Error {
  readonly refusal: Refusal

  constructor(code: RefusalCode, message: string, remedy: string) {
    super(message)
    this.name = 'Refused'
    this.refusal = refusal(code, message, remedy)
  }
}
