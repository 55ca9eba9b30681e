/** What follows the head of an outcome's record. */
import type { OutcomeEvent, OutcomeStatus } from '../gate/ports.ts'
import { putBytes, putNumber } from './digits.ts'
import { ascii, quote } from './quote.ts'
import { bounded } from './template.ts'

/** Codes are few, but where a server's tags count rows. */
const CODES = 1_024
const CODE_LENGTH = 48

const BYTES = Buffer.from(',"bytes":')
const DURATION = Buffer.from(',"duration":')
const NOTHING_MASKED = Buffer.from(',"masked":[]}\n')

export class Outcomes {
  /** `,"status":…,"code":…,"rows":`, by code. */
  readonly #results = new Map<OutcomeStatus, Map<string, Buffer>>()

  write(slab: Buffer, offset: number, { outcome, decidedAt, at }: OutcomeEvent): number {
    const { masked, status, code, rows, bytes } = outcome
    let end = putBytes(slab, offset, this.#resultOf(status, code))
    end = putNumber(slab, end, rows)
    end = putBytes(slab, end, BYTES)
    end = putNumber(slab, end, bytes)
    end = putBytes(slab, end, DURATION)
    end = putNumber(slab, end, microseconds(decidedAt, at))
    if (masked.length === 0) return putBytes(slab, end, NOTHING_MASKED)
    return end + slab.write(`,"masked":${bounded(ascii(JSON.stringify(masked)))}}\n`, end, 'latin1')
  }

  #resultOf(status: OutcomeStatus, code: string): Buffer {
    let results = this.#results.get(status)
    if (results === undefined) this.#results.set(status, (results = new Map()))
    let result = results.get(code)
    if (result === undefined) {
      result = Buffer.from(`,"status":"${status}","code":${bounded(quote(code))},"rows":`, 'latin1')
      if (code.length > CODE_LENGTH) return result
      if (results.size >= CODES) results.clear()
      results.set(code, result)
    }
    return result
  }
}

export function microseconds(from: number, to: number): number {
  return Math.max(0, Math.round((to - from) * 1_000))
}
