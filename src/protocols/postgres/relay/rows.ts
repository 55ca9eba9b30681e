/** Rows on their way to the agent: masked by the plan that the server's own description confirmed, and no more than the limits let through. */
import { refusal } from '../../../gate/refusal.ts'
import type { FrameReader } from '../framing.ts'
import { BACKEND } from '../messages.ts'
import type { Execution } from './execution.ts'
import { isChecked } from './obligations.ts'
import type { Passing } from './passing.ts'
import type { Relay } from './relay.ts'

/** Nothing of the result may pass: what the session does, or the server, is not what was predicted. */
export type Discard = (message: string, remedy: string) => void

export class Rows {
  readonly #relay: Relay
  readonly #reader: FrameReader
  readonly #passing: Passing
  readonly #discard: Discard
  #dropPieces = false

  constructor(relay: Relay, reader: FrameReader, passing: Passing, discard: Discard) {
    this.#relay = relay
    this.#reader = reader
    this.#passing = passing
    this.#discard = discard
  }

  /** The RowDescription of a result that is to be checked. A plan that it contradicts is a defect. */
  described(execution: Execution, description: Buffer): void {
    const masker = this.#relay.obligations.confirm(execution.plan, description)
    if ('message' in masker) {
      this.#relay.log.error({ mismatch: masker.message }, 'a result was discarded')
      const message = 'the columns of the result are not those that were predicted, so that they could be masked'
      return this.#discard(message, 'select the columns by their names')
    }
    execution.masker = masker
  }

  /** One or more whole DataRows. */
  rows(execution: Execution, frames: number): void {
    if (execution.stopped !== null) return
    const { buffer, start, end } = this.#reader
    if (isChecked(execution.plan) && !this.#confirmed(execution)) return
    if (execution.limited && !this.#within(execution, frames, end - start)) return
    this.#give(execution, frames, buffer, start, end)
  }

  /** A part of one large DataRow or CopyData. */
  piece(execution: Execution): void {
    const { first, type, buffer, start, end } = this.#reader
    if (first && !this.#begins(execution, type === BACKEND.DataRow ? 1 : 0)) return
    if (this.#dropPieces) return
    execution.bytes += end - start
    execution.given.bytes += end - start
    this.#passing.pass(buffer, start, end)
  }

  /** False where nothing more may come. */
  #begins(execution: Execution, rows: number): boolean {
    const { start, end, remaining } = this.#reader
    if (execution.plan.kind === 'mask') {
      this.#discard('a row is too large to be masked', 'select fewer or shorter columns')
      return false
    }
    if (rows === 1 && isChecked(execution.plan) && !this.#confirmed(execution)) return false
    this.#dropPieces =
      execution.stopped !== null || (execution.limited && !this.#within(execution, rows, end - start + remaining))
    if (!this.#dropPieces) this.#count(execution, rows)
    return true
  }

  #give(execution: Execution, frames: number, buffer: Buffer, start: number, end: number): void {
    this.#count(execution, frames)
    execution.bytes += end - start
    execution.given.bytes += end - start
    if (execution.masker === null || execution.masker.passive) this.#passing.pass(buffer, start, end)
    else this.#passing.emit(execution.masker.rewrite(buffer, start, end))
  }

  #count(execution: Execution, rows: number): void {
    execution.rows += rows
    execution.given.rows += rows
  }

  /** True when the rows may go on; otherwise the execution is stopped, or was already. */
  #within(execution: Execution, frames: number, bytes: number): boolean {
    const { given } = execution
    const most = given.rows + frames
    if (most <= execution.rowLimit && given.bytes + bytes <= execution.byteLimit) return true
    if (frames > 1) return this.#oneByOne(execution)
    const what = most > execution.rowLimit ? `${execution.rowLimit} rows` : `${execution.byteLimit} bytes of rows`
    const message = `the policy limits a result to ${what}`
    execution.stopped = {
      refusal: refusal('obligation.limit', message, 'ask for less: a narrower WHERE, or LIMIT'),
      token: null,
    }
    // The server stops by itself where Execute carries the limit; it has to be told in all other cases.
    if (this.#relay.replies.head?.kind === 'query' || most <= execution.rowLimit) this.#relay.cancel()
    return false
  }

  /** Gives the agent as many rows of a run as the limit lets through. */
  #oneByOne(execution: Execution): false {
    const { buffer, start, end } = this.#reader
    for (let at = start; at < end && execution.stopped === null;) {
      const next = at + 1 + buffer.readUInt32BE(at + 1)
      if (!this.#within(execution, 1, next - at)) break
      this.#give(execution, 1, buffer, at, next)
      at = next
    }
    return false
  }

  #confirmed(execution: Execution): boolean {
    if (execution.masker !== null) return true
    const description = execution.portal?.description
    if (description === null || description === undefined)
      throw new Error('the server sent rows before their description')
    this.described(execution, description)
    return execution.masker !== null
  }
}
