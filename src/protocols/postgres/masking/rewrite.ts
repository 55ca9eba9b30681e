/**
 * DataRow messages with some of their values replaced: 'D', Int32 length (itself included), Int16 count, and for each
 * column Int32 length (-1 for NULL) and that many bytes.
 */
import type { TextMask } from '../../../mask/method.ts'

export class RowError extends Error {
  readonly code = 'protocol.violation'
}

/** What is done to a column's values: replaced by a text, or where there is none, by NULL. NULL stays NULL. */
export interface CellMask {
  readonly text: TextMask | null
}

/**
 * Regions are cut from slabs of this size, one after the other, for all results. What was handed over is never written
 * again, so a socket may hold on to it.
 */
const SLAB = 1024 ** 2
/** Below this a loop is faster than a call. */
const SHORT_COPY = 48

const DATA_ROW = 0x44
const HEADER = 7
const LENGTH = 4

class Output {
  slab: Buffer = Buffer.alloc(0)
  at = 0

  /** Makes room for more, taking along what a run has written so far. Returns where that begins. */
  reserve(written: number, room: number): number {
    const begin = this.at - written
    if (this.at + room <= this.slab.length) return begin
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB, 2 * written + room))
    this.slab.copy(slab, 0, begin, this.at)
    this.slab = slab
    this.at = written
    return 0
  }
}

const output = new Output()

/** Replaces values of one result's rows. One for each execution; it keeps nothing of the rows. */
export class RowMasker {
  readonly kind = 'rows'
  /** For results in which nothing is masked. */
  static readonly PASSIVE: RowMasker = new RowMasker([])
  /** Nothing is replaced: rows pass as they are. */
  readonly passive: boolean
  readonly #cells: readonly (CellMask | null)[]
  /** Columns after the last masked one need not be looked at. */
  readonly #depth: number
  /** How many bytes a row can grow by. */
  readonly #growth: number

  constructor(cells: readonly (CellMask | null)[]) {
    this.#cells = cells
    this.#depth = cells.findLastIndex((cell) => cell !== null) + 1
    this.#growth = cells.reduce((sum, cell) => sum + (cell?.text?.longest ?? 0), 0)
    this.passive = this.#depth === 0
  }

  /**
   * Rewrites the whole DataRow messages in `frames[start..end)`. What it returns is the caller's: nothing writes there again.
   * Throws a {@link RowError} where the region is not made of whole rows of this result.
   */
  rewrite(frames: Buffer, start: number, end: number): Buffer {
    if (this.passive) return frames.subarray(start, end)
    let begin = output.reserve(0, end - start + this.#growth)
    for (let at = start; at < end;) {
      const next = rowEnd(frames, at, end)
      const room = next - at + this.#growth
      if (output.at + room > output.slab.length) begin = output.reserve(output.at - begin, room + (end - next))
      this.#row(frames, at, next)
      at = next
    }
    return output.slab.subarray(begin, output.at)
  }

  /** Rewrites one whole DataRow message. */
  rewriteRow(frame: Buffer): Buffer {
    return this.rewrite(frame, 0, frame.length)
  }

  #row(frames: Buffer, start: number, end: number): void {
    const out = output.slab
    const row = output.at
    if (int16(frames, start + 5) !== this.#cells.length)
      throw new RowError('a row has other columns than its description')
    let copied = start
    let to = row
    let at = start + HEADER
    for (let index = 0; index < this.#depth; index++) {
      const length = int32(frames, at)
      const value = at + LENGTH
      const after = length === -1 ? value : value + length
      if (length < -1 || after > end) throw new RowError('a value is longer than its row')
      const cell = this.#cells[index]
      if (cell && length !== -1) {
        to = copy(frames, copied, at, out, to)
        to = replace(cell.text, frames, value, after, out, to)
        copied = after
      }
      at = after
    }
    to = copy(frames, copied, end, out, to)
    putInt32(out, row + 1, to - row - 1)
    output.at = to
  }
}

/** Writes a column's new length and value. */
function replace(mask: TextMask | null, frames: Buffer, start: number, end: number, out: Buffer, at: number): number {
  if (mask === null) {
    putInt32(out, at, -1)
    return at + LENGTH
  }
  const written =
    mask.constant === null
      ? mask.write(frames, start, end, out, at + LENGTH)
      : copy(mask.constant, 0, mask.constant.length, out, at + LENGTH) - at - LENGTH
  putInt32(out, at, written)
  return at + LENGTH + written
}

/** Where the row at `at` ends. */
function rowEnd(frames: Buffer, at: number, end: number): number {
  if (at + HEADER > end || frames[at] !== DATA_ROW) throw new RowError('something else stands among the rows')
  const next = at + 1 + int32(frames, at + 1)
  if (next > end || next < at + HEADER) throw new RowError('a row is not whole')
  return next
}

function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start
  if (length > SHORT_COPY) from.copy(to, at, start, end)
  else for (let index = 0; index < length; index++) to[at + index] = from[start + index] as number
  return at + length
}

function int16(from: Buffer, at: number): number {
  return ((from[at] as number) << 8) | (from[at + 1] as number)
}

function int32(from: Buffer, at: number): number {
  return (
    ((from[at] as number) << 24) |
    ((from[at + 1] as number) << 16) |
    ((from[at + 2] as number) << 8) |
    (from[at + 3] as number)
  )
}

function putInt32(to: Buffer, at: number, value: number): void {
  to[at] = value >>> 24
  to[at + 1] = value >>> 16
  to[at + 2] = value >>> 8
  to[at + 3] = value
}
