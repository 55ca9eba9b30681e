/** The handles that the server has given out, by the permits of the OPENs that asked for them. */
import type { Permit } from '../../../gate/gate.ts'
import type { Outcome } from '../../../gate/ports.ts'
import { type Refusal, refusal } from '../../../gate/refusal.ts'
import { statusName } from './packets/types.ts'
import { NOTE, type Transfer, Volume } from './transfer.ts'

/** What one OPEN or OPENDIR asked for. */
export interface Opening {
  readonly operation: 'open' | 'opendir'
  readonly path: string
  readonly resolved: string | null
  readonly flags: readonly string[]
}

/** An open file or directory, or one that is about to be. */
export class OpenFile {
  readonly opening: Opening
  readonly permit: Permit
  readonly volume: Volume
  readonly readable: boolean
  readonly writable: boolean
  readonly directory: boolean
  /** Content that may pass; null for any. */
  readonly limit: number | null
  /** When it must be over, in milliseconds since 1970; null for never. */
  readonly deadline: number | null
  /** Why nothing passes any more, closing excepted. */
  stopped: Refusal | null = null
  /** Requests that the server has not answered. */
  inFlight = 0
  /** The server's answer to CLOSE. */
  closed: number | null = null

  constructor(opening: Opening, permit: Permit, { digest, now }: { digest: boolean; now: number }) {
    const { bytes, seconds } = permit.decisions[0]?.limits ?? { bytes: null, seconds: null }
    this.opening = opening
    this.permit = permit
    this.directory = opening.operation === 'opendir'
    this.readable = opening.flags.includes('read')
    this.writable = opening.flags.includes('write')
    this.limit = bytes
    this.deadline = seconds === null ? null : now + seconds * 1000
    this.volume = new Volume(this.directory ? NOTE.listing : digest ? null : NOTE.off)
  }

  /** Whether as much more may pass; from the first time that it may not, nothing does. */
  admits(bytes: number, now: number): boolean {
    if (this.stopped !== null) return false
    if (this.limit !== null && this.volume.moved + bytes > this.limit) {
      this.stop(refusal('obligation.limit', `only ${this.limit} bytes may pass`))
    } else if (this.deadline !== null && now > this.deadline) {
      this.stop(refusal('obligation.limit', 'the time that it may be open is over'))
    }
    return this.stopped === null
  }

  stop(because: Refusal): void {
    this.stopped ??= because
  }

  get outcome(): Outcome {
    const { read, written } = this.volume
    const counts = { rows: 0, bytes: read + written, masked: [] }
    if (this.stopped !== null) return { status: 'refused', code: this.stopped.code, ...counts }
    if (this.closed === null) return { status: 'lost', code: '', ...counts }
    return { status: this.closed === 0 ? 'completed' : 'failed', code: statusName(this.closed), ...counts }
  }

  transfer(): Transfer {
    const { read, written } = this.volume
    return Object.freeze({ ...this.opening, bytesRead: read, bytesWritten: written, ...this.volume.digest() })
  }
}

/** A handle's bytes as a key. */
export function keyOf(handle: Buffer): string {
  return handle.toString('latin1')
}
